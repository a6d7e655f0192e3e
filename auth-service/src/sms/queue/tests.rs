use std::sync::Mutex;

use kit::{clock::HeldClock, settings::SecretKey};
use tokio::time::sleep;
use uuid::Uuid;

use super::{
    super::{
        guards::{
            dry_run::DryRun,
            memory::MemoryGuards,
            rules::{GuardRules, Tables},
            slots::Judge,
            store::{Admission, Exceeded, Fate, GuardStore, Round},
        },
        message::tests::message,
        provider::{Failure, Provider},
    },
    *,
};
use crate::{
    challenges::store::Unavailable,
    mac::{Hasher, Mac},
};

/// A provider that is not there.
struct Down;

#[async_trait]
impl Provider for Down {
    fn name(&self) -> &'static str {
        "down"
    }

    async fn send(&self, _: &Message, _: Duration) -> Result<(), Failure> {
        Err(Failure::NotTaken("nobody is there".to_owned()))
    }
}

/// A provider that takes each message after so long.
struct Slow {
    takes: Duration,
    taken: Mutex<Vec<Instant>>,
}

#[async_trait]
impl Provider for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    async fn send(&self, _: &Message, patience: Duration) -> Result<(), Failure> {
        timeout(patience, sleep(self.takes))
            .await
            .map_err(|_| Failure::Unknown("too slow".to_owned()))?;
        self.taken.lock().unwrap().push(Instant::now());
        Ok(())
    }
}

struct Trial {
    sms: QueuedSms,
    provider: Arc<Slow>,
    metrics: Metrics,
    clock: Arc<HeldClock>,
    closing: CancellationToken,
    last: CancellationToken,
    began: Instant,
}

impl Trial {
    /// A queue, and its deliveries, which do not run yet.
    fn new(takes: u64, waiting: usize, at_once: usize) -> (Self, Deliveries) {
        Self::guarded(Arc::default(), takes, waiting, at_once)
    }

    fn guarded(
        guards: Arc<Guards>,
        takes: u64,
        waiting: usize,
        at_once: usize,
    ) -> (Self, Deliveries) {
        let provider = Arc::new(Slow {
            takes: Duration::from_secs(takes),
            taken: Mutex::default(),
        });
        let metrics = Metrics::default();
        let chain = Chain::new(vec![provider.clone()], Duration::from_secs(15), &metrics);
        let clock = Arc::new(HeldClock::new(UnixMillis(0)));
        let limits = QueueLimits { waiting, at_once };
        let (sms, deliveries) = open(chain, guards, limits, clock.clone(), &metrics);
        let trial = Self {
            sms,
            provider,
            metrics,
            clock,
            closing: CancellationToken::new(),
            last: CancellationToken::new(),
            began: Instant::now(),
        };
        (trial, deliveries)
    }

    async fn hand_over(&self) -> Result<(), QueueFull> {
        let place = self.sms.place()?;
        let handed = self.sms.hand_over(place, message(), self.clock.now());
        handed.await.unwrap();
        Ok(())
    }

    fn run(&self, deliveries: Deliveries) -> tokio::task::JoinHandle<()> {
        tokio::spawn(deliveries.run(self.closing.clone(), self.last.clone()))
    }

    fn taken(&self) -> usize {
        self.provider.taken.lock().unwrap().len()
    }

