//! What keeps people from living off the messages.

use std::time::Duration;

use kit::clock::UnixMillis;
use uuid::Uuid;

use super::{NotSent, message::Message};
use crate::challenges::ChallengeId;

/// A message that a guard does not let pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardRefusal {
    /// Which guard.
    pub guard: Guard,
    /// When it may be otherwise.
    pub retry_after: Duration,
}

/// A guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Guard {
    /// The number's country is not one that messages are sent to.
    Countries,
    /// The day's messages, or what they may cost, are used up.
    Budget,
    /// Too few of the codes that went there, or were asked for from there, were
    /// entered.
    Breaker,
}

/// The guards, over what they count.
#[derive(Default)]
pub struct Guards {}

impl Guards {
    /// Counts a message and says whether it may be sent. What is refused is not
    /// counted. From here on the message is known as under way, until
    /// [`Guards::settle`].
    pub async fn admit(&self, _message: &Message, _now: UnixMillis) -> Result<(), NotSent> {
        Ok(())
    }

    /// What became of a message is known and told: it is not lost.
    pub async fn settle(&self, _message: Uuid) {}

    /// The code of this challenge was entered.
    pub async fn entered(&self, _challenge: ChallengeId, _now: UnixMillis) {}
}
