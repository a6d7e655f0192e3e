//! One SQL text on two engines.
//!
//! A store writes each statement once, in the subset that PostgreSQL and
//! SQLite share (`$1` parameters, `ON CONFLICT`, `RETURNING`; the types uuid,
//! text, boolean, bigint and bytea; times as Unix milliseconds), and runs it
//! through [`Database`]. Only this crate knows which engine answers: it opens
//! it, migrates it, repeats a transaction that a serializable database turned
//! back, has callers who come at once share a statement (`batch`), and bounds the
//! wait for it: in the queue (`gate`), for a server that is not there (`presence`),
//! and for an answer (`connection`).

pub mod backup;
mod batch;
mod connection;
mod engine;
mod error;
mod figures;
mod gate;
mod kept;
mod migrations;
mod presence;
mod row;
mod transaction;
mod url;
mod value;

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use async_trait::async_trait;
use kit::metrics::Histogram;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use connection::Connection;
use engine::{Engine, Use};
use figures::Times;
use transaction::Attempts;

pub use batch::{BatchStatement, Batcher};
pub use error::Error;
pub use migrations::Migrations;
pub use row::Row;
pub use transaction::{Repeat, Transaction, Work};
pub use url::DatabaseUrl;
pub use value::Value;

/// How often [`Database::ready`] looks.
const READY_POLL: Duration = Duration::from_millis(20);
/// How long after the opening callers wait for the first connection: a service
/// that has just started refuses nobody for that.
const OPENING: Duration = Duration::from_secs(2);
/// How often the log says that the database is still not there.
const TELL_EVERY: Duration = Duration::from_secs(30);
/// How long the end waits for statements under way.
const CLOSE: Duration = Duration::from_secs(1);

/// A database of one service.
pub struct Database {
    engine: Engine,
    migrated: watch::Sender<bool>,
    opened: Instant,
    /// Not there where nobody counts.
    times: OnceLock<Times>,
}

impl Database {
    /// Opens it and brings its tables up to date.
    ///
    /// A SQLite file is opened and migrated before this returns. PostgreSQL
    /// may not be there yet: it is migrated as soon as it is, and until then
    /// every call is [`Error::NotMigrated`], after a moment's wait at first.
    ///
    /// # Errors
    /// When a SQLite file cannot be opened or migrated.
    pub async fn open(
        url: &DatabaseUrl,
        migrations: &'static Migrations,
        stop: CancellationToken,
    ) -> anyhow::Result<Arc<Self>> {
        let database = Arc::new(Self {
            engine: Engine::open(url).await?,
            migrated: watch::Sender::new(false),
            opened: Instant::now(),
            times: OnceLock::new(),
        });
        match &database.engine {
            Engine::Sqlite { writer, .. } => {
                migrations.run(&writer.pool).await?;
                database.migrated.send_replace(true);
            }
            Engine::Postgres(_) => {
                let waiting = database.clone();
                tokio::spawn(async move { waiting.migrate_when_there(migrations, stop).await });
            }
        }
        Ok(database)
    }

    async fn migrate_when_there(&self, migrations: &Migrations, stop: CancellationToken) {
        let Engine::Postgres(server) = &self.engine else {
            return;
        };
        let begun = Instant::now();
        let mut told = None;
        while let Err(error) = migrations.run_in_time(&server.migrating).await {
            if told.is_none_or(|told: Instant| told.elapsed() >= TELL_EVERY) {
                let error = format!("{error:#}");
                tracing::warn!(error, waited = ?begun.elapsed(), "waiting for the database");
                told = Some(Instant::now());
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(migrations::RETRY) => {}
            }
        }
        server.migrating.close().await;
        self.migrated.send_replace(true);
        tracing::info!("the database is ready");
    }

    /// Waits until it can be used: until it is there, and its tables are.
    pub async fn ready(&self) {
        while let Err(error) = self.read("SELECT 1", &[]).await {
            tracing::debug!(%error, "not ready yet");
            tokio::time::sleep(READY_POLL).await;
        }
    }

