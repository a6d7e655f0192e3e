//! Who follows a user: in order, page by page.

use super::*;

/// Makes `count` followers of a new user, several of them in one millisecond, and
/// stored in another order than they came in; their numbers and ids in that.
async fn followed_user(store: &ProfileStore, count: i64) -> (Uuid, Vec<(String, Position)>) {
    let inviter = make(store, "+7700", "aaaaaa").await;
    let mut expected = Vec::new();
    for each in 0..count {
        let phone = format!("+79{each:04}");
        let user = make(store, &phone, &format!("f{each:05}")).await;
        let time = each * 7 % count / 3;
        assert!(enter(store, user, inviter, "aaaaaa", time).await);
        let position = Position {
            invited_at: at(time),
            user_id: user,
        };
        expected.push((phone, position));
    }
    expected.sort_by_key(|(_, position)| (position.invited_at, position.user_id));
    (inviter, expected)
}

/// Checks a page: its numbers, and that it goes on after the last one if there are
/// more.
fn check(page: &Followers, rest: &[(String, Position)], page_size: usize) {
    let shown = &rest[..page_size.min(rest.len())];
    let expected: Vec<_> = shown.iter().map(|(phone, _)| phone.as_str()).collect();
    assert_eq!(numbers(page), expected, "a page of {page_size}");
    let next = shown.last().map(|(_, position)| *position);
    assert_eq!(page.next, next.filter(|_| rest.len() > page_size));
}

pub(super) async fn followers_are_paged_oldest_first(store: ProfileStore) {
    let (inviter, expected) = followed_user(&store, 25).await;
    for page_size in [1, 4, 24, 25, 100] {
        let mut rest = &expected[..];
        let mut after = Some(Position::START);
        while let Some(start) = after {
            // As a client carries it on.
            let start = Position::from_token(&start.to_token()).unwrap();
            let asked = u32::try_from(page_size).unwrap();
            let page = store.followers(inviter, start, asked).await;
            let page = page.unwrap().unwrap();
            check(&page, rest, page_size);
            rest = &rest[page_size.min(rest.len())..];
            after = page.next;
        }
        assert_eq!(rest, [], "pages of {page_size}");
    }
    let nobodys = store.followers(Uuid::nil(), Position::START, 10).await;
    assert_eq!(nobodys.unwrap(), None);
}

pub(super) async fn a_profile_lists_its_first_followers(store: ProfileStore) {
    let (inviter, expected) = followed_user(&store, 12).await;
    for page_size in [1, 5, 11, 12, 13, 100] {
        let asked = u32::try_from(page_size).unwrap();
        let (_, followers) = store.profile(inviter, asked).await.unwrap().unwrap();
        check(&followers, &expected, page_size);
    }
}

pub(super) async fn a_page_token_from_before_is_taken(store: ProfileStore) {
    let inviter = make(&store, "+7700", "aaaaaa").await;
    for each in 0..3 {
        let id = Uuid::from_u128(each + 1);
        let follower = NewProfile {
            user_id: id,
            ..new(&format!("+770{each}"), Some("aaaaaa"))
        };
        let made = store.create(&follower, &code(&format!("f{each:05}"))).await;
        assert_eq!(made.unwrap(), Created::New);
    }
    // After the second of them, as it was given when each follower was a row.
    let token = "AAABoxhcUAAAAAAAAAAAAAAAAAAAAAAC";
    let after = Position::from_token(token).unwrap();
    let page = store.followers(inviter, after, 10).await.unwrap().unwrap();
    assert_eq!((numbers(&page), page.next), (vec!["+7702"], None));
    let first = store.followers(inviter, Position::START, 2).await.unwrap();
    assert_eq!(
        first.unwrap().next.map(Position::to_token).as_deref(),
        Some(token)
    );
}

pub(super) async fn many_follow_one_at_once(store: ProfileStore) {
    let inviter = make(&store, "+7700", "aaaaaa").await;
    let calls: Vec<_> = (0..40)
        .map(|each| {
            let store = store.clone();
            tokio::spawn(async move {
                let phone = format!("+79{each:04}");
                let user = make(&store, &phone, &format!("f{each:05}")).await;
                assert!(enter(&store, user, inviter, "aaaaaa", each).await);
                phone
            })
        })
        .collect();
    let mut expected = HashSet::new();
    for call in calls {
        expected.insert(call.await.unwrap());
    }
    let (_, followers) = store.profile(inviter, 100).await.unwrap().unwrap();
    let found: HashSet<_> = followers.phone_numbers().map(str::to_owned).collect();
    assert_eq!(found, expected);
}
