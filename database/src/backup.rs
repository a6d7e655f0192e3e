//! Copies of SQLite databases that somebody may be writing to.

use std::{path::Path, pin::pin, time::Duration};

use anyhow::Context as _;
use sqlx::{
    ConnectOptions as _, Connection as _, Row as _, SqliteConnection, sqlite::SqliteConnectOptions,
};

/// How long a copy waits for the writer that is at work.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// The page cache of a check, in the unit of SQLite's `cache_size` (KiB,
/// negative). Each row is looked up in every index, at random places.
const CHECK_CACHE: &str = "-65536";
/// How often to look whether the copies have begun.
const POLL: Duration = Duration::from_millis(1);

/// A SQLite file, and the file that its copy goes to.
pub struct Copy<'a> {
    /// The database; it may be in use.
    pub from: &'a Path,
    /// An empty file, or none.
    pub to: &'a Path,
}

impl Copy<'_> {
    /// Writes one whole file, without a write-ahead log: the database as it
    /// was at one moment. Others may write meanwhile.
    async fn make(&self) -> anyhow::Result<()> {
        let to = self.to.to_str().context("a path that is not UTF-8")?;
        let mut connection = open(self.from).await?;
        sqlx::query("VACUUM INTO $1")
            .bind(to)
            .execute(&mut connection)
            .await
            .with_context(|| format!("cannot copy {}", self.from.display()))?;
        connection.close().await?;
        check(self.to).await
    }

    /// Whether the moment is fixed. SQLite begins to read before it has
    /// anything to write.
    fn has_begun(&self) -> bool {
        std::fs::metadata(self.to).is_ok_and(|file| file.len() > 0)
    }
}

/// Copies two databases, so that nothing is written to the first between the
/// moment that its copy shows and the moment that the second's shows. Both
/// copies are checked.
///
/// Writers of the first wait as long as it takes to begin: some milliseconds,
/// whatever the size.
///
/// # Errors
/// When a database cannot be read, is damaged, or is kept locked for 30 s.
pub async fn copy_both(first: Copy<'_>, second: Copy<'_>) -> anyhow::Result<()> {
    let mut holder = open(first.from).await?;
    let held = holder
        .begin_with("BEGIN IMMEDIATE")
        .await
        .with_context(|| format!("cannot hold {}", first.from.display()))?;
    let mut copies = pin!(async { tokio::try_join!(first.make(), second.make()) });
    let begun = async {
        while !(first.has_begun() && second.has_begun()) {
            tokio::time::sleep(POLL).await;
        }
    };
    let made = tokio::select! {
        made = &mut copies => Some(made),
        () = begun => None,
    };
    held.rollback().await?;
    match made {
        Some(made) => made?,
        None => copies.await?,
    };
    holder.close().await?;
    Ok(())
}

/// Looks through a SQLite file for damage.
///
/// # Errors
/// When it is damaged or cannot be read.
pub async fn check(path: &Path) -> anyhow::Result<()> {
    let damaged = || format!("{} is damaged", path.display());
    let mut connection = connect(options(path).pragma("cache_size", CHECK_CACHE)).await?;
    let row = sqlx::query("PRAGMA integrity_check(1)")
        .fetch_one(&mut connection)
        .await
        .with_context(damaged)?;
    let said: String = row.try_get(0)?;
    if said != "ok" {
        return Err(anyhow::anyhow!(said)).with_context(damaged);
    }
    connection.close().await?;
    Ok(())
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        // A copy takes its time, which is nothing to warn of.
        .disable_statement_logging()
}

async fn open(path: &Path) -> anyhow::Result<SqliteConnection> {
    connect(options(path)).await
}

async fn connect(options: SqliteConnectOptions) -> anyhow::Result<SqliteConnection> {
    let connection = options.connect().await;
    connection.with_context(|| format!("cannot open {}", options.get_filename().display()))
}

#[cfg(test)]
mod tests {
    use sqlx::SqlitePool;

    use super::*;

    /// A database with a table of numbers and some megabytes of ballast, so
    /// that a copy takes a while.
    async fn numbers(path: &Path) -> SqlitePool {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePool::connect_with(options).await.unwrap();
        for sql in [
            "CREATE TABLE ballast (bytes blob)",
            "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 8000)
             INSERT INTO ballast SELECT randomblob(2000) FROM n",
            "CREATE TABLE numbers (number integer PRIMARY KEY)",
        ] {
            sqlx::query(sql).execute(&pool).await.unwrap();
        }
        pool
    }

    async fn newest(path: &Path) -> i64 {
        let mut copy = open(path).await.unwrap();
        let sql = "SELECT COALESCE(MAX(number), 0) FROM numbers";
        let row = sqlx::query(sql).fetch_one(&mut copy).await.unwrap();
        row.try_get(0).unwrap()
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_written_to_the_first_between_the_two_moments() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let (first, second) = (path("first.db"), path("second.db"));
        let pools = (numbers(&first).await, numbers(&second).await);
        let written = std::sync::Arc::new(std::sync::atomic::AtomicI64::new(0));
        let count = written.clone();
        let writer = tokio::spawn(async move {
            loop {
                let number = count.load(std::sync::atomic::Ordering::SeqCst) + 1;
                for pool in [&pools.0, &pools.1] {
                    let sql = "INSERT INTO numbers VALUES ($1)";
                    sqlx::query(sql).bind(number).execute(pool).await.unwrap();
                }
                count.store(number, std::sync::atomic::Ordering::SeqCst);
            }
        });
        for round in 0..3 {
            let before = written.load(std::sync::atomic::Ordering::SeqCst);
            let targets = [path(&format!("1-{round}")), path(&format!("2-{round}"))];
            let [from, to] = [&first, &targets[0]];
            let leading = Copy { from, to };
            let [from, to] = [&second, &targets[1]];
            copy_both(leading, Copy { from, to }).await.unwrap();
            let after = written.load(std::sync::atomic::Ordering::SeqCst);
            let (ahead, behind) = (newest(&targets[0]).await, newest(&targets[1]).await);
            assert!(before <= behind, "{before} was there, {behind} is copied");
            assert!(
                behind == ahead || behind + 1 == ahead,
                "{ahead} and {behind}"
            );
            assert!(
                ahead < after,
                "writers go on during the copy: {ahead}, {after}"
            );
        }
        writer.abort();
    }

    #[tokio::test]
    async fn damage_and_absence_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        assert!(check(&path).await.is_err(), "it is not there");
        assert!(!path.exists(), "and it is not made");
        numbers(&path).await.close().await;
        check(&path).await.unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let page = bytes.len() - 3 * 4096;
        bytes[page..page + 4096].fill(7);
        std::fs::write(&path, bytes).unwrap();
        let told = format!("{:#}", check(&path).await.unwrap_err());
        assert!(told.contains("x.db is damaged"), "{told}");
    }
}
