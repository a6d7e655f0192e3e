//! No statement reads a whole table, however many users there are: what one
//! costs at a thousand users it costs at a hundred million.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that fails panics"
)]

use std::time::Duration;

use auth_service::{
    phone::PhoneNumber,
    sessions::{Cutoffs, Rotation, Sessions},
    users::{NewSession, Users},
};
use database::DatabaseUrl;
use kit::clock::UnixMillis;
use testkit::PrivatePostgres;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const USERS: u32 = 50_000;
/// Every statement is run so often: from the sixth time on PostgreSQL may use a
/// plan that fits all values.
const TIMES: u32 = 8;
/// So many callers come at once.
const AT_ONCE: u32 = 40;
const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
const ALL: Cutoffs = Cutoffs {
    used_after: UnixMillis(-1),
    begun_after: UnixMillis(-1),
};

/// Each user has two sessions, of which one in ten has ended; one user in a
/// thousand is erased, of which one in ten is left to finish.
const FILL: &str = "\
    INSERT INTO users (user_id, phone_number, profile_created, created_at, erased_at)
    SELECT lpad(to_hex(n), 32, '0')::uuid,
           CASE WHEN n % 1000 <> 0 THEN '+7' || (7000000000 + n) END,
           n % 10000 = 0 OR n % 1000 <> 0 AND n % 3 = 0, n, CASE WHEN n % 1000 = 0 THEN n END
    FROM generate_series(1, $USERS) AS n;
    INSERT INTO sessions (session_id, user_id, challenge_id, refresh_token_hash,
                          user_agent, client_address, created_at, last_used_at, ended_at)
    SELECT (lpad(to_hex(n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid,
           lpad(to_hex((n + 1) / 2), 32, '0')::uuid,
           'challenge ' || n, sha256(n::text::bytea), '', '', n, n,
           CASE WHEN n % 10 = 0 THEN n END
    FROM generate_series(1, 2 * $USERS) AS n;
    ANALYZE users, sessions";

fn id(number: u32) -> Uuid {
    Uuid::from_u128(number.into())
}

/// A UUIDv7 of now.
fn session_id(number: u32) -> Uuid {
    let mut bytes = [0; 10];
    bytes[6..].copy_from_slice(&number.to_be_bytes());
    let now = u64::try_from(NOW.0).unwrap();
    uuid::Builder::from_unix_timestamp_millis(now, &bytes).into_uuid()
}

fn phone(number: u32) -> PhoneNumber {
    PhoneNumber::from_stored(format!("+7{}", 7_000_000_000_u64 + u64::from(number)))
}

fn session(number: u32) -> NewSession {
    NewSession {
        session_id: session_id(number),
        challenge_id: format!("challenge {number}"),
        refresh_token_hash: [7; 32],
        user_agent: String::new(),
        client_address: String::new(),
        created_at: NOW,
    }
}

async fn open(url: &str) -> Users {
    let url: DatabaseUrl = url.parse().unwrap();
    let users = Users::open(&url, CancellationToken::new()).await.unwrap();
    let database = users.database();
    tokio::time::timeout(Duration::from_secs(30), database.ready())
        .await
        .expect("the database is migrated in time");
    users
}

/// Everything that the two stores can do.
async fn do_everything(users: &Users, sessions: &Sessions, round: u32) {
    let fresh = 2 * USERS + 1 + 2 * round;
    let (known, new) = (phone(1 + round), phone(fresh));
    let begun = users.begin_session(&known, &session(fresh)).await.unwrap();
    assert_eq!(begun, Some(id(1 + round)));
    for _ in 0..2 {
        let made = users.find_or_create(&new, id(fresh), NOW).await.unwrap();
        assert_eq!(made.user_id, id(fresh));
    }
    let first = session(fresh + 1);
    assert!(users.begin_first_session(id(fresh), &first).await.unwrap());
    let rotation = Rotation {
        session_id: session_id(fresh),
        presented: [7; 32],
        successor: [8; 32],
        nonce: [0; 32],
        now: NOW,
    };
    assert!(sessions.rotate(&rotation, ALL).await.unwrap().is_some());
    assert!(
        sessions
            .rotated(session_id(fresh), ALL)
            .await
            .unwrap()
            .is_some()
    );
    let owner = id(1 + round);
    assert!(sessions.lives(session_id(fresh), owner, ALL).await.unwrap());
    assert!(!sessions.list(owner, ALL).await.unwrap().is_empty());
    assert!(
        sessions
            .end(session_id(fresh), owner, ALL, NOW)
            .await
            .unwrap()
    );
    sessions.end_all(owner, NOW).await.unwrap();
    let before = UnixMillis(10 * i64::from(round));
    sessions.purge(before, before).await.unwrap();
    users.erase(id(fresh), NOW).await.unwrap();
    assert!(users.erasure(id(fresh)).await.unwrap().is_some());
    assert!(!users.erasures_to_finish(100).await.unwrap().is_empty());
    users.finish_erasure(id(fresh)).await.unwrap();
}

/// Sign-ins at once, of users who are known and who are not: so statements have several
/// rows.
async fn do_at_once(users: &Users, round: u32) {
    let mut sign_ins = JoinSet::new();
    for number in 0..AT_ONCE {
        let users = users.clone();
        let fresh = 10 * USERS + round * 3 * AT_ONCE + 3 * number;
        sign_ins.spawn(async move {
            let (known, new) = (phone(1_001 + number), phone(fresh));
            let begun = users.begin_session(&known, &session(fresh)).await;
            assert!(begun.unwrap().is_some());
            let made = users.find_or_create(&new, id(fresh), NOW).await;
            assert_eq!(made.unwrap().user_id, id(fresh));
            let first = session(fresh + 1);
            assert!(users.begin_first_session(id(fresh), &first).await.unwrap());
        });
    }
    sign_ins.join_all().await;
}

#[tokio::test]
async fn no_statement_reads_a_whole_table() {
    let postgres = PrivatePostgres::start_explaining();
    let url = postgres.create_database("plans");
    let users = open(&url).await;
    let sessions = Sessions::new(users.database());
    postgres.psql(&url, &FILL.replace("$USERS", &USERS.to_string()));
    for round in 0..TIMES {
        do_everything(&users, &sessions, round).await;
    }
    for round in 0..TIMES {
        do_at_once(&users, round).await;
    }
    // The one that does: so it would be found.
    postgres.psql(&url, "SELECT count(user_agent) FROM sessions");
    let plans = postgres.plans(&url);
    let of_ours = |plan: &&String| {
        plan.contains('$') && (plan.contains("users") || plan.contains("sessions"))
    };
    let (ours, others): (Vec<_>, Vec<_>) = plans.iter().partition(of_ours);
    assert!(ours.len() >= (20 * TIMES) as usize, "{}", ours.len());
    // Of sixteen rows with seven parameters each, and with three.
    for last in ["$112)", "$48)"] {
        assert!(ours.iter().any(|plan| plan.contains(last)), "{last}");
    }
    for plan in ours {
        assert!(!plan.contains("Seq Scan"), "{plan}");
        let by_id = plan.contains("WHERE session_id < $1");
        assert!(
            !by_id || plan.contains("Index Cond: (session_id < "),
            "{plan}"
        );
    }
    assert!(
        others
            .iter()
            .any(|plan| plan.contains("Seq Scan on sessions"))
    );
}
