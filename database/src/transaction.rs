//! Transactions, and the repetition of what did not go through.

use std::time::Duration;

use async_trait::async_trait;
use kit::backoff::jittered;

use crate::{Error, Row, Value, connection::Connection};

/// How often work is begun at the most.
const ATTEMPTS: u32 = 12;

/// A transaction of either engine. Dropped without a commit, it is undone.
pub struct Transaction(pub(crate) Connection);

impl Transaction {
    /// Runs a statement; its rows.
    pub async fn run(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, Error> {
        self.0.run(sql, values).await
    }
}

/// What may be done again when a connection broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Nothing: it may have been done, and once more would be once too often.
    Never,
    /// All of it: done twice, it leaves and answers the same.
    Idempotent,
}

/// The statements of a transaction.
#[async_trait]
pub trait Work: Sync {
    /// What comes of it.
    type Output: Send;

    /// Whether it may be run again when nobody knows whether it was written.
    const REPEAT: Repeat;

    /// Runs the statements.
    async fn run(&self, transaction: &mut Transaction) -> Result<Self::Output, Error>;
}

/// Counts how often work was begun.
///
/// A database at isolation SERIALIZABLE turns transactions back and expects
/// them to be repeated. A connection that broke is another matter: what may be
/// done twice is done once more.
pub(crate) struct Attempts {
    begun: u32,
    repeat: Repeat,
}

impl Attempts {
    pub(crate) fn first(repeat: Repeat) -> Self {
        Self { begun: 1, repeat }
    }

    /// After a conflict or a break, waits a little for the next attempt; any
    /// other error, or one too many, is passed on.
    pub(crate) async fn after(&mut self, error: Error) -> Result<(), Error> {
        match &error {
            Error::Conflict(_) if self.begun < ATTEMPTS => {}
            Error::Broken(_) if self.repeat == Repeat::Idempotent => self.repeat = Repeat::Never,
            _ => return Err(error),
        }
        tracing::debug!(%error, attempt = self.begun, "repeating");
        tokio::time::sleep(pause(self.begun)).await;
        self.begun += 1;
        Ok(())
    }
}

/// 2 to 4 ms at first, doubled each time up to 128 to 256.
fn pause(attempt: u32) -> Duration {
    jittered(Duration::from_millis(1 << attempt.min(7)))
}
