//! Connections to PostgreSQL that were used a moment ago and are going to be
//! used again.
//!
//! sqlx asks a connection whether it lives whenever it comes back to the pool,
//! which is a second round trip for every statement. One whose last statement has
//! just been answered lives: it is kept here instead, and goes back to the pool
//! only when it was idle for a moment or has been out for long, so that the pool
//! still sees to its health and its age.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Postgres, pool::PoolConnection};

use crate::connection::{Breaks, give_back};

/// A connection that was idle this long is asked whether it still lives before
/// it is used.
pub(crate) const TRUSTED_IDLE: Duration = Duration::from_secs(1);
/// After so long outside, a connection passes through the pool once.
const OUT_AT_MOST: Duration = Duration::from_secs(30);

/// A connection out of the pool.
pub(crate) struct Used {
    pub(crate) connection: PoolConnection<Postgres>,
    /// When it left the pool.
    out_since: Instant,
}

impl Used {
    pub(crate) fn from_pool(connection: PoolConnection<Postgres>) -> Self {
        Self {
            connection,
            out_since: Instant::now(),
        }
    }

    /// Whether it may be kept once more.
    pub(crate) fn is_young(&self) -> bool {
        self.out_since.elapsed() < OUT_AT_MOST
    }
}

/// The ones that are kept, the last used on top. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    idle: Vec<(Used, Instant)>,
    closed: bool,
}

impl Kept {
    /// Keeps a connection that is in good order; gives it back when no more are
    /// kept.
    pub(crate) fn put(&self, used: Used) -> Option<Used> {
        let mut state = self.state();
        if state.closed {
            return Some(used);
        }
        state.idle.push((used, Instant::now()));
        None
    }

    /// The one that was used last, if that was just now. If it was not, all of
    /// them go back to the pool.
    pub(crate) fn take(&self, breaks: &Breaks) -> Option<Used> {
        let mut state = self.state();
        let (used, since) = state.idle.pop()?;
        let idle_for = since.elapsed();
        if idle_for <= TRUSTED_IDLE && !breaks.suspect(idle_for) {
            return Some(used);
        }
        give_back(used.connection);
        for (used, _) in state.idle.drain(..) {
            give_back(used.connection);
        }
        None
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.state().idle.len()
    }

    /// Gives all back, and keeps none any more.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        state.idle.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every step leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
