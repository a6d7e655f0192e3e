//! The two engines, and how each is opened.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use sqlx::{
    Connection as _, PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{Error, Row, Transaction, Value, row::Inner, url::DatabaseUrl, value::bind};

/// How long a statement waits for a connection before the database counts as
/// unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections to PostgreSQL, per process.
const CONNECTIONS: u32 = 16;
/// A connection that was idle this long is asked whether it still lives before
/// it is used; asking every time would double the round trips.
const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// How long a SQLite write waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// SQLite connections that only read. There is one that writes.
const READERS: u32 = 4;

pub(crate) enum Engine {
    Postgres(PgPool),
    Sqlite {
        writer: SqlitePool,
        reader: SqlitePool,
    },
}

impl Engine {
    pub(crate) async fn open(url: &DatabaseUrl) -> anyhow::Result<Self> {
        match url {
            DatabaseUrl::Postgres(options) => Ok(Self::Postgres(postgres(options))),
            DatabaseUrl::Sqlite(path) => sqlite(path)
                .await
                .with_context(|| format!("cannot open {}", path.display())),
        }
    }

    pub(crate) async fn read(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, Error> {
        match self {
            Self::Postgres(pool) => postgres_rows(pool, sql, values).await,
            Self::Sqlite { reader, .. } => sqlite_rows(reader, sql, values).await,
        }
    }

    pub(crate) async fn write(
        &self,
        sql: &'static str,
        values: &[Value],
    ) -> Result<Vec<Row>, Error> {
        match self {
            Self::Postgres(pool) => postgres_rows(pool, sql, values).await,
            Self::Sqlite { writer, .. } => sqlite_rows(writer, sql, values).await,
        }
    }

    pub(crate) async fn begin(&self) -> Result<Transaction, Error> {
        Ok(match self {
            Self::Postgres(pool) => Transaction::Postgres(pool.begin().await?),
            // A deferred BEGIN that reads first and writes later is refused
            // ("database is locked") when somebody else wrote in between.
            Self::Sqlite { writer, .. } => {
                Transaction::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?)
            }
        })
    }
}

fn postgres(options: &PgConnectOptions) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .before_acquire(|connection, about| {
            Box::pin(async move {
                if about.idle_for > TRUSTED_IDLE {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .connect_lazy_with(options.clone().application_name("customauth"))
}

async fn sqlite(path: &Path) -> anyhow::Result<Engine> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An acknowledged commit survives a power cut.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY_TIMEOUT)
        // What was erased is not left in free pages.
        .pragma("secure_delete", "ON")
        .foreign_keys(true);
    let pool = |connections| {
        SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(BUSY_TIMEOUT)
            .test_before_acquire(false)
            // A connection costs a thread and its page cache, not a server.
            .idle_timeout(None)
            .max_lifetime(None)
    };
    // When the disk is full, SQLite undoes a transaction by itself; sqlx does not
    // hear of it and would refuse to begin another one on this connection.
    let writer = pool(1).after_release(|connection, _| {
        Box::pin(async move {
            // Answered after the rollback that the transaction's end has asked for.
            connection.ping().await?;
            Ok(!connection.is_in_transaction())
        })
    });
    let writer = writer.connect_with(options.clone()).await?;
    let reader = pool(READERS)
        .connect_with(options.create_if_missing(false).read_only(true))
        .await?;
    Ok(Engine::Sqlite { writer, reader })
}

pub(crate) async fn postgres_rows<'e>(
    executor: impl sqlx::PgExecutor<'e>,
    sql: &'static str,
    values: &[Value],
) -> Result<Vec<Row>, Error> {
    let rows = bind!(sqlx::query(sql), values).fetch_all(executor).await?;
    Ok(rows
        .into_iter()
        .map(|row| Row(Inner::Postgres(row)))
        .collect())
}

pub(crate) async fn sqlite_rows<'e>(
    executor: impl sqlx::SqliteExecutor<'e>,
    sql: &'static str,
    values: &[Value],
) -> Result<Vec<Row>, Error> {
    let rows = bind!(sqlx::query(sql), values).fetch_all(executor).await?;
    Ok(rows
        .into_iter()
        .map(|row| Row(Inner::Sqlite(row)))
        .collect())
}
