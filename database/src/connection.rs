//! A connection while it is used.
//!
//! It goes back to where it came from only in good order. One that broke or does not
//! answer is closed at once, and one whose user went away in the middle (a
//! client that hung up) is tidied up first. All that is done in bounded time,
//! sqlx's own question to a connection that comes back too, and the place in
//! the queue is held till then: a pool that waits for a dead server's
//! connections would be dead itself.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use sqlx::{Connection as _, Postgres, Sqlite, pool::PoolConnection};
use tokio::runtime::Handle;

use crate::{
    Error, Row, Value,
    engine::{postgres_rows, sqlite_rows},
    gate::Pass,
    kept::{Kept, Used},
};

/// How long PostgreSQL may take to answer a statement. SQLite has no such
/// limit but its wait for locks: it is in this process.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// The same, as the server is told: it gives up before it is given up, and its
/// process does not stay behind.
pub(crate) const GIVE_UP: &str = "SET statement_timeout = 4500";
const UNDO: &str = "ROLLBACK";
/// How long the tidying up and the way back to the pool may take.
const TIDY_WITHIN: Duration = Duration::from_secs(2);

/// When a connection to a server last broke. The others may be no better: each
/// is asked once before it is used again.
#[derive(Clone, Default)]
pub(crate) struct Breaks(Arc<RwLock<Option<Instant>>>);

