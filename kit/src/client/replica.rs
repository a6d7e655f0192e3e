//! One replica of a service: its connection, and what is known of it.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use tokio::{sync::watch, time::Instant};

use super::{
    sender::{Answer, Failure, Sender},
    target::Target,
};

/// How long a connection may take to be made and to answer.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a replica that could not be reached is left alone while others
/// can be.
const REST: Duration = Duration::from_millis(500);

/// The status UNAVAILABLE of gRPC.
const UNAVAILABLE: &str = "14";

/// A replica: one address of one URL.
pub(super) struct Replica {
    pub(super) target: Target,
    pub(super) address: SocketAddr,
    link: Mutex<Link>,
    /// Calls that wait for its answer.
    calls: AtomicUsize,
}

struct Link {
    state: State,
    /// How many connections there were: a call that failed ends its own and no
    /// newer one.
    generation: u64,
    /// When it last answered that it cannot do it (UNAVAILABLE): it is quick at
    /// that, and would be the least busy one.
    sick: Option<Instant>,
    /// Whether the log has told that it cannot be reached.
    told: bool,
}

enum State {
    Idle,
    Connecting,
    Up(Sender),
    Down { since: Instant, why: Arc<str> },
}

/// What a replica is good for.
pub(super) enum Condition {
    /// It has a connection.
    Up,
    /// It has none, and one is being made.
    Connecting,
    /// It has none.
    Idle,
    /// It could not be reached at that time.
    Down { since: Instant, why: Arc<str> },
}

impl Replica {
    pub(super) fn new(target: Target, address: SocketAddr) -> Self {
        Self {
            target,
            address,
            link: Mutex::new(Link {
                state: State::Idle,
                generation: 0,
                sick: None,
                told: false,
            }),
            calls: AtomicUsize::new(0),
        }
    }

    fn link(&self) -> MutexGuard<'_, Link> {
        // No step leaves it half done, so a panic in one spoils nothing.
        self.link.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls that wait for its answer.
    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    pub(super) fn condition(&self) -> Condition {
        let mut link = self.link();
        match &link.state {
            State::Up(sender) if sender.has_ended() => {
                link.state = State::Idle;
                Condition::Idle
            }
            State::Up(_) => Condition::Up,
            State::Connecting => Condition::Connecting,
            State::Idle => Condition::Idle,
            State::Down { since, why } => Condition::Down {
                since: *since,
                why: why.clone(),
            },
        }
    }

    /// Whether it has just answered that it cannot do it.
    pub(super) fn is_sick(&self) -> bool {
        self.link().sick.is_some_and(|since| since.elapsed() < REST)
    }

    /// Whether it is time for another attempt, while others can be reached.
    pub(super) fn is_rested(&self) -> bool {
        match self.condition() {
            Condition::Up | Condition::Connecting => false,
            Condition::Idle => true,
            Condition::Down { since, .. } => since.elapsed() >= REST,
        }
    }

    /// Begins to connect, if it is not connected or connecting already. The
    /// end of the attempt is told by `news`.
    pub(super) fn connect(self: &Arc<Self>, news: &watch::Sender<()>) {
        let mut link = self.link();
        if matches!(link.state, State::Connecting | State::Up(_)) {
            return;
        }
        link.state = State::Connecting;
        drop(link);
        let (replica, news) = (self.clone(), news.clone());
        tokio::spawn(async move {
            let connecting = replica.target.connect(replica.address);
            let outcome = match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
                Ok(outcome) => outcome,
                Err(_) => Err(anyhow::anyhow!("no connection within {CONNECT_TIMEOUT:?}")),
            };
            replica.connected(outcome);
            news.send_replace(());
        });
    }

    fn connected(&self, outcome: anyhow::Result<Sender>) {
        let address = self.address;
        let mut link = self.link();
        match outcome {
            Ok(sender) => {
                link.generation += 1;
                link.state = State::Up(sender);
                if link.told {
                    tracing::info!(%address, "a replica is reached again");
                }
                link.told = false;
            }
            Err(error) => {
                let why: Arc<str> = format!("{error:#}").into();
                if !link.told {
                    tracing::warn!(%address, error = &*why, "a replica cannot be reached");
                }
                link.told = true;
                link.state = State::Down {
                    since: Instant::now(),
                    why,
                };
            }
        }
    }

    /// Its connection, for one call.
    pub(super) fn lease(self: &Arc<Self>) -> Option<Lease> {
        let link = self.link();
        let State::Up(sender) = &link.state else {
            return None;
        };
        self.calls.fetch_add(1, Ordering::Relaxed);
        Some(Lease {
            replica: self.clone(),
            sender: sender.clone(),
            generation: link.generation,
        })
    }

    /// Takes no more calls to a connection that failed one; those that are on
    /// it may still be answered.
    fn retire(&self, generation: u64) {
        let mut link = self.link();
        if link.generation == generation && matches!(link.state, State::Up(_)) {
            link.state = State::Idle;
        }
    }
}

/// A replica's connection, for one call.
pub(super) struct Lease {
    replica: Arc<Replica>,
    sender: Sender,
    generation: u64,
}

impl Lease {
    pub(super) fn target(&self) -> &Target {
        &self.replica.target
    }

    /// Sends a request and reads its answer to the end.
    pub(super) async fn send(self, head: Box<Request<()>>, body: Bytes) -> Result<Answer, Failure> {
        let outcome = self.sender.clone().send(head, body).await;
        match &outcome {
            Err(_) => self.replica.retire(self.generation),
            Ok(answer) if is_unavailable(answer) => {
                self.replica.link().sick = Some(Instant::now());
            }
            Ok(_) => {}
        }
        outcome
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.replica.calls.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether an answer says so, in its head: such an answer has no message.
fn is_unavailable(answer: &Answer) -> bool {
    let status = answer.headers().get("grpc-status");
    status.is_some_and(|status| status == UNAVAILABLE)
}
