//! Whether the server is there. While it is not, callers are told at once: each
//! of them waiting for it would fill the queue.
//!
//! A wait that is long is no proof: a process that has too much to do is late
//! with everything. So the server itself is asked, by a connection that is made
//! for that alone.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use sqlx::{ConnectOptions as _, Connection as _, PgPool, postgres::PgConnectOptions};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};

use crate::Error;

/// How long a caller waits for a server that is not there.
const GRACE: Duration = Duration::from_millis(200);
/// After how long the server is asked, of which a connection is waited for.
const DOUBT: Duration = Duration::from_millis(100);
/// For how long its answer stands: who is overloaded doubts all the time.
const FRESH: Duration = Duration::from_secs(1);
/// How long the connection that asks may take to be made.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// How long to wait between two attempts at it.
const PAUSE: Duration = Duration::from_millis(50);

/// What is known of the server.
pub(crate) struct Presence {
    there: watch::Sender<bool>,
    looking: Arc<AtomicBool>,
    /// When it last answered.
    answered: Arc<Mutex<Option<Instant>>>,
    options: PgConnectOptions,
}

impl Presence {
    pub(crate) fn new(options: PgConnectOptions) -> Self {
        Self {
            there: watch::Sender::new(true),
            looking: Arc::default(),
            answered: Arc::default(),
            options,
        }
    }

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
        match timeout(GRACE, back).await {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::Gone),
        }
    }

    /// The same without the moment.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let there = *self.there.borrow();
        there.then_some(()).ok_or(Error::Gone)
    }

    /// Returns when the server is found to be gone. Beside it somebody waits for
    /// a connection.
    pub(crate) async fn lost(&self, pool: &PgPool) {
        let mut there = self.there.subscribe();
        // It is over when the wait is, for the sender is in `self`.
        while timeout(DOUBT, there.wait_for(|there| !*there))
            .await
            .is_err()
        {
            self.look(pool);
        }
    }

    /// Asks the server, and if it is gone, again until it is back.
    pub(crate) fn look(&self, pool: &PgPool) {
        let answered = self.answered.lock();
        let answered = *answered.unwrap_or_else(PoisonError::into_inner);
        let fresh = answered.is_some_and(|answered| answered.elapsed() < FRESH);
        if fresh || self.looking.swap(true, Ordering::AcqRel) {
            return;
        }
        let answered = self.answered.clone();
        let (pool, options) = (pool.clone(), self.options.clone());
        let (there, looking) = (self.there.clone(), self.looking.clone());
        tokio::spawn(async move {
            while let Err(error) = ask(&options).await {
                if there.send_replace(false) {
                    tracing::warn!(%error, "the database cannot be reached");
                }
                if pool.is_closed() {
                    return;
                }
                sleep(PAUSE).await;
            }
            *answered.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
            // In this order: who finds it gone again in between has it looked for.
            if !there.send_replace(true) {
                tracing::info!("the database is reached again");
            }
            looking.store(false, Ordering::Release);
        });
    }
}

async fn ask(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let asking = async { options.connect().await?.close().await };
    let late = || sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    timeout(ANSWER_WITHIN, asking)
        .await
        .unwrap_or_else(|_| Err(late()))
}
