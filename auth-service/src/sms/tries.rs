//! Trying a provider again.

use std::time::Duration;

use kit::backoff::jittered;
use tokio::time::{Instant, sleep};

use super::provider::Failure;

/// What came of a try.
pub(super) enum Try {
    Taken,
    /// Another one would come to the same, or must not be.
    Failed(Failure),
    /// Another one may do; the provider may have said when.
    Again(Failure, Option<Duration>),
}

/// How often a message is tried.
pub(super) struct Tries {
    pub(super) most: u32,
    /// The least pause after the first; it grows with each.
    pub(super) pause: Duration,
}

impl Tries {
    /// Tries until the message is taken or `patience` is over. `attempt` is told
    /// which try it is, from 1 on, and how much time is left.
    ///
    /// # Errors
    /// What the last try came to; if one of them may have sent the message, that,
    /// whatever a later one was told.
    pub(super) async fn until_taken<F: Future<Output = Try> + Send>(
        &self,
        patience: Duration,
        attempt: impl Fn(u32, Duration) -> F + Send,
    ) -> Result<(), Failure> {
        let until = Instant::now() + patience;
        let left = || until.saturating_duration_since(Instant::now());
        let mut uncertain = None;
        let mut number = 1;
        let failed = loop {
            let (failure, pause) = match attempt(number, left()).await {
                Try::Taken => return Ok(()),
                Try::Failed(failure) => break failure,
                Try::Again(failure, pause) => (failure, pause),
            };
            let pause = pause.unwrap_or_default().max(jittered(self.pause * number));
            if number == self.most || pause >= left() {
                break failure;
            }
            if let Failure::Unknown(_) = failure {
                uncertain = Some(failure);
            }
            sleep(pause).await;
            number += 1;
        };
        Err(uncertain.unwrap_or(failed))
    }
}
