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
    store::{Created, LONGEST_PAGE, NewProfile, ProfileStore},
};
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

/// `EXPLAIN ANALYZE` of every statement in that database.
const EXPLAIN_ANALYZE: &str = "\
    ALTER DATABASE $DATABASE SET auto_explain.log_analyze = on;
    ALTER DATABASE $DATABASE SET auto_explain.log_timing = off";

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
    let (_, followers) = store.profile(user(1), 500).await.unwrap().unwrap();
    assert_eq!(followers.phone_numbers().count(), 500);
    let after = followers.next.unwrap();
    assert!(store.profile(user(fresh), 1_000).await.unwrap().is_some());
    for position in [Position::START, after] {
        let page = store.followers(user(1), position, 100).await.unwrap();
        assert_eq!(page.unwrap().phone_numbers().count(), 100);
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

/// Profiles looked at by many at once, of whom several look at the same: so statements
/// have several rows.
async fn look_at_once(store: &ProfileStore) {
    let mut looked = JoinSet::new();
    for number in 0..AT_ONCE {
        let store = store.clone();
        let looked_at = [1, 300, 40_000 + number][number as usize % 3];
        looked.spawn(async move {
            let found = store.profile(user(looked_at), LONGEST_PAGE).await;
            let (_, followers) = found.unwrap().unwrap();
            let shown = followers.phone_numbers().count();
            let expected = [1_000, 50, 0][number as usize % 3];
            assert_eq!(
                (shown, followers.next.is_some()),
                (expected, shown == 1_000)
            );
        });
    }
    looked.join_all().await;
}

/// Profiles made at once: so statements have several rows.
async fn make_at_once(store: &ProfileStore, round: u32) {
    let mut made = JoinSet::new();
    for number in 0..AT_ONCE {
        let store = store.clone();
        let fresh = 2 * USERS + round * AT_ONCE + number;
        made.spawn(async move {
            let new = NewProfile {
                user_id: user(fresh),
                phone_number: "+77777777766".to_owned(),
                invited_by: Some(code(number + 1)),
                created_at: UnixMillis(1_800_000_000_000),
            };
            let created = store.create(&new, &code(fresh)).await.unwrap();
            assert_eq!(created, Created::New);
        });
    }
    made.join_all().await;
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
    for round in 0..TIMES {
        make_at_once(&store, round).await;
        look_at_once(&store).await;
    }
    // The one that does: so it would be found.
    postgres.psql(&url, "SELECT count(invited_by) FROM profiles");
    let plans = postgres.plans(&url);
    let (ours, others): (Vec<_>, Vec<_>) = plans
        .iter()
        .partition(|plan| plan.contains('$') && plan.contains("profiles"));
    assert!(ours.len() >= (9 * TIMES) as usize, "{}", ours.len());
    // Of sixteen rows with five parameters each, and with one.
    for last in ["$80)", "($16)"] {
        assert!(ours.iter().any(|plan| plan.contains(last)), "{last}");
    }
    for plan in ours {
        assert!(!plan.contains("Seq Scan"), "{plan}");
    }
    assert!(
        others
            .iter()
            .any(|plan| plan.contains("Seq Scan on profiles"))
    );
}

/// What a line of a plan says was read: `… (actual rows=1001 loops=1)`.
fn rows_read(line: &str) -> Option<u32> {
    let (_, read) = line.split_once("actual rows=")?;
    read.split(' ').next()?.parse().ok()
}

#[tokio::test]
async fn followers_are_read_from_the_index_alone_and_no_more_than_asked_for() {
    let postgres = PrivatePostgres::start_explaining();
    let url = postgres.create_database("followers");
    let name = url.rsplit('/').next().unwrap();
    postgres.psql(&url, &EXPLAIN_ANALYZE.replace("$DATABASE", name));
    let store = open(&url).await;
    postgres.psql(&url, &FILL.replace("$USERS", &USERS.to_string()));
    // The index alone is enough for pages that the visibility map knows.
    postgres.psql(&url, "VACUUM profiles");
    // Nobody, fifty, and half of all follow them.
    for (followed, followers) in [(40_000, 0), (300, 50), (1, USERS as usize / 2)] {
        for page_size in [1_000, 20] {
            let size = page_size as usize;
            let shown = followers.min(size);
            for _ in 0..TIMES {
                let found = store.profile(user(followed), page_size).await.unwrap();
                let (_, first) = found.unwrap();
                let page = store.followers(user(followed), Position::START, page_size);
                for page in [first, page.await.unwrap().unwrap()] {
                    assert_eq!(page.phone_numbers().count(), shown);
                    assert_eq!(page.next.is_some(), followers > size);
                }
            }
        }
    }
    let plans = postgres.plans(&url);
    let pages: Vec<_> = plans
        .iter()
        .filter(|plan| plan.contains("string_agg"))
        .collect();
    // Where there are more than the longest page, it is asked for the second time.
    assert_eq!(pages.len(), (3 * 2 * 2 * TIMES + TIMES) as usize);
    for plan in pages {
        let scans = plan.lines().filter(|line| line.contains(" Scan "));
        let (followers, others): (Vec<_>, Vec<_>) =
            scans.partition(|line| line.contains("Index Only Scan using profiles_followers"));
        let longest = plan.contains("LIMIT 1001");
        let lists = if longest { 1 } else { 2 };
        assert_eq!(
            followers.len(),
            lists,
            "the page, and where it ends: {plan}"
        );
        for line in others {
            let own = line.contains("Index Scan using profiles_pkey");
            assert!(own || line.contains("CTE Scan on page"), "{plan}");
        }
        assert!(!plan.contains("Sort"), "{plan}");
        // The text is in order because nothing comes between the two.
        let mut below = plan.lines().skip_while(|line| !line.contains("Aggregate"));
        assert!(below.nth(1).unwrap().contains("->  Limit"), "{plan}");
        let fetched = |line: &&str| line.contains("Heap Fetches:") && !line.ends_with(" 0");
        assert_eq!(plan.lines().find(fetched), None, "{plan}");
        assert!(
            plan.lines().filter_map(rows_read).max() <= Some(1_001),
            "{plan}"
        );
    }
}
