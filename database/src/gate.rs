//! The queue in front of a pool of connections: it is bounded, so that an
//! overload is told at once and does not grow into a wait for everybody.

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::Error;

/// How many statements wait for a connection at the most. The contract admits
/// 5,000 requests at once, and all of them may want the same database.
pub(crate) const MOST_WAITING: usize = 5_000;

/// Lets in as many at once as there are connections, and some more to wait in
/// the order of their coming.
pub(crate) struct Gate {
    places: Arc<Semaphore>,
    most_inside: usize,
    waiting: Arc<AtomicUsize>,
    refused: AtomicU64,
    most_waiting: usize,
}

/// A place inside. Dropped, it goes to who waits longest.
pub(crate) struct Pass(#[expect(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

impl Gate {
    pub(crate) fn new(places: u32, most_waiting: usize) -> Self {
        let places = usize::try_from(places).unwrap_or(usize::MAX);
        Self {
            places: Arc::new(Semaphore::new(places)),
            most_inside: places,
            waiting: Arc::default(),
            refused: AtomicU64::new(0),
            most_waiting,
        }
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// [`Error::Overloaded`], at once, when too many are waiting.
    pub(crate) async fn enter(&self) -> Result<Pass, Error> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Ok(Pass(place));
        }
        let _waiting = self.line_up()?;
        let place = self.places.clone().acquire_owned().await;
        // It is never closed.
        place.map(Pass).map_err(|_| Error::Overloaded)
    }

    /// Counts among those who wait, as long as what is returned is kept.
    ///
    /// # Errors
    /// As [`Gate::enter`].
    pub(crate) fn line_up(&self) -> Result<Waiting, Error> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(self.waiting.clone());
        if before >= self.most_waiting {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Error::Overloaded);
        }
        Ok(waiting)
    }

    /// How many are inside, and how many may be.
    pub(crate) fn in_use(&self) -> (usize, usize) {
        let free = self.places.available_permits();
        (self.most_inside.saturating_sub(free), self.most_inside)
    }

    /// How many wait.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many were refused, in all.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}

/// One who waits, also if the wait is broken off.
pub(crate) struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_comes_when_all_places_are_waited_for_is_told_at_once() {
        let gate = Arc::new(Gate::new(2, 3));
        let inside = [gate.enter().await.unwrap(), gate.enter().await.unwrap()];
        let waiting: Vec<_> = (0..3)
            .map(|_| {
                let gate = gate.clone();
                tokio::spawn(async move { gate.enter().await })
            })
            .collect();
        while gate.waiting.load(Ordering::Relaxed) < 3 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(gate.enter().await, Err(Error::Overloaded)));
        assert_eq!((gate.in_use(), gate.waiting()), ((2, 2), 3));
        assert_eq!(gate.refused(), 1);
        drop(inside);
        for one in waiting {
            one.await.unwrap().unwrap();
        }
        gate.enter().await.unwrap();
    }

    #[tokio::test]
    async fn who_gives_up_waiting_leaves_the_queue() {
        let gate = Arc::new(Gate::new(1, 1));
        let _inside = gate.enter().await.unwrap();
        let waiting = gate.clone();
        let waiting = tokio::spawn(async move { waiting.enter().await });
        while gate.waiting.load(Ordering::Relaxed) == 0 {
            tokio::task::yield_now().await;
        }
        waiting.abort();
        assert!(waiting.await.is_err());
        assert_eq!(gate.waiting.load(Ordering::Relaxed), 0);
    }
}
