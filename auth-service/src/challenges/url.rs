//! The setting that names a challenge store.

use std::{fmt, str::FromStr};

use ::redis::{ConnectionInfo, ErrorKind, IntoConnectionInfo as _, RedisResult};

/// `redis://`, `redis+cluster://`, `rediss://` and `rediss+cluster://` (TLS), or
/// `memory://`. A password does not show in `Debug`.
#[derive(Clone)]
pub enum ChallengeStoreUrl {
    /// In this process: lost when it ends, and not seen by another one.
    Memory,
    /// A Redis server.
    Redis(Box<ConnectionInfo>),
    /// A Redis Cluster, by some of its nodes; there is one at least.
    Cluster(Vec<ConnectionInfo>),
}

impl fmt::Debug for ChallengeStoreUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => formatter.write_str("memory://"),
            Self::Redis(info) => write!(formatter, "redis://{}", info.addr()),
            Self::Cluster(nodes) => {
                let nodes: Vec<String> = nodes.iter().map(|node| node.addr().to_string()).collect();
                write!(formatter, "redis+cluster://{}", nodes.join(","))
            }
        }
    }
}

impl FromStr for ChallengeStoreUrl {
    type Err = &'static str;

    /// Never repeats the value: it may hold a password.
    fn from_str(url: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "expected redis://:password@host:port/db, \
            redis+cluster://user:password@host:port,host:port, rediss://… or \
            rediss+cluster://… (with TLS), or memory://";
        if url == "memory://" {
            return Ok(Self::Memory);
        }
        let store = match url.split_once("://") {
            Some(("redis" | "rediss", _)) => {
                let info = url.into_connection_info();
                info.map(|info| Self::Redis(Box::new(info)))
            }
            Some(("redis+cluster", nodes)) => cluster("redis", nodes).map(Self::Cluster),
            Some(("rediss+cluster", nodes)) => cluster("rediss", nodes).map(Self::Cluster),
            _ => return Err(WANTED),
        };
        store.map_err(|_| WANTED)
    }
}

/// The nodes of `user:password@host:port,host:port`, each as a server of its
/// own would be named.
fn cluster(scheme: &str, nodes: &str) -> RedisResult<Vec<ConnectionInfo>> {
    let nodes = nodes.strip_suffix('/').unwrap_or(nodes);
    let (who, hosts) = match nodes.rsplit_once('@') {
        Some((who, hosts)) => (format!("{who}@"), hosts),
        None => (String::new(), nodes),
    };
    // A cluster has one database, and no other parameter is ours.
    if hosts.contains(['/', '?', '#']) {
        return Err((ErrorKind::InvalidClientConfig, "more than nodes").into());
    }
    let urls = hosts
        .split(',')
        .map(|host| format!("{scheme}://{who}{host}").into_connection_info());
    urls.collect()
}

#[cfg(test)]
mod tests {
    use ::redis::ConnectionAddr;

    use super::*;

    #[test]
    fn a_url_names_its_store_and_hides_its_password() {
        for (url, shown) in [
            ("redis://:hunter2@cache:6379/1", "redis://cache:6379"),
            ("rediss://cache", "redis://cache:6379"),
            ("memory://", "memory://"),
            ("redis+cluster://a:7000", "redis+cluster://a:7000"),
            (
                "redis+cluster://app:hunter,2@a:7000,b,[::1]:7002/",
                "redis+cluster://a:7000,b:6379,::1:7002",
            ),
            ("rediss+cluster://a,b", "redis+cluster://a:6379,b:6379"),
        ] {
            let parsed: ChallengeStoreUrl = url.parse().unwrap();
            assert_eq!(format!("{parsed:?}"), shown);
        }
    }

    #[test]
    fn every_node_of_a_cluster_has_the_same_user_and_scheme() {
        let url = "rediss+cluster://app:hunter2@a:7000,b:7001";
        let Ok(ChallengeStoreUrl::Cluster(nodes)) = url.parse() else {
            panic!("no cluster");
        };
        assert_eq!(nodes.len(), 2);
        for node in nodes {
            assert_eq!(node.redis_settings().username(), Some("app"));
            assert_eq!(node.redis_settings().password(), Some("hunter2"));
            assert!(matches!(node.addr(), ConnectionAddr::TcpTls { .. }));
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            "cache:6379",
            "http://cache",
            "redis://",
            "redis+cluster://",
            "redis+cluster:///",
            "redis+cluster://a,",
            "redis+cluster://,a",
            "redis+cluster://a:7000,b:70000",
            "redis+cluster://a/1",
            "redis+cluster://a?protocol=resp2",
            "redis-cluster://a",
        ] {
            assert!(bad.parse::<ChallengeStoreUrl>().is_err(), "{bad}");
        }
    }
}
