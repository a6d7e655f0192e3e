//! The tables' history, one folder for both engines.

use std::{borrow::Cow, time::Duration};

use sqlx::{
    SqlSafeStr as _,
    migrate::{Migration, MigrationType, Migrator},
};

/// How soon to look again for a database that was not there.
pub(crate) const RETRY: Duration = Duration::from_secs(1);

/// Numbered steps, each with a name and its SQL. A step that was released is
/// never changed: a database remembers its checksum.
pub struct Migrations(pub &'static [(i64, &'static str, &'static str)]);

impl Migrations {
    /// Runs the steps that a database has not seen, each in a transaction. On
    /// PostgreSQL an advisory lock makes replicas that start together wait for
    /// each other.
    pub(crate) async fn run<'a, A>(&self, database: A) -> anyhow::Result<()>
    where
        A: sqlx::Acquire<'a>,
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
        let migrator = Migrator::with_migrations(self.0.iter().map(step).collect());
        migrator.run(database).await?;
        Ok(())
    }
}
