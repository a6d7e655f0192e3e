//! One suite for the user store on every database.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that fails panics"
)]

use std::sync::Arc;

use auth_service::{
    phone::PhoneNumber,
    users::{NewSession, Users},
};
use database::DatabaseUrl;
use kit::{
    clock::{HeldClock, SystemClock, UnixMillis},
    random::{SystemRandom, bytes, uuid_v7},
};
use testkit::PrivatePostgres;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

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
    a_user_is_made_once,
    a_first_session_says_that_there_is_a_profile,
    a_known_user_begins_a_session_in_one_step,
    one_challenge_makes_one_session,
    a_sign_in_whose_answer_was_lost_is_found_when_it_is_written_again,
    one_challenge_makes_one_session_in_parallel,
    many_first_sign_ins_of_one_phone_make_one_user,
    sign_ins_at_once_are_told_each_its_own,
];

async fn sqlite(directory: &tempfile::TempDir) -> Users {
    let path = directory.path().join("auth.db");
    open(&format!("sqlite://{}", path.display())).await
}

async fn postgres() -> Users {
    open(&PrivatePostgres::shared().create_database("users")).await
}

async fn open(url: &str) -> Users {
    let url: DatabaseUrl = url.parse().unwrap();
    let users = Users::open(&url, CancellationToken::new()).await.unwrap();
    // PostgreSQL is migrated in the background.
    let database = users.database();
    tokio::time::timeout(std::time::Duration::from_secs(30), database.ready())
        .await
        .expect("the database is migrated in time");
    users
}

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

fn phone(text: &str) -> PhoneNumber {
    PhoneNumber::from_stored(text.to_owned())
}

fn id() -> Uuid {
    uuid_v7(&SystemClock, &SystemRandom::default())
}

fn session(challenge: &str) -> NewSession {
    NewSession {
        session_id: uuid_v7(&HeldClock::new(NOW), &SystemRandom::default()),
        challenge_id: challenge.to_owned(),
        refresh_token_hash: bytes(&SystemRandom::default()),
        user_agent: "test".to_owned(),
        client_address: "192.0.2.1".to_owned(),
        created_at: NOW,
    }
}

/// A user who has signed in once.
async fn known_user(users: &Users, number: &str) -> Uuid {
    let user = users
        .find_or_create(&phone(number), id(), NOW)
        .await
        .unwrap();
    let begun = users
        .begin_first_session(user.user_id, &session(&format!("first {number}")))
        .await;
    assert!(begun.unwrap());
    user.user_id
}

async fn a_user_is_made_once(users: Users) {
    let first = id();
    let user = users
        .find_or_create(&phone("+7701"), first, NOW)
        .await
        .unwrap();
    assert_eq!((user.user_id, user.has_profile), (first, false));
    let again = users
        .find_or_create(&phone("+7701"), id(), NOW)
        .await
        .unwrap();
    assert_eq!(again, user);
    let other = users
        .find_or_create(&phone("+7702"), id(), NOW)
        .await
        .unwrap();
    assert_ne!(other.user_id, user.user_id);
}

async fn a_first_session_says_that_there_is_a_profile(users: Users) {
    let number = phone("+7701");
    let user = users.find_or_create(&number, id(), NOW).await.unwrap();
    let before = users.begin_session(&number, &session("a")).await.unwrap();
    assert_eq!(before, None, "no session before the profile");
    let first = users.begin_first_session(user.user_id, &session("a")).await;
    assert!(first.unwrap());
    let known = users.find_or_create(&number, id(), NOW).await.unwrap();
    assert_eq!((known.user_id, known.has_profile), (user.user_id, true));
    let second = users.begin_session(&number, &session("b")).await.unwrap();
    assert_eq!(second, Some(user.user_id));
}

async fn a_known_user_begins_a_session_in_one_step(users: Users) {
    let user_id = known_user(&users, "+7701").await;
    let begun = users.begin_session(&phone("+7701"), &session("x")).await;
    assert_eq!(begun.unwrap(), Some(user_id));
    let unknown = users.begin_session(&phone("+7702"), &session("y")).await;
    assert_eq!(unknown.unwrap(), None);
}

async fn one_challenge_makes_one_session(users: Users) {
    let user_id = known_user(&users, "+7701").await;
    let number = phone("+7701");
    let begun = users.begin_session(&number, &session("x")).await;
    assert_eq!(begun.unwrap(), Some(user_id));
    let again = users.begin_session(&number, &session("x")).await;
    assert_eq!(again.unwrap(), None);
    let first = users.begin_first_session(user_id, &session("x")).await;
    assert!(!first.unwrap());
}

async fn a_sign_in_whose_answer_was_lost_is_found_when_it_is_written_again(users: Users) {
    let number = phone("+7701");
    let user = users.find_or_create(&number, id(), NOW).await.unwrap();
    let first = session("x");
    for _ in 0..2 {
        let written = users.begin_first_session(user.user_id, &first).await;
        assert!(written.unwrap());
    }
    let second = session("y");
    for _ in 0..2 {
        let written = users.begin_session(&number, &second).await;
        assert_eq!(written.unwrap(), Some(user.user_id));
    }
    let another = users.begin_session(&number, &session("y")).await;
    assert_eq!(another.unwrap(), None);
}

async fn one_challenge_makes_one_session_in_parallel(users: Users) {
    known_user(&users, "+7701").await;
    let calls: Vec<_> = (0..16)
        .map(|_| {
            let users = users.clone();
            tokio::spawn(async move { users.begin_session(&phone("+7701"), &session("x")).await })
        })
        .collect();
    let mut begun = 0;
    for call in calls {
        begun += usize::from(call.await.unwrap().unwrap().is_some());
    }
    assert_eq!(begun, 1);
}

async fn many_first_sign_ins_of_one_phone_make_one_user(users: Users) {
    let users = Arc::new(users);
    let calls: Vec<_> = (0..24)
        .map(|each| {
            let users = users.clone();
            tokio::spawn(async move {
                let user = users
                    .find_or_create(&phone("+7701"), id(), NOW)
                    .await
                    .unwrap();
                let session = session(&format!("challenge {each}"));
                let begun = users.begin_first_session(user.user_id, &session).await;
                assert!(begun.unwrap());
                user.user_id
            })
        })
        .collect();
    let mut ids = std::collections::HashSet::new();
    for call in calls {
        ids.insert(call.await.unwrap());
    }
    assert_eq!(ids.len(), 1);
}

async fn sign_ins_at_once_are_told_each_its_own(users: Users) {
    let mut expected = Vec::new();
    for number in 0..40 {
        let number = format!("+77{number:02}");
        // Every fourth is nobody's, and every fourth challenge is answered twice.
        let known = match expected.len() % 4 {
            0 => None,
            _ => Some(known_user(&users, &number).await),
        };
        expected.push((number, known));
    }
    let calls: Vec<_> = expected
        .iter()
        .enumerate()
        .flat_map(|(place, asked)| vec![asked.clone(); if place % 4 == 1 { 2 } else { 1 }])
        .map(|(number, known)| {
            let users = users.clone();
            tokio::spawn(async move {
                let session = session(&format!("challenge of {number}"));
                let begun = users.begin_session(&phone(&number), &session).await;
                (begun.unwrap(), known)
            })
        })
        .collect();
    let (mut begun, mut refused) = (0, 0);
    for call in calls {
        match call.await.unwrap() {
            (None, _) => refused += 1,
            (user_id, known) => {
                assert_eq!(user_id, known);
                begun += 1;
            }
        }
    }
    // Ten are nobody, and ten came second.
    assert_eq!((begun, refused), (30, 20));
}
