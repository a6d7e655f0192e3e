//! One suite for the profile store on every database.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that fails panics"
)]

use std::collections::HashSet;

use database::DatabaseUrl;
use kit::{
    clock::{SystemClock, UnixMillis},
    random::{SystemRandom, uuid_v7},
};
use profile_service::{
    invite_code::InviteCode,
    page_token::Position,
    store::{Created, Erased, Followers, LONGEST_PAGE, NewProfile, ProfileStore},
};
use testkit::PrivatePostgres;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[path = "conformance/erasure.rs"]
mod erasure;
#[path = "conformance/followers.rs"]
mod followers;

use erasure::*;
use followers::*;

/// Stamps the suite on every database.
macro_rules! suite {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $case() {
                let directory = tempfile::tempdir().unwrap();
                super::$case(super::sqlite(&directory).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test] async fn $case() { super::$case(super::postgres().await).await; })*
        }
    };
}

suite![
    a_profile_is_made_once,
    a_taken_code_is_told_and_changes_nothing,
    an_inviter_is_entered_with_the_profile,
    an_unknown_inviter_is_ignored,
    an_inviter_is_set_once,
    an_inviter_is_set_once_in_parallel,
    codes_differ_by_case,
    two_users_may_follow_each_other,
    followers_are_paged_oldest_first,
    a_profile_lists_its_first_followers,
    a_page_token_from_before_is_taken,
    many_follow_one_at_once,
    the_longest_page_says_where_it_goes_on,
    profiles_looked_at_at_once_are_told_each_its_own,
    profiles_made_at_once_are_told_each_its_own,
    an_erased_profile_is_gone_and_leaves_the_inviters_followers,
    an_erased_users_followers_keep_the_code_that_they_entered,
    neither_user_nor_code_comes_back_after_an_erasure,
    an_erasure_before_the_profile_is_made_keeps_it_from_being_made,
];

async fn sqlite(directory: &tempfile::TempDir) -> ProfileStore {
    let path = directory.path().join("profile.db");
    open(&format!("sqlite://{}", path.display())).await
}

async fn postgres() -> ProfileStore {
    open(&PrivatePostgres::shared().create_database("profiles")).await
}

async fn open(url: &str) -> ProfileStore {
    let url: DatabaseUrl = url.parse().unwrap();
    let store = ProfileStore::open(&url, CancellationToken::new())
        .await
        .unwrap();
    // PostgreSQL is migrated in the background.
    let database = store.database();
    tokio::time::timeout(std::time::Duration::from_secs(30), database.ready())
        .await
        .expect("the database is migrated in time");
    store
}

fn code(text: &str) -> InviteCode {
    InviteCode::parse(text).unwrap()
}

fn at(millis: i64) -> UnixMillis {
    UnixMillis(1_800_000_000_000 + millis)
}

fn new(phone: &str, invited_by: Option<&str>) -> NewProfile {
    NewProfile {
        user_id: uuid_v7(&SystemClock, &SystemRandom::default()),
        phone_number: phone.to_owned(),
        invited_by: invited_by.map(code),
        created_at: at(0),
    }
}

async fn make(store: &ProfileStore, phone: &str, invite_code: &str) -> Uuid {
    let profile = new(phone, None);
    let created = store.create(&profile, &code(invite_code)).await.unwrap();
    assert_eq!(created, Created::New);
    profile.user_id
}

fn numbers(page: &Followers) -> Vec<&str> {
    page.phone_numbers().collect()
}

/// Enters an invite code for a user; whether it was the first.
async fn enter(store: &ProfileStore, user: Uuid, inviter: Uuid, text: &str, time: i64) -> bool {
    store
        .set_inviter(user, inviter, &code(text), at(time))
        .await
        .unwrap()
}

async fn a_profile_is_made_once(store: ProfileStore) {
    let profile = new("+7701", None);
    let first = store.create(&profile, &code("aaaaaa")).await.unwrap();
    assert_eq!(first, Created::New);
    let again = store.create(&profile, &code("bbbbbb")).await.unwrap();
    assert_eq!(again, Created::Known);
    let (found, followers) = store.profile(profile.user_id, 10).await.unwrap().unwrap();
    assert_eq!(found.phone_number, "+7701");
    assert_eq!(found.invite_code, "aaaaaa");
    assert_eq!(found.invited_by, None);
    assert_eq!(found.created_at, at(0));
    assert_eq!(followers, Followers::default());
    assert!(store.exists(profile.user_id).await.unwrap());
    assert!(!store.exists(Uuid::nil()).await.unwrap());
    assert_eq!(store.profile(Uuid::nil(), 10).await.unwrap(), None);
}

async fn a_taken_code_is_told_and_changes_nothing(store: ProfileStore) {
    make(&store, "+7701", "aaaaaa").await;
    let second = new("+7702", None);
    let taken = store.create(&second, &code("aaaaaa")).await.unwrap();
    assert_eq!(taken, Created::CodeTaken);
    assert!(!store.exists(second.user_id).await.unwrap());
    let drawn_again = store.create(&second, &code("bbbbbb")).await.unwrap();
    assert_eq!(drawn_again, Created::New);
}

