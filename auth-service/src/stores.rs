//! What replicas share beside the database, by one connection.

use std::sync::Arc;

use crate::{
    challenges::{
        ChallengeStoreUrl, memory::MemoryChallenges, redis::RedisChallenges, store::ChallengeStore,
    },
    redis::Connection,
    sms::guards::{memory::MemoryGuards, redis::RedisGuards, store::GuardStore},
};

/// The stores behind `AUTH_REDIS_URL`.
pub struct Stores {
    /// Challenges.
    pub challenges: Arc<dyn ChallengeStore>,
    /// What the guards of messages count.
    pub guards: Arc<dyn GuardStore>,
}

impl Stores {
    /// Opens the stores. Redis may not be there yet: it is connected to when it
    /// is needed, and again whenever the connection was lost.
    ///
    /// # Errors
    /// When the URL cannot be used.
    pub fn open(url: &ChallengeStoreUrl) -> anyhow::Result<Self> {
        let connection = match url {
            ChallengeStoreUrl::Memory => {
                return Ok(Self {
                    challenges: Arc::new(MemoryChallenges::default()),
                    guards: Arc::new(MemoryGuards::default()),
                });
            }
            ChallengeStoreUrl::Redis(info) => Connection::to_server(info)?,
            ChallengeStoreUrl::Cluster(nodes) => Connection::to_cluster(nodes)?,
        };
        let connection = Arc::new(connection);
        Ok(Self {
            challenges: Arc::new(RedisChallenges::over(connection.clone())),
            guards: Arc::new(RedisGuards::over(connection)),
        })
    }
}
