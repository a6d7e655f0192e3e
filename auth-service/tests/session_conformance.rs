//! One suite for the session store on every database.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that fails panics"
)]

use std::time::Duration;

use auth_service::{
    phone::PhoneNumber,
    sessions::{Cutoffs, Owner, Rotation, Sessions},
    users::{Erasure, NewSession, Users},
};
use database::DatabaseUrl;
use kit::{
    clock::{HeldClock, SystemClock, UnixMillis},
    random::{SystemRandom, bytes, uuid_v7},
};
use testkit::PrivatePostgres;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[path = "session_conformance/erasure.rs"]
mod erasure;
#[path = "session_conformance/purge.rs"]
mod purge;

use erasure::*;
use purge::*;

/// Stamps the suite on every database.
macro_rules! suite {
    ($($case:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test] async fn $case() {
                let directory = tempfile::tempdir().unwrap();
                let path = directory.path().join("auth.db");
                super::$case(super::Bench::open(&format!("sqlite://{}", path.display())).await).await;
            })*
        }
        mod postgres {
            $(#[tokio::test] async fn $case() {
                let url = super::PrivatePostgres::shared().create_database("sessions");
                super::$case(super::Bench::open(&url).await).await;
            })*
        }
    };
}

suite![
    a_token_is_rotated_once,
    parallel_rotations_have_one_winner,
    an_ended_session_is_not_rotated,
    an_idle_or_old_session_does_not_live,
    sessions_are_listed_newest_first,
    a_session_is_ended_only_by_its_user,
    old_sessions_are_purged,
    sessions_are_old_from_a_millisecond_on,
    a_user_whose_sessions_are_purged_is_still_known,
    an_erased_user_has_no_session_and_frees_the_phone,
    an_erasure_is_finished_once,
    no_session_begins_for_an_erased_user,
];

const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const DAY: Duration = Duration::from_secs(24 * 3600);
const ALL: Cutoffs = Cutoffs {
    used_after: UnixMillis(0),
    begun_after: UnixMillis(0),
};

struct Bench {
    users: Users,
    sessions: Sessions,
}

impl Bench {
    async fn open(url: &str) -> Self {
        let url: DatabaseUrl = url.parse().unwrap();
        let users = Users::open(&url, CancellationToken::new()).await.unwrap();
        // PostgreSQL is migrated in the background.
        let database = users.database();
        tokio::time::timeout(std::time::Duration::from_secs(30), database.ready())
            .await
            .expect("the database is migrated in time");
        let sessions = Sessions::new(users.database());
        Self { users, sessions }
    }

    /// Signs in, for the first time or again; the user and the session.
    async fn sign_in(&self, number: &str, hash: [u8; 32], now: UnixMillis) -> (Uuid, Uuid) {
        let session = new_session(hash, now);
        let begun = self.users.begin_session(&phone(number), &session).await;
        if let Some(user_id) = begun.unwrap() {
            return (user_id, session.session_id);
        }
        let user = self.users.find_or_create(&phone(number), id(), now).await;
        let user_id = user.unwrap().user_id;
        let begun = self.users.begin_first_session(user_id, &session).await;
        assert!(begun.unwrap());
        (user_id, session.session_id)
    }

    async fn rotate(&self, session_id: Uuid, presented: u8, successor: u8) -> Option<Owner> {
        let rotation = rotation(session_id, presented, successor);
        self.sessions.rotate(&rotation, ALL).await.unwrap()
    }

    async fn lives(&self, user_id: Uuid, session_id: Uuid) -> bool {
        self.sessions.lives(session_id, user_id, ALL).await.unwrap()
    }
}

fn phone(text: &str) -> PhoneNumber {
    PhoneNumber::from_stored(text.to_owned())
}

fn id() -> Uuid {
    uuid_v7(&SystemClock, &SystemRandom::default())
}

fn new_session(hash: [u8; 32], now: UnixMillis) -> NewSession {
    NewSession {
        session_id: uuid_v7(&HeldClock::new(now), &SystemRandom::default()),
        challenge_id: id().to_string(),
        refresh_token_hash: hash,
        user_agent: "test".to_owned(),
        client_address: "192.0.2.1".to_owned(),
        created_at: now,
    }
}

fn rotation(session_id: Uuid, presented: u8, successor: u8) -> Rotation {
    Rotation {
        session_id,
        presented: [presented; 32],
        successor: [successor; 32],
        nonce: [9; 32],
        now: NOW.after(DAY),
    }
}

