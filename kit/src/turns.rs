//! Turns at what takes much memory for a short time.

use std::time::Duration;

use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::timeout,
};

/// Lets a few at once do what thousands ask for at one moment: the others wait
/// with little more than their question.
pub struct Turns {
    places: Semaphore,
    patience: Duration,
}

impl Turns {
    /// Turns for so many at once, which should be enough to keep busy what they use.
    /// A turn is waited for as long as `patience`: whoever has one may be waiting for
    /// something that does not answer, and those behind are to hear of that in their
    /// own time.
    pub const fn new(at_once: usize, patience: Duration) -> Self {
        Self {
            places: Semaphore::const_new(at_once),
            patience,
        }
    }

    /// Waits for a turn, which lasts until it is dropped. `None` when that took
    /// too long: then it is everybody's.
    pub async fn next(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(turn) = self.places.try_acquire() {
            return Some(turn);
        }
        // Never closed.
        let turn = timeout(self.patience, self.places.acquire());
        turn.await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_waits_for_another_but_not_for_ever() {
        let (second, patience) = (Duration::from_secs(1), Duration::from_secs(2));
        let turns = Turns::new(3, patience);
        let begun = Instant::now();
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(turns.next().await.unwrap());
        }
        let (next, ()) = tokio::join!(turns.next(), async {
            tokio::time::sleep(second).await;
            taken.pop();
        });
        assert!(next.is_some());
        assert_eq!(begun.elapsed(), second);
        assert!(turns.next().await.is_none());
        assert_eq!(begun.elapsed(), second + patience);
    }
}
