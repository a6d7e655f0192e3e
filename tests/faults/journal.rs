//! What the clients saw, request by request.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// How many clients there are.
pub(crate) const CLIENTS: usize = 6;

/// What came of one request.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// An answer that is no failure.
    Answered,
    /// No connection: the client goes on to the other gateway at once, and its
    /// user notices nothing.
    Refused,
    /// A failure: a status that tells of one, or no whole answer.
    Failed {
        /// Which, in a few words.
        kind: String,
        /// To what request, and all that was said.
        detail: String,
    },
}

/// One request of a client.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
    pub(crate) outcome: Outcome,
}

/// All requests of all clients so far.
#[derive(Default)]
pub(crate) struct Journal {
    events: Mutex<Vec<Event>>,
    /// How often each client has done all that it does.
    turns: [AtomicUsize; CLIENTS],
}

/// A spell of the journal in figures.
#[derive(Default)]
pub(crate) struct Figures {
    pub(crate) requests: usize,
    /// How many failures of each kind.
    pub(crate) failures: BTreeMap<String, usize>,
    /// The failures one by one.
    pub(crate) details: Vec<String>,
    pub(crate) refused: usize,
    /// When the last failed request ended.
    pub(crate) last_failure: Option<Instant>,
    /// The longest time that a request took.
    pub(crate) slowest: Duration,
}

impl Journal {
    pub(crate) fn enter(&self, event: Event) {
        self.events.lock().unwrap().push(event);
    }

    /// The figures of the requests that were under way at or after `since`.
    pub(crate) fn figures(&self, since: Instant) -> Figures {
        let mut figures = Figures::default();
        let events = self.events.lock().unwrap();
        // In the order of their ends.
        for event in events.iter().rev().take_while(|event| event.ended >= since) {
            figures.requests += 1;
            figures.slowest = figures.slowest.max(event.ended - event.begun);
            match &event.outcome {
                Outcome::Answered => {}
                Outcome::Refused => figures.refused += 1,
                Outcome::Failed { kind, detail } => {
                    *figures.failures.entry(kind.clone()).or_default() += 1;
                    figures.details.push(detail.clone());
                    figures.last_failure = figures.last_failure.max(Some(event.ended));
                }
            }
        }
        figures
    }

    /// A client has done all that it does once more.
    pub(crate) fn turn(&self, client: usize) {
        self.turns[client].fetch_add(1, Ordering::Relaxed);
    }

    /// How often each client has done all that it does.
    pub(crate) fn turns(&self) -> [usize; CLIENTS] {
        std::array::from_fn(|client| self.turns[client].load(Ordering::Relaxed))
    }
}