    fn counts(&self, line: &str) -> bool {
        self.metrics
            .render()
            .contains(&format!("customauth_sms_{line}\n"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_takes_nothing_and_a_place_given_back_is_free() {
    let (trial, _deliveries) = Trial::new(1, 2, 1);
    trial.hand_over().await.unwrap();
    let unused = trial.sms.place().unwrap();
    assert!(trial.sms.place().is_err());
    drop(unused);
    trial.hand_over().await.unwrap();
    assert!(trial.sms.place().is_err());
    for line in ["queue_messages 2", "queue_capacity 2", "queued_total 2"] {
        assert!(trial.counts(line), "{}", trial.metrics.render());
    }
}

#[tokio::test(start_paused = true)]
async fn so_many_are_sent_at_once_and_the_others_wait_their_turn() {
    let (trial, deliveries) = Trial::new(10, 100, 2);
    for _ in 0..5 {
        trial.hand_over().await.unwrap();
    }
    let running = trial.run(deliveries);
    trial.last.cancel();
    running.await.unwrap();
    let taken = trial.provider.taken.lock().unwrap().clone();
    let seconds: Vec<_> = taken
        .iter()
        .map(|at| at.duration_since(trial.began).as_secs())
        .collect();
    assert_eq!(seconds, [10, 10, 20, 20, 30]);
    assert!(trial.counts("messages_total{outcome=\"delivered\"} 5"));
    assert!(trial.counts("queue_messages 0"));
}

#[tokio::test(start_paused = true)]
async fn what_has_expired_in_the_queue_is_not_sent() {
    let (trial, deliveries) = Trial::new(1, 10, 1);
    trial.hand_over().await.unwrap();
    trial.clock.advance(Duration::from_secs(120));
    trial.last.cancel();
    trial.run(deliveries).await.unwrap();
    assert_eq!(trial.taken(), 0);
    assert!(trial.counts("messages_total{outcome=\"expired\"} 1"));
}

#[tokio::test(start_paused = true)]
async fn at_the_end_what_is_queued_is_sent_and_nothing_is_taken_any_more() {
    let (trial, deliveries) = Trial::new(2, 10, 1);
    for _ in 0..3 {
        trial.hand_over().await.unwrap();
    }
    let running = trial.run(deliveries);
    trial.closing.cancel();
    // The server is not at its end: a request in flight still comes in.
    sleep(Duration::from_secs(1)).await;
    trial.hand_over().await.unwrap();
    trial.last.cancel();
    running.await.unwrap();
    assert_eq!(trial.taken(), 4);
    assert!(trial.sms.place().is_err());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_before_the_end_is_told() {
    let (trial, deliveries) = Trial::new(5, 10, 1);
    for _ in 0..5 {
        trial.hand_over().await.unwrap();
    }
    let running = trial.run(deliveries);
    trial.closing.cancel();
    running.await.unwrap();
    assert!(trial.began.elapsed() < Duration::from_secs(9));
    assert_eq!(trial.taken(), 1);
    for line in [
        "messages_total{outcome=\"delivered\"} 1",
        "messages_total{outcome=\"abandoned\"} 4",
        "queue_messages 0",
        "queued_total 5",
    ] {
        assert!(trial.counts(line), "{}", trial.metrics.render());
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_nobody_takes_has_failed() {
    let (trial, deliveries) = Trial::new(60, 10, 1);
    trial.hand_over().await.unwrap();
    trial.last.cancel();
    trial.run(deliveries).await.unwrap();
    assert!(trial.counts("messages_total{outcome=\"failed\"} 1"));
}

/// A store that goes away once messages are taken over: a question has its
/// second, and no answer.
struct GoneAfterwards;

async fn silent<T>() -> Result<T, Unavailable> {
    sleep(Duration::from_secs(1)).await;
    Err(Unavailable("no answer in time".to_owned()))
}

#[async_trait]
impl GuardStore for GoneAfterwards {
    async fn admit(&self, _: &Admission, _: UnixMillis) -> Result<Vec<Exceeded>, Unavailable> {
        Ok(Vec::new())
    }

    async fn settle(&self, _: &[Uuid]) -> Result<(), Unavailable> {
        silent().await
    }

    async fn resolve(
        &self,
        _: &Mac,
        _: Fate,
        _: UnixMillis,
    ) -> Result<Option<String>, Unavailable> {
        silent().await
    }

    async fn look_round(&self, _: UnixMillis, _: UnixMillis) -> Result<Round, Unavailable> {
        silent().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_store_does_not_hold_up_the_end() {
    let judge = Judge {
        least_percent: 10,
        sample: 100,
    };
    let rules = GuardRules::new(Tables::default(), Some(judge), DryRun::default()).unwrap();
    let hasher = Arc::new(Hasher::new(&SecretKey::new([0; 32])));
    let metrics = Metrics::default();
    let guards = Guards::new(rules, Arc::new(GoneAfterwards), hasher, &metrics);
    let (trial, deliveries) = Trial::guarded(Arc::new(guards), 60, 1_000, 1);
    for _ in 0..500 {
        trial.hand_over().await.unwrap();
    }
    let running = trial.run(deliveries);
    trial.closing.cancel();
    running.await.unwrap();
    assert!(
        trial.began.elapsed() < Duration::from_secs(9),
        "{:?}",
        trial.began.elapsed()
    );
    assert!(trial.counts("messages_total{outcome=\"abandoned\"} 500"));
}

/// Whether the breaker lets another message pass, after 3 that a provider had to
/// send and whose codes nobody entered.
async fn passes_after_three_by(provider: Arc<dyn Provider>, in_queue: Duration) -> bool {
    let metrics = Metrics::default();
    let judge = Judge {
        least_percent: 10,
        sample: 3,
    };
    let rules = GuardRules::new(Tables::default(), Some(judge), DryRun::default()).unwrap();
    let hasher = Hasher::new(&kit::settings::SecretKey::new([0; 32]));
    let store = Arc::<MemoryGuards>::default();
    let guards = Arc::new(Guards::new(rules, store, Arc::new(hasher), &metrics));
    let clock = Arc::new(HeldClock::new(UnixMillis(0)));
    let limits = QueueLimits {
        waiting: 10,
        at_once: 1,
    };
    let chain = Chain::new(vec![provider], Duration::from_secs(15), &metrics);
    let (sms, deliveries) = open(chain, guards, limits, clock.clone(), &metrics);
    let hand_over = async || {
        let place = sms.place().unwrap();
        sms.hand_over(place, message(), clock.now()).await
    };
    for _ in 0..3 {
        hand_over().await.unwrap();
    }
    clock.advance(in_queue);
    let last = CancellationToken::new();
    let running = tokio::spawn(deliveries.run(CancellationToken::new(), last.clone()));
    let ended = "customauth_sms_queue_messages 0\n";
    while !metrics.render().contains(ended) {
        sleep(Duration::from_millis(1)).await;
    }
    last.cancel();
    running.await.unwrap();
    clock.advance(Duration::from_secs(300));
    sms.guards.admit(&message(), clock.now()).await.is_ok()
}

#[tokio::test(start_paused = true)]
async fn what_surely_reached_nobody_is_not_held_against_whoever_asked() {
    let slow = |takes| Slow {
        takes: Duration::from_secs(takes),
        taken: Mutex::default(),
    };
    let at_once = Duration::ZERO;
    assert!(passes_after_three_by(Arc::new(Down), at_once).await);
    // In the queue until its code had ended.
    let too_late = Duration::from_secs(120);
    assert!(passes_after_three_by(Arc::new(slow(1)), too_late).await);
    // It was sent, or may have been.
    assert!(!passes_after_three_by(Arc::new(slow(1)), at_once).await);
    assert!(!passes_after_three_by(Arc::new(slow(60)), at_once).await);
}
