//! Real delivery: guarded, queued, sent.
//!
//! Whoever asks for a code is answered once its message is in the queue. From
//! there on its end is told, in the log and in the metrics: delivered, failed,
//! expired, or abandoned at the end of the process. Only a process that is killed
//! leaves messages without an end, at most as many as may wait and are sent at
//! once.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use kit::{
    audit,
    clock::{Clock, UnixMillis},
    metrics::{Histogram, IntCounter, IntCounterVec, IntGauge, Metrics},
};
use tokio::{
    sync::{
        Semaphore,
        mpsc::{self, OwnedPermit, Receiver, Sender},
    },
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    Disclosure, NotSent, Place, QueueFull, SmsSender,
    chain::{Chain, Progress},
    guards::Guards,
    message::Message,
    provider::Failure,
};
use crate::challenges::ChallengeId;

/// After the signal, messages are sent for so long; a process ends within 10
/// seconds of it, and the requests in flight may take 8.
const DRAIN: Duration = Duration::from_millis(8_500);
/// How long whoever has room in the queue may still fill it when all is over.
const LATE: Duration = Duration::from_millis(100);
/// How long the guards are then told what was not sent, all at once: their store
/// may be the one that is down.
const NOTED: Duration = Duration::from_millis(300);
/// Upper bounds of the histogram of waits, in seconds.
const WAITS: [f64; 8] = [0.01, 0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0];

/// How much is queued and sent.
#[derive(Clone, Copy, Debug)]
pub struct QueueLimits {
    /// Messages that may wait.
    pub waiting: usize,
    /// Messages that are being sent at once.
    pub at_once: usize,
}

/// Room in the queue.
pub type Room = OwnedPermit<Queued>;

/// A message in the queue.
pub struct Queued {
    message: Message,
    since: Instant,
}

/// Sends messages by providers, from a queue.
pub struct QueuedSms {
    guards: Arc<Guards>,
    queue: Sender<Queued>,
    queued: IntCounter,
    waiting: IntGauge,
}

/// The other end of the queue.
pub struct Deliveries {
    queue: Receiver<Queued>,
    at_once: Arc<Semaphore>,
    worker: Arc<Worker>,
}

/// Opens a queue: where messages are put in, and what has to run for them to be
/// sent.
pub fn open(
    chain: Chain,
    guards: Arc<Guards>,
    limits: QueueLimits,
    clock: Arc<dyn Clock>,
    metrics: &Metrics,
) -> (QueuedSms, Deliveries) {
    let (sender, receiver) = mpsc::channel(limits.waiting);
    let gauge = |name, help| {
        metrics
            .gauges(name, help, &[])
            .with_label_values::<&str>(&[])
    };
    gauge(
        "customauth_sms_queue_capacity",
        "How many messages may wait to be sent.",
    )
    .set(i64::try_from(limits.waiting).unwrap_or(i64::MAX));
    let waiting = gauge(
        "customauth_sms_queue_messages",
        "How many messages wait to be sent.",
    );
    let messages = QueuedSms {
        guards: guards.clone(),
        queue: sender,
        queued: metrics
            .counters(
                "customauth_sms_queued_total",
                "Messages that were taken over; less those of customauth_sms_messages_total, they are under way.",
                &[],
            )
            .with_label_values::<&str>(&[]),
        waiting: waiting.clone(),
    };
    let outcomes = metrics.counters(
        "customauth_sms_messages_total",
        "Messages by their end: delivered to a provider, failed at all of them, expired or abandoned in the queue.",
        &["outcome"],
    );
    for outcome in ["delivered", "failed", "expired", "abandoned"] {
        outcomes.with_label_values(&[outcome]);
    }
    let waits = metrics.histograms(
        "customauth_sms_queue_wait_seconds",
        "How long messages waited before they were sent.",
        &[],
        &WAITS,
    );
    let worker = Worker {
        chain,
        guards,
        clock,
        outcomes,
        waiting,
        waits: waits.with_label_values::<&str>(&[]),
    };
    let deliveries = Deliveries {
        queue: receiver,
        at_once: Arc::new(Semaphore::new(limits.at_once)),
        worker: Arc::new(worker),
    };
    (messages, deliveries)
}

#[async_trait]
impl SmsSender for QueuedSms {
    fn place(&self) -> Result<Place, QueueFull> {
        let room = self.queue.clone().try_reserve_owned();
        Ok(Place {
            delay: Duration::ZERO,
            queued: Some(room.map_err(|_| QueueFull)?),
        })
    }

    async fn hand_over(
        &self,
        place: Place,
        message: Message,
        now: UnixMillis,
    ) -> Result<(), NotSent> {
        self.guards.admit(&message, now).await?;
        let Some(room) = place.queued else {
            // A place of another sender: nothing hands one over.
            return Ok(());
        };
        let (id, phone) = (message.id, &message.phone);
        audit!("sms", "queued", %id, ?phone, segments = message.segments);
        self.queued.inc();
        self.waiting.inc();
        room.send(Queued {
            message,
            since: Instant::now(),
        });
        Ok(())
    }

    async fn entered(&self, challenge: ChallengeId, now: UnixMillis) {
        self.guards.entered(challenge, now).await;
    }

