//! The setting that names a database.

use std::{fmt, path::PathBuf, str::FromStr};

use sqlx::postgres::PgConnectOptions;

/// `postgres://user:password@host:port/name` or `sqlite://path`. A password
/// does not show in `Debug`.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A PostgreSQL database.
    Postgres(Box<PgConnectOptions>),
    /// A SQLite file; made when it is not there.
    Sqlite(PathBuf),
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postgres(options) => write!(formatter, "postgres://{}", options.get_host()),
            Self::Sqlite(path) => write!(formatter, "sqlite://{}", path.display()),
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = &'static str;

    /// Never repeats the value: it may hold a password.
    fn from_str(url: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "expected postgres://user:password@host:port/name or sqlite://path";
        if let Some(path) = url.strip_prefix("sqlite://") {
            return match path {
                "" => Err(WANTED),
                path => Ok(Self::Sqlite(path.into())),
            };
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let options = url.parse().map_err(|_| WANTED)?;
            return Ok(Self::Postgres(Box::new(options)));
        }
        Err(WANTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_its_engine_and_hides_its_password() {
        let url: DatabaseUrl = "postgres://me:hunter2@db:5432/auth".parse().unwrap();
        assert_eq!(format!("{url:?}"), "postgres://db");
        let url: DatabaseUrl = "sqlite:///tmp/auth.db".parse().unwrap();
        assert_eq!(format!("{url:?}"), "sqlite:///tmp/auth.db");
        for bad in ["", "sqlite://", "mysql://me:hunter2@db/auth", "auth.db"] {
            let error = bad.parse::<DatabaseUrl>().unwrap_err();
            assert!(!error.contains("hunter2"));
        }
    }
}
