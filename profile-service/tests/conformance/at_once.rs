//! Many who make profiles or look at them at once, and the page that they share.

use tokio::task::JoinSet;

use super::*;

pub(super) async fn profiles_made_at_once_are_told_each_its_own(store: ProfileStore) {
    let inviter = make(&store, "+7700", "invite").await;
    // Of ten, one has a code that somebody has, and another is made twice.
    let mut asked = Vec::new();
    for each in 0..40 {
        let profile = new(&format!("+77{each:02}"), Some("invite"));
        let own = format!("own{each:03}");
        let (invite_code, expected) = match each % 10 {
            3 => ("invite", Created::CodeTaken),
            _ => (&*own, Created::New),
        };
        asked.push((profile.clone(), code(invite_code), Some(expected)));
        if each % 10 == 7 {
            asked.push((profile, code(&format!("two{each:03}")), None));
        }
    }
    let calls: Vec<_> = asked
        .into_iter()
        .map(|(profile, invite_code, expected)| {
            let store = store.clone();
            tokio::spawn(async move {
                let created = store.create(&profile, &invite_code).await.unwrap();
                (profile.phone_number, created, expected)
            })
        })
        .collect();
    let (mut twice, mut made) = (Vec::new(), Vec::new());
    for call in calls {
        let (phone, created, expected) = call.await.unwrap();
        match expected {
            Some(expected) if !phone.ends_with('7') => assert_eq!(created, expected, "{phone}"),
            _ => twice.push(created),
        }
        if created == Created::New {
            made.push(phone);
        }
    }
    let firsts = twice.iter().filter(|&&created| created == Created::New);
    assert_eq!((firsts.count(), twice.len()), (4, 8));
    let (_, followers) = store.profile(inviter, 100).await.unwrap().unwrap();
    let mut followers = numbers(&followers);
    followers.sort_unstable();
    made.sort_unstable();
    assert_eq!(followers, made);
}

/// Makes followers of whoever has this code, from one number to the one before another.
async fn follow(store: &ProfileStore, invite_code: &str, numbers: std::ops::Range<u32>) {
    let mut following = JoinSet::new();
    for number in numbers {
        let profile = new(&format!("+7{number:05}"), Some(invite_code));
        let (store, own) = (store.clone(), code(&format!("{number:06}")));
        following.spawn(async move { store.create(&profile, &own).await });
    }
    while let Some(made) = following.join_next().await {
        assert_eq!(made.unwrap().unwrap(), Created::New);
    }
}

pub(super) async fn the_longest_page_says_where_it_goes_on(store: ProfileStore) {
    let inviter = make(&store, "+7700", "invite").await;
    let look = async || {
        let found = store.profile(inviter, LONGEST_PAGE).await.unwrap();
        let (profile, followers) = found.unwrap();
        assert_eq!(profile.phone_number, "+7700");
        followers
    };
    assert_eq!(look().await, Followers::default());
    follow(&store, "invite", 0..LONGEST_PAGE).await;
    let all = look().await;
    assert_eq!(numbers(&all).len(), LONGEST_PAGE as usize);
    assert_eq!(all.next, None);
    follow(&store, "invite", LONGEST_PAGE..LONGEST_PAGE + 1).await;
    let first = look().await;
    assert_eq!(numbers(&first).len(), LONGEST_PAGE as usize);
    let rest = store.followers(inviter, first.next.unwrap(), LONGEST_PAGE);
    let rest = rest.await.unwrap().unwrap();
    assert_eq!((numbers(&rest).len(), rest.next), (1, None));
    let mut listed: Vec<_> = [numbers(&first), numbers(&rest)].concat();
    listed.sort_unstable();
    listed.dedup();
    assert_eq!(listed.len(), LONGEST_PAGE as usize + 1);
}

pub(super) async fn profiles_looked_at_at_once_are_told_each_its_own(store: ProfileStore) {
    let followed = make(&store, "+7700", "invite").await;
    follow(&store, "invite", 0..3).await;
    let erased = make(&store, "+7701", "erased").await;
    let done = store.erase(erased, &code("unused"), at(1)).await.unwrap();
    assert_eq!(done, Erased::Done);
    let alone = make(&store, "+7702", "alone1").await;
    let unknown = uuid_v7(&SystemClock, &SystemRandom::default());
    let mut looking = JoinSet::new();
    for place in 0..40 {
        // Of each of them ten times: several rows are for the same user.
        let user = [followed, erased, alone, unknown][place % 4];
        let store = store.clone();
        looking.spawn(async move { (user, store.profile(user, LONGEST_PAGE).await.unwrap()) });
    }
    while let Some(looked) = looking.join_next().await {
        let (user, found) = looked.unwrap();
        let told = found.map(|(profile, page)| (profile.invite_code, numbers(&page).len()));
        let expected = match user {
            user if user == followed => Some(("invite".to_owned(), 3)),
            user if user == alone => Some(("alone1".to_owned(), 0)),
            _ => None,
        };
        assert_eq!(told, expected);
    }
}
