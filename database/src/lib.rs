//! One SQL text on two engines.
//!
//! A store writes each statement once, in the subset that PostgreSQL and
//! SQLite share (`$1` parameters, `ON CONFLICT`, `RETURNING`; the types uuid,
//! text, boolean, bigint and bytea; times as Unix milliseconds), and runs it
//! through [`Database`]. Only this crate knows which engine answers: it opens
//! it, migrates it, and repeats a transaction that a serializable database
//! turned back.

pub mod backup;
mod engine;
mod error;
mod migrations;
mod row;
mod transaction;
mod url;
mod value;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use engine::Engine;
use transaction::Attempts;

pub use error::Error;
pub use migrations::Migrations;
pub use row::Row;
pub use transaction::{Transaction, Work};
pub use url::DatabaseUrl;
pub use value::Value;

/// How often [`Database::ready`] looks.
const READY_POLL: Duration = Duration::from_millis(20);
/// How long the end waits for statements under way.
const CLOSE: Duration = Duration::from_secs(1);

/// A database of one service.
pub struct Database {
    engine: Engine,
    migrated: AtomicBool,
}

impl Database {
    /// Opens it and brings its tables up to date.
    ///
    /// A SQLite file is opened and migrated before this returns. PostgreSQL
    /// may not be there yet: it is migrated as soon as it is, and until then
    /// every call is [`Error::NotMigrated`].
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
            migrated: AtomicBool::new(false),
        });
        match &database.engine {
            Engine::Sqlite { writer, .. } => {
                migrations.run(writer).await?;
                database.migrated.store(true, Ordering::Release);
            }
            Engine::Postgres(_) => {
                let waiting = database.clone();
                tokio::spawn(async move { waiting.migrate_when_there(migrations, stop).await });
            }
        }
        Ok(database)
    }

    async fn migrate_when_there(&self, migrations: &Migrations, stop: CancellationToken) {
        let Engine::Postgres(pool) = &self.engine else {
            return;
        };
        let mut told = false;
        while let Err(error) = migrations.run(pool).await {
            if !told {
                tracing::warn!(error = format!("{error:#}"), "waiting for the database");
                told = true;
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(migrations::RETRY) => {}
            }
        }
        self.migrated.store(true, Ordering::Release);
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
        let closing = async {
            match &self.engine {
                Engine::Postgres(pool) => pool.close().await,
                Engine::Sqlite { writer, reader } => {
                    reader.close().await;
                    writer.close().await;
                }
            }
        };
        if tokio::time::timeout(CLOSE, closing).await.is_err() {
            tracing::warn!("a statement is still under way and is cut off");
        }
    }

    fn engine(&self) -> Result<&Engine, Error> {
        if self.migrated.load(Ordering::Acquire) {
            Ok(&self.engine)
        } else {
            Err(Error::NotMigrated)
        }
    }

    /// Runs one statement that only reads; its rows.
    pub async fn read(&self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, Error> {
        let mut attempts = Attempts::first();
        loop {
            match self.engine()?.read(sql, values).await {
                Ok(rows) => return Ok(rows),
                Err(error) => attempts.after(error).await?,
            }
        }
    }

    /// Runs one statement that writes, as its own transaction; the rows of its
    /// `RETURNING`.
    pub async fn write(&self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, Error> {
        let mut attempts = Attempts::first();
        loop {
            match self.engine()?.write(sql, values).await {
                Ok(rows) => return Ok(rows),
                Err(error) => attempts.after(error).await?,
            }
        }
    }

    /// Runs `work` in a transaction: all of it is written, or nothing. It may
    /// be run more than once, so it must do nothing but use the transaction.
    pub async fn transaction<W: Work>(&self, work: &W) -> Result<W::Output, Error> {
        let mut attempts = Attempts::first();
        loop {
            match self.attempt(work).await {
                Ok(output) => return Ok(output),
                Err(error) => attempts.after(error).await?,
            }
        }
    }

    async fn attempt<W: Work>(&self, work: &W) -> Result<W::Output, Error> {
        let mut transaction = self.engine()?.begin().await?;
        let output = work.run(&mut transaction).await?;
        transaction.commit().await?;
        Ok(output)
    }
}

#[async_trait]
impl kit::health::Dependency for Database {
    async fn ping(&self) -> anyhow::Result<()> {
        self.read("SELECT 1", &[]).await?;
        Ok(())
    }
}
