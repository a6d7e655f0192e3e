//! PostgreSQL breaks off, hangs, goes and comes back: what the callers are
//! told, how soon, and that no connection is lost by it.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use database::{Database, Error, Migrations, Repeat, Transaction, Work};
use kit::health::Dependency as _;
use testkit::PrivatePostgres;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

static TABLES: Migrations = Migrations(&[(
    1,
    "marks",
    "CREATE TABLE marks (mark text PRIMARY KEY, set_at bigint NOT NULL)",
)]);
/// More than there are connections.
const MANY: usize = 40;
const PATIENCE: Duration = Duration::from_secs(30);

async fn open(url: &str) -> Arc<Database> {
    let url = url.parse().unwrap();
    let database = Database::open(&url, &TABLES, CancellationToken::new());
    let database = database.await.unwrap();
    timeout(PATIENCE, database.ready()).await.unwrap();
    database
}

/// Statements at once; how many failed.
async fn failures(database: &Arc<Database>, sql: &'static str) -> usize {
    let statements: Vec<_> = (0..MANY)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move { database.read(sql, &[]).await })
        })
        .collect();
    let mut failures = 0;
    for statement in statements {
        failures += usize::from(statement.await.unwrap().is_err());
    }
    failures
}

fn break_connections(postgres: &PrivatePostgres, url: &str) {
    let broken = postgres.psql(
        url,
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
    assert_ne!(broken, "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_broke_fail_nothing_that_may_be_repeated() {
    let postgres = PrivatePostgres::shared();
    let url = postgres.create_database("broken");
    let database = open(&url).await;
    for round in 0..5 {
        assert_eq!(failures(&database, "SELECT pg_sleep(0.02)").await, 0);
        break_connections(postgres, &url);
        let sql = "INSERT INTO marks VALUES ($1, 0) ON CONFLICT (mark) DO NOTHING";
        let mark = format!("mark {round}");
        let written = database.write_idempotent(sql, &[mark.into()]).await;
        assert!(written.is_ok(), "{:?}", written.err());
        assert_eq!(failures(&database, "SELECT pg_sleep(0.02)").await, 0);
    }
    let rows = database.read("SELECT mark FROM marks", &[]).await.unwrap();
    assert_eq!(rows.len(), 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_that_hangs_is_given_up_and_its_connection_too() {
    let postgres = PrivatePostgres::shared();
    let url = postgres.create_database("hung");
    let database = open(&url).await;
    let begun = Instant::now();
    let statements: Vec<_> = (0..MANY)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move { database.write("SELECT pg_sleep(60)", &[]).await })
        })
        .collect();
    // Those that came first; the others would wait for the connections.
    let mut statements = statements.into_iter();
    let first = statements.next().unwrap().await.unwrap();
    assert!(
        matches!(first, Err(Error::Unavailable(_))),
        "{:?}",
        first.err()
    );
    assert!(begun.elapsed() >= Duration::from_secs(4));
    statements.for_each(|one| one.abort());
    assert_eq!(failures(&database, "SELECT 1").await, 0);
    // And the server works on none of them any more, once the last has had its time.
    let busy = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND query LIKE '%pg_sleep(60)%'
                AND state = 'active' AND pid <> pg_backend_pid()";
    while postgres.psql(&url, busy) != "0" {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A way to the server that can fall silent: what is connected then stays so,
/// and nothing comes any more.
struct Way {
    port: u16,
    silence: Arc<watch::Sender<u32>>,
}

impl Way {
    async fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let way = Self {
            port: listener.local_addr().unwrap().port(),
            silence: Arc::new(watch::Sender::new(0)),
        };
        let silence = way.silence.clone();
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.unwrap();
                let mut silence = silence.subscribe();
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => {}
                        _ = silence.changed() => std::future::pending().await,
                    }
                });
            }
        });
        way
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_fall_silent_are_replaced_all_of_them() {
    let postgres = PrivatePostgres::shared();
    let url = postgres.create_database("silent");
    let way = Way::to(postgres.port()).await;
    let port = |port| format!(":{port}/");
    let database = open(&url.replace(&port(postgres.port()), &port(way.port))).await;
    for _ in 0..3 {
        assert_eq!(failures(&database, "SELECT pg_sleep(0.005)").await, 0);
        let load = database.clone();
        let load = tokio::spawn(async move { failures(&load, "SELECT pg_sleep(0.005)").await });
        tokio::time::sleep(Duration::from_millis(10)).await;
        way.silence.send_modify(|count| *count += 1);
        // Each may fail, in its time.
        load.await.unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    // Sixteen at once are sixteen at once again.
    let begun = Instant::now();
    let sleeps: Vec<_> = (0..16)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move { database.read("SELECT pg_sleep(2)", &[]).await })
        })
        .collect();
    for sleep in sleeps {
        sleep.await.unwrap().unwrap();
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_millis(3_900), "{took:?}: not at once");
}