    /// Closes all connections, after the statements under way, for which it
    /// waits a second at the most. A SQLite file is whole by itself then: its
    /// write-ahead log is folded into it.
    pub async fn close(&self) {
        if tokio::time::timeout(CLOSE, self.engine.close())
            .await
            .is_err()
        {
            tracing::warn!("a statement is still under way and is cut off");
        }
    }

    /// Runs one statement that only reads; its rows.
    pub async fn read(&self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, Error> {
        self.timed_run(Use::Read, Repeat::Idempotent, sql, values)
            .await
    }

    /// Runs one statement that writes, as its own transaction; the rows of its
    /// `RETURNING`.
    pub async fn write(&self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, Error> {
        self.timed_run(Use::Write, Repeat::Never, sql, values).await
    }

    /// The same for a statement that leaves and answers the same when it is run
    /// twice: it is run again when the connection broke.
    pub async fn write_idempotent(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, Error> {
        self.timed_run(Use::Write, Repeat::Idempotent, sql, values)
            .await
    }

    /// Runs a statement by itself, and counts the time that it takes.
    async fn timed_run(
        &self,
        purpose: Use,
        repeat: Repeat,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, Error> {
        let rows = self.run(purpose, repeat, sql, values);
        self.timed(|times| times.of(purpose), rows).await
    }

    /// The same without counting: [`batch`] counts the time of each of its callers.
    async fn run(
        &self,
        purpose: Use,
        repeat: Repeat,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, Error> {
        let mut attempts = Attempts::first(repeat);
        loop {
            let outcome = async { self.connection(purpose).await?.run(sql, values).await };
            match outcome.await {
                Ok(rows) => return Ok(rows),
                Err(error) => attempts.after(error).await?,
            }
        }
    }

    /// Runs `work` in a transaction: all of it is written, or nothing. It may
    /// be run more than once, so it must do nothing but use the transaction.
    pub async fn transaction<W: Work>(&self, work: &W) -> Result<W::Output, Error> {
        let output = async {
            let mut attempts = Attempts::first(W::REPEAT);
            loop {
                match self.attempt(work).await {
                    Ok(output) => return Ok(output),
                    Err(error) => attempts.after(error).await?,
                }
            }
        };
        self.timed(Times::of_transactions, output).await
    }

    /// Does some work, and counts its time where times are counted.
    async fn timed<T>(
        &self,
        kind: impl FnOnce(&Times) -> &Histogram,
        work: impl Future<Output = T>,
    ) -> T {
        let begun = Instant::now();
        let output = work.await;
        if let Some(times) = self.times.get() {
            kind(times).observe(begun.elapsed().as_secs_f64());
        }
        output
    }

    async fn attempt<W: Work>(&self, work: &W) -> Result<W::Output, Error> {
        let mut connection = self.connection(Use::Write).await?;
        connection.begin().await?;
        let mut transaction = Transaction(connection);
        let outcome = work.run(&mut transaction).await;
        let Transaction(mut connection) = transaction;
        match outcome {
            Ok(output) => connection.commit().await.map(|()| output),
            Err(error) => {
                connection.rollback().await;
                Err(error)
            }
        }
    }

    async fn connection(&self, purpose: Use) -> Result<Connection, Error> {
        if !*self.migrated.borrow() {
            let mut migrated = self.migrated.subscribe();
            let opening = self.opened + OPENING;
            let ready = tokio::time::timeout_at(opening, migrated.wait_for(|ready| *ready)).await;
            ready.map_err(|_| Error::NotMigrated)?.ok();
        }
        self.engine.connection(purpose).await
    }
}

#[async_trait]
impl kit::health::Dependency for Database {
    async fn ping(&self) -> anyhow::Result<()> {
        if !*self.migrated.borrow() {
            return Err(Error::NotMigrated.into());
        }
        Ok(self.engine.ping().await?)
    }
}