async fn an_inviter_is_entered_with_the_profile(store: ProfileStore) {
    let inviter = make(&store, "+7701", "aaaaaa").await;
    let invited = new("+7702", Some("aaaaaa"));
    store.create(&invited, &code("bbbbbb")).await.unwrap();
    let (profile, _) = store.profile(invited.user_id, 10).await.unwrap().unwrap();
    assert_eq!(profile.invited_by.as_deref(), Some("aaaaaa"));
    let (_, followers) = store.profile(inviter, 10).await.unwrap().unwrap();
    assert_eq!(numbers(&followers), ["+7702"]);
    let before = Position {
        invited_at: at(-1),
        user_id: Uuid::max(),
    };
    let now = Position {
        invited_at: at(0),
        user_id: invited.user_id,
    };
    for (after, expected) in [(before, &["+7702"][..]), (now, &[])] {
        let page = store.followers(inviter, after, 10).await.unwrap().unwrap();
        assert_eq!(numbers(&page), expected);
    }
}

async fn an_unknown_inviter_is_ignored(store: ProfileStore) {
    let invited = new("+7702", Some("zzzzzz"));
    let created = store.create(&invited, &code("bbbbbb")).await.unwrap();
    assert_eq!(created, Created::New);
    let (profile, _) = store.profile(invited.user_id, 10).await.unwrap().unwrap();
    assert_eq!(profile.invited_by, None);
    // The code may still be entered later, once.
    let inviter = make(&store, "+7701", "aaaaaa").await;
    assert!(enter(&store, invited.user_id, inviter, "aaaaaa", 5).await);
}

async fn an_inviter_is_set_once(store: ProfileStore) {
    let first = make(&store, "+7701", "aaaaaa").await;
    let second = make(&store, "+7702", "bbbbbb").await;
    let user = make(&store, "+7703", "cccccc").await;
    assert_eq!(store.owner(&code("aaaaaa")).await.unwrap(), Some(first));
    assert_eq!(store.owner(&code("dddddd")).await.unwrap(), None);
    assert!(enter(&store, user, first, "aaaaaa", 1).await);
    assert!(!enter(&store, user, second, "bbbbbb", 2).await);
    let (profile, _) = store.profile(user, 10).await.unwrap().unwrap();
    assert_eq!(profile.invited_by.as_deref(), Some("aaaaaa"));
    let (_, followers) = store.profile(second, 10).await.unwrap().unwrap();
    assert_eq!(followers, Followers::default());
}

async fn an_inviter_is_set_once_in_parallel(store: ProfileStore) {
    let user = make(&store, "+7700", "userxx").await;
    let mut inviters = Vec::new();
    for each in 0..40 {
        let invite_code = format!("inv{each:03}");
        let id = make(&store, &format!("+78{each:02}"), &invite_code).await;
        inviters.push((id, invite_code));
    }
    let calls: Vec<_> = inviters
        .iter()
        .cloned()
        .map(|(inviter, invite_code)| {
            let store = store.clone();
            tokio::spawn(async move {
                let first = enter(&store, user, inviter, &invite_code, 1).await;
                first.then_some(invite_code)
            })
        })
        .collect();
    let mut winners = Vec::new();
    for call in calls {
        winners.extend(call.await.unwrap());
    }
    let [winner] = &winners[..] else {
        panic!("{winners:?}")
    };
    let (profile, _) = store.profile(user, 10).await.unwrap().unwrap();
    assert_eq!(profile.invited_by.as_ref(), Some(winner));
    let mut followed = 0;
    for (inviter, _) in inviters {
        let (_, followers) = store.profile(inviter, 10).await.unwrap().unwrap();
        followed += numbers(&followers).len();
    }
    assert_eq!(followed, 1);
}

async fn codes_differ_by_case(store: ProfileStore) {
    let lower = make(&store, "+7701", "abcdef").await;
    let upper = make(&store, "+7702", "ABCDEF").await;
    assert_eq!(store.owner(&code("abcdef")).await.unwrap(), Some(lower));
    assert_eq!(store.owner(&code("ABCDEF")).await.unwrap(), Some(upper));
    assert_eq!(store.owner(&code("Abcdef")).await.unwrap(), None);
}

async fn two_users_may_follow_each_other(store: ProfileStore) {
    let one = make(&store, "+7701", "aaaaaa").await;
    let two = make(&store, "+7702", "bbbbbb").await;
    assert!(enter(&store, one, two, "bbbbbb", 1).await);
    assert!(enter(&store, two, one, "aaaaaa", 1).await);
    for (user, follower) in [(one, "+7702"), (two, "+7701")] {
        let (_, followers) = store.profile(user, 10).await.unwrap().unwrap();
        assert_eq!(numbers(&followers), [follower]);
    }
}

async fn profiles_made_at_once_are_told_each_its_own(store: ProfileStore) {
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

async fn the_longest_page_says_where_it_goes_on(store: ProfileStore) {
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

async fn profiles_looked_at_at_once_are_told_each_its_own(store: ProfileStore) {
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
