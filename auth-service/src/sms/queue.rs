//! Real delivery: guarded, queued, sent.

use std::sync::Arc;

use async_trait::async_trait;
use kit::clock::UnixMillis;
use tokio::sync::mpsc::{OwnedPermit, Sender};

use super::{Disclosure, NotSent, Place, QueueFull, SmsSender, guards::Guards, message::Message};
use crate::challenges::ChallengeId;

/// Room in the queue.
pub type Room = OwnedPermit<Message>;

/// Sends messages by providers, from a queue.
pub struct QueuedSms {
    guards: Arc<Guards>,
    queue: Sender<Message>,
}

#[async_trait]
impl SmsSender for QueuedSms {
    fn place(&self) -> Result<Place, QueueFull> {
        todo!()
    }

    async fn hand_over(
        &self,
        place: Place,
        message: Message,
        now: UnixMillis,
    ) -> Result<(), NotSent> {
        self.guards.admit(&message, now).await?;
        todo!()
    }

    async fn entered(&self, challenge: ChallengeId, now: UnixMillis) {
        self.guards.entered(challenge, now).await;
    }

    fn disclosure(&self) -> Disclosure {
        Disclosure::Nowhere
    }
}