    fn disclosure(&self) -> Disclosure {
        Disclosure::Nowhere
    }
}

impl Deliveries {
    /// Sends what is queued. When `last` is cancelled, no more is queued, and it
    /// ends with the last message; some seconds after `closing`, it ends in any
    /// case, and tells what is left.
    pub async fn run(mut self, closing: CancellationToken, last: CancellationToken) {
        let deliveries = TaskTracker::new();
        let over = CancellationToken::new();
        let ended = {
            let time_is_up = async {
                closing.cancelled().await;
                sleep(DRAIN).await;
            };
            tokio::select! {
                () = self.send_all(&deliveries, &last, &over) => true,
                () = time_is_up => false,
            }
        };
        if ended {
            return;
        }
        over.cancel();
        self.queue.close();
        let mut left = deliveries.len();
        while let Ok(Some(queued)) = timeout(LATE, self.queue.recv()).await {
            left += 1;
            self.worker.waiting.dec();
            let Queued { message, since } = queued;
            let progress = Progress::default();
            let sent = self.worker.abandon(&message, since.elapsed(), progress);
            let worker = self.worker.clone();
            deliveries.spawn(async move { worker.note(&message, sent).await });
        }
        deliveries.close();
        let noted = timeout(NOTED, deliveries.wait()).await;
        if left > 0 {
            tracing::warn!(messages = left, "messages could not be sent before the end");
        }
        if noted.is_err() {
            tracing::warn!(
                "the guards' store does not know of all of them: it may tell them as lost"
            );
        }
    }

    async fn send_all(
        &mut self,
        deliveries: &TaskTracker,
        last: &CancellationToken,
        over: &CancellationToken,
    ) {
        // Never closed, so that a place always comes. It comes first: what waits
        // for one is still in the queue.
        while let Ok(place) = self.at_once.clone().acquire_owned().await {
            let queued = tokio::select! {
                queued = self.queue.recv() => queued,
                () = last.cancelled(), if !self.queue.is_closed() => {
                    self.queue.close();
                    continue;
                }
            };
            let Some(queued) = queued else { break };
            self.worker.waiting.dec();
            let (worker, over) = (self.worker.clone(), over.clone());
            deliveries.spawn(async move {
                worker.deliver(queued, &over).await;
                drop(place);
            });
        }
        deliveries.close();
        deliveries.wait().await;
    }
}

/// Sends one message.
struct Worker {
    chain: Chain,
    guards: Arc<Guards>,
    clock: Arc<dyn Clock>,
    outcomes: IntCounterVec,
    waiting: IntGauge,
    waits: Histogram,
}

impl Worker {
    async fn deliver(&self, queued: Queued, over: &CancellationToken) {
        let Queued { message, since } = queued;
        let (id, phone, waited) = (message.id, &message.phone, since.elapsed());
        self.waits.observe(waited.as_secs_f64());
        let waited_ms = kit::clock::millis(waited);
        let patience = self.clock.now().until(message.expires_at);
        if patience.is_zero() {
            audit!("sms", "expired", %id, ?phone, waited_ms);
            return self.end(&message, "expired", Sent::No).await;
        }
        let mut progress = Progress::default();
        let sent = tokio::select! {
            biased;
            sent = self.chain.deliver(&message, patience, &mut progress) => sent,
            () = over.cancelled() => {
                let sent = self.abandon(&message, waited, progress);
                return self.note(&message, sent).await;
            }
        };
        let Progress { provider, attempts } = progress;
        match sent {
            Ok(()) => {
                audit!("sms", "delivered", %id, ?phone, provider, attempts, waited_ms);
                self.end(&message, "delivered", Sent::Perhaps).await;
            }
            Err(failure) => {
                audit!("sms", "failed", %id, ?phone, provider, attempts, waited_ms, error = %failure);
                let sent = match failure {
                    Failure::NotTaken(_) | Failure::Refused(_) => Sent::No,
                    Failure::Unknown(_) => Sent::Perhaps,
                };
                self.end(&message, "failed", sent).await;
            }
        }
    }

    /// Tells, without a wait, that the process ends before the message does. One
    /// that a provider was asked for may have been sent.
    fn abandon(&self, message: &Message, waited: Duration, progress: Progress) -> Sent {
        let (id, phone, waited_ms) = (message.id, &message.phone, kit::clock::millis(waited));
        let Progress { provider, attempts } = progress;
        audit!("sms", "abandoned", %id, ?phone, provider, attempts, waited_ms);
        self.outcomes.with_label_values(&["abandoned"]).inc();
        if attempts == 0 {
            Sent::No
        } else {
            Sent::Perhaps
        }
    }

    async fn end(&self, message: &Message, outcome: &str, sent: Sent) {
        self.outcomes.with_label_values(&[outcome]).inc();
        self.note(message, sent).await;
    }

    /// Lets the guards know of a message's end.
    async fn note(&self, message: &Message, sent: Sent) {
        match sent {
            Sent::Perhaps => self.guards.settle(message.id).await,
            Sent::No => self.guards.not_sent(message, self.clock.now()).await,
        }
    }
}

/// Whether a message can have reached anybody.
enum Sent {
    Perhaps,
    No,
}

#[cfg(test)]
mod tests;
