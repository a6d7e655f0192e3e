//! What the tests of the guards share: settings as an operator gives them, and
//! places for what is counted.

use std::time::Duration;

use auth_service::{config::GuardSettings, sms::guards::rules::GuardRules};
use clap::Parser;
use kit::clock::UnixMillis;
use testkit::{PrivateRedis, PrivateRedisCluster};

/// How long a code lives.
pub(crate) const LIFETIME: Duration = Duration::from_secs(120);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
/// 2027-01-15T08:00:00Z: a whole minute, and 16 hours before midnight.
pub(crate) const MORNING: UnixMillis = UnixMillis(1_800_000_000_000);

/// The settings as an operator gives them.
#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    guards: GuardSettings,
}

/// Where the counts are; it ends with the bench.
pub(crate) enum Place {
    Memory,
    Redis(PrivateRedis),
    Cluster(PrivateRedisCluster),
}

impl Place {
    pub(crate) fn redis() -> Self {
        Self::Redis(PrivateRedis::start())
    }

    pub(crate) fn cluster() -> Self {
        Self::Cluster(PrivateRedisCluster::start())
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Memory => "memory://".to_owned(),
            Self::Redis(server) => server.url(),
            Self::Cluster(cluster) => cluster.url(),
        }
    }
}

/// The rules of these flags.
pub(crate) fn rules(flags: &[&str]) -> GuardRules {
    let flags = Flags::try_parse_from(["test"].iter().chain(flags)).unwrap();
    flags.guards.rules().unwrap()
}

/// The number `each` of Côte d'Ivoire.
pub(crate) fn ivorian(each: u32) -> String {
    format!("+22501{each:08}")
}