impl Breaks {
    /// Whether a connection has not been used since.
    pub(crate) fn suspect(&self, idle_for: Duration) -> bool {
        let last = *self.0.read().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|last| last.elapsed() <= idle_for)
    }

    fn note(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// A connection of either engine, taken from its pool.
pub(crate) struct Connection {
    /// `None` when it was closed.
    inner: Option<Inner>,
    /// A statement is under way.
    busy: bool,
    /// `BEGIN` was said.
    in_transaction: bool,
    /// `None` once tidying up has taken it over.
    pass: Option<Pass>,
    breaks: Breaks,
}

enum Inner {
    Postgres(Used, Kept),
    Sqlite(PoolConnection<Sqlite>),
}

impl Connection {
    /// Goes to `kept` when it was used.
    pub(crate) fn postgres(used: Used, kept: Kept, pass: Pass, breaks: Breaks) -> Self {
        Self::new(Inner::Postgres(used, kept), pass, breaks)
    }

    pub(crate) fn sqlite(connection: PoolConnection<Sqlite>, pass: Pass) -> Self {
        Self::new(Inner::Sqlite(connection), pass, Breaks::default())
    }

    fn new(inner: Inner, pass: Pass, breaks: Breaks) -> Self {
        Self {
            inner: Some(inner),
            busy: false,
            in_transaction: false,
            pass: Some(pass),
            breaks,
        }
    }

    /// Runs a statement; its rows.
    pub(crate) async fn run(
        &mut self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, Error> {
        let Some(inner) = &mut self.inner else {
            return Err(Error::Gone);
        };
        self.busy = true;
        let outcome = match inner {
            Inner::Postgres(it, _) => {
                in_time(postgres_rows(&mut *it.connection, sql, values)).await
            }
            Inner::Sqlite(it) => sqlite_rows(&mut **it, sql, values).await,
        };
        self.came_of_it(outcome)
    }

    pub(crate) async fn begin(&mut self) -> Result<(), Error> {
        self.in_transaction = true;
        // A deferred BEGIN that reads first and writes later is refused
        // ("database is locked") when somebody else wrote in between.
        self.say("BEGIN", "BEGIN IMMEDIATE").await
    }

    pub(crate) async fn commit(&mut self) -> Result<(), Error> {
        let outcome = self.say("COMMIT", "COMMIT").await;
        // PostgreSQL has ended the transaction in any case; SQLite has not when
        // the file is locked.
        self.in_transaction = outcome.is_err() && matches!(self.inner, Some(Inner::Sqlite(_)));
        outcome
    }

    /// Undoes what was done since `begin`. If that fails, the connection is
    /// tidied up when it is dropped.
    pub(crate) async fn rollback(&mut self) {
        if self.say(UNDO, UNDO).await.is_ok() {
            self.in_transaction = false;
        }
    }

    async fn say(&mut self, postgres: &'static str, sqlite: &'static str) -> Result<(), Error> {
        let Some(inner) = &mut self.inner else {
            return Err(Error::Gone);
        };
        self.busy = true;
        let outcome = match inner {
            Inner::Postgres(it, _) => {
                let statement = sqlx::raw_sql(postgres).execute(&mut *it.connection);
                in_time(said(statement)).await
            }
            Inner::Sqlite(it) => said(sqlx::raw_sql(sqlite).execute(&mut **it)).await,
        };
        self.came_of_it(outcome)
    }

    /// Takes note of what came of a statement; closes a connection that is of
    /// no use any more.
    fn came_of_it<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        self.busy = false;
        if let Err(error) = &outcome
            && error.ends_the_connection()
            && let Some(inner) = self.inner.take()
        {
            inner.close_at_once();
            self.breaks.note();
        }
        outcome
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let outcome = tokio::time::timeout(ANSWER_WITHIN, work).await;
    outcome.unwrap_or(Err(Error::TimedOut(ANSWER_WITHIN)))
}

async fn said<T>(statement: impl Future<Output = Result<T, sqlx::Error>>) -> Result<(), Error> {
    statement.await?;
    Ok(())
}

impl Inner {
    /// Without a word to the server, which may not be there.
    fn close_at_once(self) {
        match self {
            Self::Postgres(used, _) => drop(used.connection.detach()),
            Self::Sqlite(connection) => drop(connection.detach()),
        }
    }

    /// Leaves it as it was before its user came.
    async fn tidy_up(&mut self, busy: bool, in_transaction: bool) -> Result<(), Error> {
        match self {
            Self::Postgres(it, _) if in_transaction => {
                said(sqlx::raw_sql(UNDO).execute(&mut *it.connection)).await
            }
            Self::Sqlite(it) if in_transaction => {
                said(sqlx::raw_sql(UNDO).execute(&mut **it)).await
            }
            Self::Postgres(it, _) if busy => Ok(it.connection.ping().await?),
            Self::Sqlite(it) if busy => Ok(it.ping().await?),
            Self::Postgres(..) | Self::Sqlite(_) => Ok(()),
        }
    }

    /// Gives it back to its pool.
    async fn give_back(mut self) {
        match &mut self {
            Self::Postgres(it, _) => it.connection.return_to_pool().await,
            Self::Sqlite(it) => it.return_to_pool().await,
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let Some(mut inner) = self.inner.take() else {
            return;
        };
        let Ok(runtime) = Handle::try_current() else {
            return inner.close_at_once();
        };
        let (busy, in_transaction) = (self.busy, self.in_transaction);
        let pass = self.pass.take();
        if !busy && !in_transaction {
            match inner {
                Inner::Postgres(used, kept) if used.is_young() => {
                    let Some(used) = kept.put(used) else { return };
                    inner = Inner::Postgres(used, kept);
                }
                other => inner = other,
            }
        }
        runtime.spawn(async move {
            let tidying = inner.tidy_up(busy, in_transaction);
            match tokio::time::timeout(TIDY_WITHIN, tidying).await {
                // A way back that is not done in time is broken off, and closes it.
                Ok(Ok(())) => drop(tokio::time::timeout(TIDY_WITHIN, inner.give_back()).await),
                Ok(Err(_)) | Err(_) => inner.close_at_once(),
            }
            drop(pass);
        });
    }
}

/// Gives a connection back to its pool, in bounded time: one whose way is not done
/// by then is closed.
pub(crate) fn give_back(mut connection: PoolConnection<Postgres>) {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(async move {
            let _ = tokio::time::timeout(TIDY_WITHIN, connection.return_to_pool()).await;
        });
    }
}
