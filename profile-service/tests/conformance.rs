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
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[path = "conformance/at_once.rs"]
mod at_once;
#[path = "conformance/erasure.rs"]
mod erasure;
#[path = "conformance/followers.rs"]
mod followers;

use at_once::*;
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