/// Locks the table until there is a row in `go`.
const LOCK: &str = "
    BEGIN ISOLATION LEVEL READ COMMITTED;
    LOCK TABLE marks IN ACCESS EXCLUSIVE MODE;
    DO $$ BEGIN
        WHILE NOT EXISTS (SELECT FROM go) LOOP PERFORM pg_sleep(0.02); END LOOP;
    END $$;
    COMMIT";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_too_many_is_told_at_once_and_the_admitted_are_answered() {
    const ADMITTED: usize = 5_000 + 16;
    const TOO_MANY: usize = 500;
    let postgres = PrivatePostgres::shared();
    let url = postgres.create_database("overload");
    let database = open(&url).await;
    postgres.psql(&url, "CREATE TABLE go (at int)");
    let locked = url.clone();
    let locking = std::thread::spawn(move || postgres.psql(&locked, LOCK));
    let held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted
                AND relation = 'marks'::regclass";
    while postgres.psql(&url, held) != "1" {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let reading = || {
        let database = database.clone();
        tokio::spawn(async move { database.read("SELECT mark FROM marks", &[]).await.err() })
    };
    let admitted: Vec<_> = (0..ADMITTED).map(|_| reading()).collect();
    // All of them have come; none can have gone.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let too_many: Vec<_> = (0..TOO_MANY).map(|_| reading()).collect();
    for one in too_many {
        let refused = one.await.unwrap();
        assert!(matches!(refused, Some(Error::Overloaded)), "{refused:?}");
    }
    assert!(!admitted.iter().any(tokio::task::JoinHandle::is_finished));
    postgres.psql(&url, "INSERT INTO go VALUES (1)");
    for one in admitted {
        let refused = one.await.unwrap();
        assert!(refused.is_none(), "{refused:?}");
    }
    locking.join().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_with_much_to_do_is_there() {
    let postgres = PrivatePostgres::shared();
    let database = open(&postgres.create_database("busy")).await;
    let statements: Vec<_> = (0..1_000)
        .map(|_| {
            let database = database.clone();
            tokio::spawn(async move { database.read("SELECT pg_sleep(1)", &[]).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _ in 0..3 {
        let asked = timeout(Duration::from_secs(1), database.ping());
        asked.await.unwrap().unwrap();
    }
    for statement in &statements {
        statement.abort();
    }
}

/// Writes a mark and then takes its time.
struct Slow;

#[async_trait]
impl Work for Slow {
    type Output = ();

    const REPEAT: Repeat = Repeat::Never;

    async fn run(&self, transaction: &mut Transaction) -> Result<(), Error> {
        let sql = "INSERT INTO marks VALUES ('half done', 0)";
        transaction.run(sql, &[]).await?;
        transaction.run("SELECT pg_sleep(0.5)", &[]).await?;
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_goes_away_in_the_middle_leaves_nothing_half_done() {
    let postgres = PrivatePostgres::shared();
    let database = open(&postgres.create_database("gone_away")).await;
    for _ in 0..MANY {
        let work = async { database.transaction(&Slow).await };
        // While the insert is under way, or the sleep.
        let _ = timeout(Duration::from_millis(5), work).await;
    }
    assert_eq!(failures(&database, "SELECT 1").await, 0);
    let rows = database.read("SELECT mark FROM marks", &[]).await.unwrap();
    assert!(rows.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_is_gone_callers_are_told_soon() {
    let postgres = PrivatePostgres::start();
    let database = open(&postgres.create_database("gone")).await;
    postgres.kill();
    // Whoever comes first waits for a connection.
    assert!(database.read("SELECT 1", &[]).await.is_err());
    let begun = Instant::now();
    for _ in 0..3 {
        assert_eq!(failures(&database, "SELECT 1").await, MANY);
    }
    // 120 callers that each waited for a connection, 16 at a time, would take 16 s.
    assert!(begun.elapsed() < Duration::from_secs(8), "{begun:?}");
    postgres.start_again();
    timeout(PATIENCE, database.ready()).await.unwrap();
    assert_eq!(failures(&database, "SELECT 1").await, 0);
}

/// Opens the database eight times at once; how many steps it has seen.
async fn open_together(postgres: &PrivatePostgres, url: &str) -> String {
    let replicas: Vec<_> = (0..8)
        .map(|_| {
            let url = url.to_owned();
            tokio::spawn(async move { open(&url).await })
        })
        .collect();
    for replica in replicas {
        replica.await.unwrap();
    }
    postgres.psql(url, "SELECT count(*) FROM _sqlx_migrations WHERE success")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_start_together_migrate_once() {
    let postgres = PrivatePostgres::shared();
    let url = postgres.create_database("together");
    assert_eq!(open_together(postgres, &url).await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_without_advisory_locks_is_migrated_too() {
    let postgres = PrivatePostgres::start_with(&["allow_system_table_mods = on"]);
    let url = postgres.create_database("unlocked");
    postgres.psql(
        &url,
        "ALTER FUNCTION pg_advisory_lock(bigint) RENAME TO gone",
    );
    assert_eq!(open_together(&postgres, &url).await, "1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_of_a_later_version_do_not_stop_an_earlier_one() {
    let postgres = PrivatePostgres::shared();
    let url = postgres.create_database("later");
    open(&url).await;
    let later = "INSERT INTO _sqlx_migrations VALUES (2, 'later', now(), true, '', 0)";
    postgres.psql(&url, later);
    open(&url).await;
}
