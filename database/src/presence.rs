//! Whether the server is there. While it is not, callers are told at once: each
//! of them waiting for it would fill the queue.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sqlx::PgPool;
use tokio::sync::watch;

use crate::Error;

/// How long a caller waits for a server that is not there.
const GRACE: Duration = Duration::from_millis(200);
/// How long to wait between two attempts at it.
const PAUSE: Duration = Duration::from_millis(50);

/// What is known of the server.
pub(crate) struct Presence {
    there: watch::Sender<bool>,
    looking: Arc<AtomicBool>,
}

impl Default for Presence {
    fn default() -> Self {
        Self {
            there: watch::Sender::new(true),
            looking: Arc::default(),
        }
    }
}

impl Presence {
    /// Returns at once if the server is there, and else waits a moment for it.
    ///
    /// # Errors
    /// [`Error::Gone`].
    pub(crate) async fn wait_a_moment(&self) -> Result<(), Error> {
        if *self.there.borrow() {
            return Ok(());
        }
        let mut there = self.there.subscribe();
        let back = there.wait_for(|there| *there);
        match tokio::time::timeout(GRACE, back).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::Gone),
        }
    }

    /// The same without the moment.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let there = *self.there.borrow();
        there.then_some(()).ok_or(Error::Gone)
    }

    /// No connection could be had: looks for the server until it is back.
    pub(crate) fn gone(&self, pool: &PgPool) {
        if self.looking.swap(true, Ordering::AcqRel) {
            return;
        }
        self.there.send_replace(false);
        tracing::warn!("the database cannot be reached");
        let (pool, there, looking) = (pool.clone(), self.there.clone(), self.looking.clone());
        tokio::spawn(async move {
            while !pool.is_closed() {
                if pool.acquire().await.is_ok() {
                    tracing::info!("the database is reached again");
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
            // In this order: who finds it gone again in between has it looked for.
            there.send_replace(true);
            looking.store(false, Ordering::Release);
        });
    }
}
