//! Whoever takes messages to phones.

use std::time::Duration;

use async_trait::async_trait;

use super::message::Message;

/// Why a provider did not take a message.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failure {
    /// It surely did not: it could not be reached, or said so. Another time, or
    /// for another message, it may.
    #[error("{0}")]
    NotTaken(String),
    /// It will not take this message, however often it is asked.
    #[error("{0}")]
    Refused(String),
    /// It was asked and did not answer in time: it may have taken it or not.
    #[error("{0}")]
    Unknown(String),
}

/// A way for messages to phones.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Its name in settings, metrics and the log.
    fn name(&self) -> &'static str;

    /// Has a message sent. It returns when the provider has taken it, and within
    /// `patience`; after that, nothing of it goes on.
    async fn send(&self, message: &Message, patience: Duration) -> Result<(), Failure>;
}
