//! No statement reads a whole table, however many users there are: what one
//! costs at a thousand users it costs at a hundred million.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that fails panics"
)]

use std::time::Duration;

use database::DatabaseUrl;
use kit::clock::UnixMillis;
use profile_service::{
    invite_code::InviteCode,
    page_token::Position,
    store::{Created, NewProfile, ProfileStore},
};
use testkit::PrivatePostgres;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const USERS: u32 = 50_000;
/// Every statement is run so often: from the sixth time on PostgreSQL may use a
/// plan that fits all values.
const TIMES: u32 = 8;

/// One user in a hundred has invited the others, all in one go: as many follow
/// user 1 as one page can never hold.
const FILL: &str = "\
    INSERT INTO profiles (user_id, phone_number, invite_code, created_at,
                          inviter_id, invited_by, invited_at)
    SELECT lpad(to_hex(n), 32, '0')::uuid, '+7' || (7000000000 + n),
           lpad(to_hex(n), 6, '0'), n,
           CASE WHEN n > 1 THEN lpad(to_hex(inviter), 32, '0')::uuid END,
           CASE WHEN n > 1 THEN lpad(to_hex(inviter), 6, '0') END,
           CASE WHEN n > 1 THEN n END
    FROM (SELECT n, CASE WHEN n % 2 = 0 THEN 1 ELSE n / 100 + 1 END AS inviter
          FROM generate_series(1, $USERS) AS n) AS numbered;
    ANALYZE profiles";

fn user(number: u32) -> Uuid {
    Uuid::from_u128(number.into())
}

fn code(number: u32) -> InviteCode {
    InviteCode::parse(&format!("{number:06x}")).unwrap()
}

async fn open(url: &str) -> ProfileStore {
    let url: DatabaseUrl = url.parse().unwrap();
    let store = ProfileStore::open(&url, CancellationToken::new())
        .await
        .unwrap();
    let database = store.database();
    tokio::time::timeout(Duration::from_secs(30), database.ready())
        .await
        .expect("the database is migrated in time");
    store
}

/// Everything that the store can do.
async fn do_everything(store: &ProfileStore, round: u32) {
    let now = UnixMillis(1_800_000_000_000);
    let fresh = USERS + 1 + round;
    let new = NewProfile {
        user_id: user(fresh),
        phone_number: "+77777777766".to_owned(),
        invited_by: Some(code(round + 1)),
        created_at: now,
    };
    let created = store.create(&new, &code(fresh)).await.unwrap();
    assert_eq!(created, Created::New);
    let (_, followers) = store.profile(user(1), 1_000).await.unwrap().unwrap();
    assert_eq!(followers.len(), 1_000);
    let after = followers[500].position;
    assert!(store.profile(user(fresh), 1_000).await.unwrap().is_some());
    for position in [Position::START, after] {
        let page = store.followers(user(1), position, 100).await.unwrap();
        assert_eq!(page.len(), 100);
    }
    assert_eq!(store.owner(&code(7)).await.unwrap(), Some(user(7)));
    assert!(
        !store
            .set_inviter(user(7), user(8), &code(8), now)
            .await
            .unwrap()
    );
    assert!(store.exists(user(fresh)).await.unwrap());
    store.erase(user(fresh), &code(fresh), now).await.unwrap();
}

#[tokio::test]
async fn no_statement_reads_a_whole_table() {
    let postgres = PrivatePostgres::start_explaining();
    let url = postgres.create_database("plans");
    let store = open(&url).await;
    postgres.psql(&url, &FILL.replace("$USERS", &USERS.to_string()));
    for round in 0..TIMES {
        do_everything(&store, round).await;
    }
    // The one that does: so it would be found.
    postgres.psql(&url, "SELECT count(invited_by) FROM profiles");
    let plans = postgres.plans(&url);
    let (ours, others): (Vec<_>, Vec<_>) = plans
        .iter()
        .partition(|plan| plan.contains('$') && plan.contains("profiles"));
    assert!(ours.len() >= (9 * TIMES) as usize, "{}", ours.len());
    for plan in ours {
        assert!(!plan.contains("Seq Scan"), "{plan}");
    }
    assert!(
        others
            .iter()
            .any(|plan| plan.contains("Seq Scan on profiles"))
    );
}
