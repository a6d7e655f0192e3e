//! The two engines, and how each is opened.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use sqlx::{
    ConnectOptions as _, Connection as _, PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{
    Error, Row, Value,
    connection::{Breaks, Connection, GIVE_UP},
    figures::Pool,
    gate::{Gate, MOST_WAITING},
    kept::{Kept, TRUSTED_IDLE, Used},
    presence::Presence,
    row::Inner,
    url::DatabaseUrl,
    value::bind,
};

/// How long a connection to PostgreSQL may take to be made.
const CONNECT_WITHIN: Duration = Duration::from_secs(2);
/// Connections to PostgreSQL, per process, beside the one that is kept for the
/// question whether it is there.
const CONNECTIONS: u32 = 16;
const AND_ONE_TO_ASK: u32 = 1;
/// Lanes of one statement at the most ([`crate::Batcher`]): there are other statements.
const LANES: u32 = CONNECTIONS / 2;
/// How long a SQLite write waits for another process's lock.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// SQLite connections that only read. There is one that writes.
const READERS: u32 = 4;

/// What a connection is wanted for.
#[derive(Clone, Copy)]
pub(crate) enum Use {
    Read,
    Write,
}

pub(crate) enum Engine {
    Postgres(Box<Server>),
    Sqlite { writer: File, reader: File },
}

/// PostgreSQL.
pub(crate) struct Server {
    pool: PgPool,
    kept: Kept,
    pub(crate) migrating: PgPool,
    gate: Gate,
    presence: Presence,
    breaks: Breaks,
}

/// Connections to a SQLite file.
pub(crate) struct File {
    pub(crate) pool: SqlitePool,
    gate: Gate,
}

impl Engine {
    pub(crate) async fn open(url: &DatabaseUrl) -> anyhow::Result<Self> {
        match url {
            DatabaseUrl::Postgres(options) => Ok(Self::Postgres(Box::new(Server::new(options)))),
            DatabaseUrl::Sqlite(path) => sqlite(path)
                .await
                .with_context(|| format!("cannot open {}", path.display())),
        }
    }

    /// A connection for this purpose.
    pub(crate) async fn connection(&self, purpose: Use) -> Result<Connection, Error> {
        match (self, purpose) {
            (Self::Postgres(server), _) => server.connection().await,
            (Self::Sqlite { reader, .. }, Use::Read) => reader.connection().await,
            (Self::Sqlite { writer, .. }, Use::Write) => writer.connection().await,
        }
    }

    /// How many lanes one statement for this purpose may have.
    pub(crate) fn lanes(&self, purpose: Use) -> u32 {
        match (self, purpose) {
            (Self::Postgres(_), _) => LANES,
            (Self::Sqlite { .. }, Use::Read) => READERS,
            (Self::Sqlite { .. }, Use::Write) => 1,
        }
    }

    /// The queue in front of what is used for this purpose.
    pub(crate) fn gate(&self, purpose: Use) -> &Gate {
        match (self, purpose) {
            (Self::Postgres(server), _) => &server.gate,
            (Self::Sqlite { reader, .. }, Use::Read) => &reader.gate,
            (Self::Sqlite { writer, .. }, Use::Write) => &writer.gate,
        }
    }

    /// Asks whether it is there, past the queue: who has much to do is there.
    pub(crate) async fn ping(&self) -> Result<(), Error> {
        match self {
            Self::Postgres(server) => {
                server.presence.check()?;
                Ok(server.pool.acquire().await?.ping().await?)
            }
            Self::Sqlite { reader, .. } => Ok(reader.pool.acquire().await?.ping().await?),
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Postgres(server) => {
                server.kept.close();
                server.pool.close().await;
            }
            Self::Sqlite { writer, reader } => {
                reader.pool.close().await;
                writer.pool.close().await;
            }
        }
    }
}

impl Server {
    fn new(options: &PgConnectOptions) -> Self {
        let options = options
            .clone()
            .application_name("customauth")
            // There are no floating-point numbers here, and PgBouncer refuses a
            // client that speaks of them.
            .extra_float_digits(None)
            // Its times are counted, and it has no values to tell.
            .disable_statement_logging();
        let breaks = Breaks::default();
        let known = breaks.clone();
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS + AND_ONE_TO_ASK)
            .acquire_timeout(CONNECT_WITHIN)
            .test_before_acquire(false)
            .before_acquire(move |connection, about| {
                let test = about.idle_for > TRUSTED_IDLE || known.suspect(about.idle_for);
                Box::pin(async move {
                    if test {
                        connection.ping().await?;
                    }
                    Ok(true)
                })
            })
            .after_connect(|connection, _| {
                Box::pin(async move {
                    sqlx::raw_sql(GIVE_UP).execute(connection).await?;
                    Ok(())
                })
            })
            .connect_lazy_with(options.clone());
        // Migrations may take their time.
        let migrating = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(CONNECT_WITHIN)
            .connect_lazy_with(options.clone());
        Self {
            pool,
            kept: Kept::default(),
            migrating,
            gate: Gate::new(CONNECTIONS, MOST_WAITING),
            presence: Presence::new(options),
            breaks,
        }
    }

    pub(crate) fn state(&self) -> Pool<'_> {
        Pool {
            name: "postgres",
            gate: &self.gate,
            idle: self.pool.num_idle() + self.kept.count(),
        }
    }

    async fn connection(&self) -> Result<Connection, Error> {
        self.presence.wait_a_moment().await?;
        let pass = self.gate.enter().await?;
        // It may have gone while this one waited for its place.
        self.presence.check()?;
        let at_work =
            |used, pass| Connection::postgres(used, self.kept.clone(), pass, self.breaks.clone());
        if let Some(used) = self.kept.take(&self.breaks) {
            return Ok(at_work(used, pass));
        }
        let acquired = tokio::select! {
            acquired = self.pool.acquire() => acquired,
            () = self.presence.lost(&self.pool) => return Err(Error::Gone),
        };
        match acquired {
            Ok(connection) => Ok(at_work(Used::from_pool(connection), pass)),
            Err(error) => {
                self.presence.look(&self.pool);
                Err(Error::Unavailable(error.into()))
            }
        }
    }
}

impl File {
    pub(crate) fn state(&self, name: &'static str) -> Pool<'_> {
        Pool {
            name,
            gate: &self.gate,
            idle: self.pool.num_idle(),
        }
    }

    async fn connection(&self) -> Result<Connection, Error> {
        let pass = self.gate.enter().await?;
        let connection = self.pool.acquire().await?;
        Ok(Connection::sqlite(connection, pass))
    }
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
    let file = |pool, connections| File {
        pool,
        gate: Gate::new(connections, MOST_WAITING),
    };
    let writer = pool(1).connect_with(options.clone()).await?;
    let reader = pool(READERS + AND_ONE_TO_ASK)
        .connect_with(options.create_if_missing(false).read_only(true))
        .await?;
    Ok(Engine::Sqlite {
        writer: file(writer, 1),
        reader: file(reader, READERS),
    })
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
