//! Transactions, and their repetition when another one came in between.

use std::time::Duration;

use async_trait::async_trait;
use kit::backoff::jittered;
use sqlx::{Postgres, Sqlite};

use crate::{
    Error, Row, Value,
    engine::{postgres_rows, sqlite_rows},
};

/// How often work is begun at the most.
const ATTEMPTS: u32 = 12;

/// A transaction of either engine. Dropped without a commit, it is undone.
pub enum Transaction {
    /// On PostgreSQL.
    Postgres(sqlx::Transaction<'static, Postgres>),
    /// On SQLite.
    Sqlite(sqlx::Transaction<'static, Sqlite>),
}

impl Transaction {
    /// Runs a statement; its rows.
    pub async fn run(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, Error> {
        match self {
            Self::Postgres(transaction) => postgres_rows(&mut **transaction, sql, values).await,
            Self::Sqlite(transaction) => sqlite_rows(&mut **transaction, sql, values).await,
        }
    }

    pub(crate) async fn commit(self) -> Result<(), Error> {
        match self {
            Self::Postgres(transaction) => transaction.commit().await?,
            Self::Sqlite(transaction) => transaction.commit().await?,
        }
        Ok(())
    }
}

/// The statements of a transaction.
#[async_trait]
pub trait Work: Sync {
    /// What comes of it.
    type Output: Send;

    /// Runs the statements.
    async fn run(&self, transaction: &mut Transaction) -> Result<Self::Output, Error>;
}

/// Counts how often work was begun.
///
/// A database at isolation SERIALIZABLE turns transactions back and expects
/// them to be repeated.
pub(crate) struct Attempts(u32);

impl Attempts {
    pub(crate) fn first() -> Self {
        Self(1)
    }

    /// After a conflict, waits a little for the next attempt; any other error,
    /// or one conflict too many, is passed on.
    pub(crate) async fn after(&mut self, error: Error) -> Result<(), Error> {
        let Error::Conflict(conflict) = &error else {
            return Err(error);
        };
        if self.0 >= ATTEMPTS {
            return Err(error);
        }
        tracing::debug!(error = %conflict, attempt = self.0, "repeating a transaction");
        tokio::time::sleep(pause(self.0)).await;
        self.0 += 1;
        Ok(())
    }
}

/// 2 to 4 ms at first, doubled each time up to 128 to 256.
fn pause(attempt: u32) -> Duration {
    jittered(Duration::from_millis(1 << attempt.min(7)))
}
