//! Turns at what takes much memory for a short time.

use std::time::Duration;

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// How many have a turn at once: enough to keep the processors and Redis busy.
const AT_ONCE: usize = 128;
/// How long a turn is waited for. Whoever has one may be waiting for a Redis that
/// does not answer, and those behind are to hear of that in their own time.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lets a few at once do what thousands ask for at one moment: the others wait
/// with little more than their question.
pub(crate) struct Turns(Semaphore);

impl Default for Turns {
    fn default() -> Self {
        Self(Semaphore::new(AT_ONCE))
    }
}

impl Turns {
    /// Waits for a turn, which lasts until it is dropped. `None` when that took
    /// too long: then it is everybody's.
    pub(crate) async fn next(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(turn) = self.0.try_acquire() {
            return Some(turn);
        }
        // Never closed.
        timeout(PATIENCE, self.0.acquire()).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_waits_for_another_but_not_for_ever() {
        let turns = Turns::default();
        let begun = Instant::now();
        let mut taken = Vec::new();
        for _ in 0..AT_ONCE {
            taken.push(turns.next().await.unwrap());
        }
        let second = Duration::from_secs(1);
        let (next, ()) = tokio::join!(turns.next(), async {
            tokio::time::sleep(second).await;
            taken.pop();
        });
        assert!(next.is_some());
        assert_eq!(begun.elapsed(), second);
        assert!(turns.next().await.is_none());
        assert_eq!(begun.elapsed(), second + PATIENCE);
    }
}
