//! What can go wrong with a statement.

use std::{sync::Arc, time::Duration};

/// A statement failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A unique index refused the row.
    #[error("a unique index refused the row")]
    UniqueViolation,
    /// Another transaction came in between; the work may be repeated.
    #[error("another transaction came in between: {0}")]
    Conflict(#[source] Arc<sqlx::Error>),
    /// The tables are not there yet: see [`crate::Database::open`].
    #[error("the database was not reached yet")]
    NotMigrated,
    /// Too many wait for a connection: nothing was done.
    #[error("too many wait for the database")]
    Overloaded,
    /// The database was not there a moment ago: nothing was done.
    #[error("the database cannot be reached")]
    Gone,
    /// The connection broke: nobody knows whether the statement was done.
    #[error("the connection to the database broke: {0}")]
    Broken(#[source] Arc<sqlx::Error>),
    /// There was no answer in time: nobody knows whether the statement was
    /// done.
    #[error("the database did not answer within {0:?}")]
    TimedOut(Duration),
    /// The database cannot be used now.
    #[error("the database cannot be used: {0}")]
    Unavailable(#[source] Arc<sqlx::Error>),
}

/// PostgreSQL: serialization failure and deadlock. SQLite: the file is locked,
/// plainly or because a snapshot is old.
const CONFLICTS: [&str; 4] = ["40001", "40P01", "5", "517"];

/// PostgreSQL ends, was ended, or begins; or it has become a read-only replica,
/// and the next connection may find its master.
const ENDS: [&str; 4] = ["57P01", "57P02", "57P03", "25006"];

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let Some(told) = error.as_database_error() else {
            return match error {
                sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
                    Self::Broken(error.into())
                }
                error => Self::Unavailable(error.into()),
            };
        };
        if told.is_unique_violation() {
            return Self::UniqueViolation;
        }
        match told.code().as_deref() {
            Some(code) if CONFLICTS.contains(&code) => Self::Conflict(error.into()),
            Some(code) if ENDS.contains(&code) => Self::Broken(error.into()),
            _ => Self::Unavailable(error.into()),
        }
    }
}

impl Error {
    /// Whether the connection that it came over is of no use any more.
    pub(crate) fn ends_the_connection(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::TimedOut(_))
    }

    /// Whether it may have come of one row among several, and not of the database: the
    /// others may fare better without it.
    pub(crate) fn may_be_of_one_row(&self) -> bool {
        match self {
            Self::UniqueViolation | Self::Conflict(_) => true,
            Self::Unavailable(error) => error.as_database_error().is_some(),
            Self::NotMigrated
            | Self::Overloaded
            | Self::Gone
            | Self::Broken(_)
            | Self::TimedOut(_) => false,
        }
    }
}
