//! The tables' history, one folder for both engines.

use std::{borrow::Cow, time::Duration};

use sqlx::{
    PgPool, SqlSafeStr as _,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
};

/// How long the steps may take.
const DONE_WITHIN: Duration = Duration::from_secs(3600);
/// How soon to look again for a database that was not there.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// Numbered steps, each with a name and its SQL. A step that was released is
/// never changed: a database remembers its checksum.
pub struct Migrations(pub &'static [(i64, &'static str, &'static str)]);

/// PostgreSQL's codes for a function that is not there, and for a feature: some
/// databases that are like it have no advisory locks.
const NO_SUCH_THING: [&str; 2] = ["42883", "0A000"];

impl Migrations {
    /// The same, given up some day: a server that has gone without a word while
    /// it was waited for never answers.
    pub(crate) async fn run_in_time(&self, pool: &PgPool) -> anyhow::Result<()> {
        tokio::time::timeout(DONE_WITHIN, self.run(pool)).await?
    }

    /// Runs the steps that a database has not seen, each in a transaction.
    ///
    /// On PostgreSQL an advisory lock makes replicas that start together wait
    /// for each other. Where there is none, the transaction of a step makes one
    /// of them succeed; the others find it done when they come again.
    ///
    /// Steps of a later version are no hindrance: they only add, and the old
    /// version goes on while it is replaced.
    pub(crate) async fn run<'a, A>(&self, database: A) -> anyhow::Result<()>
    where
        A: sqlx::Acquire<'a> + Copy,
        <A::Connection as std::ops::Deref>::Target: sqlx::migrate::Migrate,
    {
        let step = |&(version, name, sql): &(i64, &'static str, &'static str)| {
            let kind = MigrationType::Simple;
            Migration::new(
                version,
                Cow::Borrowed(name),
                kind,
                sql.into_sql_str(),
                false,
            )
        };
        let mut migrator = Migrator::with_migrations(self.0.iter().map(step).collect());
        migrator.set_ignore_missing(true);
        match migrator.run(database).await {
            Err(error) if has_no_locks(&error) => {
                migrator.set_locking(false);
                Ok(migrator.run(database).await?)
            }
            outcome => Ok(outcome?),
        }
    }
}

fn has_no_locks(error: &MigrateError) -> bool {
    let MigrateError::Execute(sqlx::Error::Database(told)) = error else {
        return false;
    };
    let code = told.code();
    code.is_some_and(|code| NO_SUCH_THING.contains(&&*code))
}