async fn a_token_is_rotated_once(bench: Bench) {
    let (user_id, session_id) = bench.sign_in("+7701", [1; 32], NOW).await;
    assert_eq!(bench.rotate(session_id, 3, 4).await, None);
    let owner = bench.rotate(session_id, 1, 2).await.unwrap();
    assert_eq!((owner.user_id, owner.phone), (user_id, phone("+7701")));
    assert_eq!(bench.rotate(session_id, 1, 2).await, None);

    let known = bench
        .sessions
        .rotated(session_id, ALL)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(known.current, [2; 32]);
    assert_eq!(known.previous, Some(([1; 32], [9; 32], NOW.after(DAY))));
    assert_eq!(known.owner.user_id, user_id);
    let listed = bench.sessions.list(user_id, ALL).await.unwrap();
    assert_eq!(listed[0].last_used_at, NOW.after(DAY));
}

async fn parallel_rotations_have_one_winner(bench: Bench) {
    let (_, session_id) = bench.sign_in("+7701", [1; 32], NOW).await;
    let calls: Vec<_> = (0..16)
        .map(|each| {
            let sessions = bench.sessions.clone();
            tokio::spawn(async move {
                let rotation = Rotation {
                    successor: bytes(&SystemRandom::default()),
                    ..rotation(session_id, 1, each)
                };
                sessions.rotate(&rotation, ALL).await.unwrap().is_some()
            })
        })
        .collect();
    let mut won = 0;
    for call in calls {
        won += usize::from(call.await.unwrap());
    }
    assert_eq!(won, 1);
}

async fn an_ended_session_is_not_rotated(bench: Bench) {
    let (user_id, session_id) = bench.sign_in("+7701", [1; 32], NOW).await;
    assert!(bench.lives(user_id, session_id).await);
    assert!(
        bench
            .sessions
            .end(session_id, user_id, ALL, NOW)
            .await
            .unwrap()
    );
    assert!(
        !bench
            .sessions
            .end(session_id, user_id, ALL, NOW)
            .await
            .unwrap()
    );
    assert!(!bench.lives(user_id, session_id).await);
    assert_eq!(bench.rotate(session_id, 1, 2).await, None);
    assert!(
        bench
            .sessions
            .rotated(session_id, ALL)
            .await
            .unwrap()
            .is_none()
    );
}

async fn an_idle_or_old_session_does_not_live(bench: Bench) {
    let (user_id, session_id) = bench.sign_in("+7701", [1; 32], NOW).await;
    let just = |millis: i64| UnixMillis(NOW.0 + millis);
    for (used_after, begun_after, lives) in [
        (just(-1), just(-1), true),
        (just(0), just(-1), false),
        (just(-1), just(0), false),
    ] {
        let live = Cutoffs {
            used_after,
            begun_after,
        };
        let found = bench.sessions.lives(session_id, user_id, live).await;
        assert_eq!(found.unwrap(), lives);
        let listed = bench.sessions.list(user_id, live).await.unwrap();
        assert_eq!(listed.len(), usize::from(lives));
        let rotated = bench.sessions.rotated(session_id, live).await.unwrap();
        assert_eq!(rotated.is_some(), lives);
        if !lives {
            let rotation = rotation(session_id, 1, 2);
            assert_eq!(bench.sessions.rotate(&rotation, live).await.unwrap(), None);
            assert!(
                !bench
                    .sessions
                    .end(session_id, user_id, live, NOW)
                    .await
                    .unwrap()
            );
        }
    }
}

async fn sessions_are_listed_newest_first(bench: Bench) {
    let mut expected = Vec::new();
    let mut user = None;
    for day in 0..4 {
        let (user_id, session_id) = bench.sign_in("+7701", [1; 32], NOW.after(day * DAY)).await;
        expected.insert(0, session_id);
        user = Some(user_id);
    }
    bench.sign_in("+7702", [1; 32], NOW).await;
    let listed = bench.sessions.list(user.unwrap(), ALL).await.unwrap();
    let found: Vec<_> = listed.iter().map(|session| session.session_id).collect();
    assert_eq!(found, expected);
    assert_eq!(listed[3].created_at, NOW);
    assert_eq!(listed[0].user_agent, "test");
    assert_eq!(listed[0].client_address, "192.0.2.1");
}

async fn a_session_is_ended_only_by_its_user(bench: Bench) {
    let (anna, of_anna) = bench.sign_in("+7701", [1; 32], NOW).await;
    let (_, second_of_anna) = bench.sign_in("+7701", [2; 32], NOW).await;
    let (boris, of_boris) = bench.sign_in("+7702", [3; 32], NOW).await;
    assert!(!bench.sessions.end(of_anna, boris, ALL, NOW).await.unwrap());
    assert!(!bench.lives(boris, of_anna).await, "nor is it the other's");
    bench.sessions.end_all(anna, NOW).await.unwrap();
    assert!(!bench.lives(anna, of_anna).await);
    assert!(!bench.lives(anna, second_of_anna).await);
    assert!(bench.lives(boris, of_boris).await);
}
