//! The way of a code to the phone.
//!
//! [`SmsSender`] is what the rules of signing in see: simulated delivery, which
//! sends nothing and shows the code, or real delivery, which is guarded
//! ([`guards`]), queued ([`queue`]), and done by providers in turn ([`chain`]).

pub mod chain;
pub mod guards;
pub mod message;
pub mod prefixes;
pub mod provider;
pub mod queue;
mod simulated;
pub mod text;

use std::time::Duration;

use async_trait::async_trait;
use kit::clock::UnixMillis;

use crate::challenges::{ChallengeId, store::Unavailable};

use guards::GuardRefusal;
use message::Message;

pub use simulated::{DelayRange, SimulatedSms};

/// Whether the code may be shown to whoever asked for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disclosure {
    /// Nothing is sent, so the answer contains the code.
    InAnswer,
    /// The code is in the message and nowhere else.
    Nowhere,
}

/// Room for one message, had before anything is counted for it.
pub struct Place {
    /// How long its delivery is imitated: the code's life begins after it, and
    /// so does the answer.
    pub delay: Duration,
    /// Room in the queue of a real delivery.
    pub(crate) queued: Option<queue::Room>,
}

/// As many messages wait to be sent as may.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("too many messages wait to be sent")]
pub struct QueueFull;

/// Why a message was not taken. Nothing was sent, and nothing is kept of it.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// A guard does not let it pass.
    #[error("{0:?}")]
    Guarded(GuardRefusal),
    /// The guards' counters cannot be used now.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// Sends codes.
#[async_trait]
pub trait SmsSender: Send + Sync {
    /// Room for a message, if there is any.
    ///
    /// # Errors
    /// When the queue is full.
    fn place(&self) -> Result<Place, QueueFull>;

    /// Takes a message over: from here on it is delivered or its loss is told.
    async fn hand_over(
        &self,
        place: Place,
        message: Message,
        now: UnixMillis,
    ) -> Result<(), NotSent>;

    /// The code of this challenge was entered: its message has reached a person.
    async fn entered(&self, challenge: ChallengeId, now: UnixMillis);

    /// Whether the answer shows the code.
    fn disclosure(&self) -> Disclosure;
}
