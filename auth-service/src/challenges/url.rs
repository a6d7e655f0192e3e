//! The setting that names a challenge store.

use std::{fmt, str::FromStr, sync::Arc};

use super::{memory::MemoryChallenges, redis::RedisChallenges, store::ChallengeStore};

/// `redis://`, `rediss://` (TLS) or `memory://`. A password does not show in
/// `Debug`.
#[derive(Clone)]
pub enum ChallengeStoreUrl {
    /// In this process: lost when it ends, and not seen by another one.
    Memory,
    /// A Redis server.
    Redis(Box<::redis::ConnectionInfo>),
}

impl fmt::Debug for ChallengeStoreUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => formatter.write_str("memory://"),
            Self::Redis(info) => write!(formatter, "redis://{}", info.addr()),
        }
    }
}

impl FromStr for ChallengeStoreUrl {
    type Err = &'static str;

    /// Never repeats the value: it may hold a password.
    fn from_str(url: &str) -> Result<Self, Self::Err> {
        const WANTED: &str =
            "expected redis://:password@host:port/db, rediss://… (with TLS) or memory://";
        if url == "memory://" {
            return Ok(Self::Memory);
        }
        if !url.starts_with("redis://") && !url.starts_with("rediss://") {
            return Err(WANTED);
        }
        let info = ::redis::IntoConnectionInfo::into_connection_info(url).map_err(|_| WANTED)?;
        Ok(Self::Redis(Box::new(info)))
    }
}

/// Opens the store. Redis may not be there yet: it is connected to when it is
/// needed.
///
/// # Errors
/// When the URL cannot be used.
pub fn open(url: &ChallengeStoreUrl) -> anyhow::Result<Arc<dyn ChallengeStore>> {
    Ok(match url {
        ChallengeStoreUrl::Memory => Arc::new(MemoryChallenges::default()),
        ChallengeStoreUrl::Redis(info) => Arc::new(RedisChallenges::open(info)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_its_store_and_hides_its_password() {
        let url: ChallengeStoreUrl = "redis://:hunter2@cache:6379/1".parse().unwrap();
        assert_eq!(format!("{url:?}"), "redis://cache:6379");
        assert!(matches!("memory://".parse(), Ok(ChallengeStoreUrl::Memory)));
        assert!("rediss://cache".parse::<ChallengeStoreUrl>().is_ok());
        for bad in ["", "cache:6379", "http://cache", "redis://"] {
            assert!(bad.parse::<ChallengeStoreUrl>().is_err(), "{bad}");
        }
    }
}
