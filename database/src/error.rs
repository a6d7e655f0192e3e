//! What can go wrong with a statement.

/// A statement failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A unique index refused the row.
    #[error("a unique index refused the row")]
    UniqueViolation,
    /// Another transaction came in between; the work may be repeated.
    #[error("another transaction came in between")]
    Conflict(#[source] sqlx::Error),
    /// The tables are not there yet: see [`crate::Database::open`].
    #[error("the database was not reached yet")]
    NotMigrated,
    /// The database cannot be used now.
    #[error("the database cannot be used: {0}")]
    Unavailable(#[source] sqlx::Error),
}

/// PostgreSQL: serialization failure and deadlock. SQLite: the file is locked,
/// plainly or because a snapshot is old.
const CONFLICTS: [&str; 4] = ["40001", "40P01", "5", "517"];

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let Some(told) = error.as_database_error() else {
            return Self::Unavailable(error);
        };
        if told.is_unique_violation() {
            return Self::UniqueViolation;
        }
        if told.code().is_some_and(|code| CONFLICTS.contains(&&*code)) {
            return Self::Conflict(error);
        }
        Self::Unavailable(error)
    }
}
