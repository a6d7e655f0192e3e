//! What is under way, and what is lost.

use super::*;

pub(super) async fn a_lost_message_is_told_once(place: Place) {
    let bench = Bench::at(place, &[]);
    let killed = bench.replica(&[]);
    let delivered = killed.sends(&kazakh(1), HOME).await;
    killed.sends(&kazakh(2), HOME).await;
    bench.guards.look_round(bench.now()).await.unwrap();
    assert_eq!(bench.metric("customauth_sms_messages_under_way"), 2);
    killed.guards.settle(delivered.id).await;
    drop(killed);

    // Its code may still be entered, and who has it may be about to tell.
    bench.clock.advance(LIFETIME + Duration::from_secs(9));
    bench.guards.look_round(bench.now()).await.unwrap();
    assert_eq!(bench.metric("customauth_sms_messages_under_way"), 1);
    assert_eq!(bench.metric("customauth_sms_lost_total"), 0);
    bench.clock.advance(Duration::from_secs(1));
    let replicas: Vec<_> = (0..4).map(|_| bench.replica(&[])).collect();
    let looks = replicas.iter().map(|replica| async {
        replica.guards.look_round(replica.now()).await.unwrap();
        replica.metric("customauth_sms_lost_total")
    });
    let mut told = 0;
    for look in looks {
        told += look.await;
    }
    assert_eq!(told, 1);
    bench.guards.look_round(bench.now()).await.unwrap();
    assert_eq!(bench.metric("customauth_sms_lost_total"), 0);
    assert_eq!(bench.metric("customauth_sms_messages_under_way"), 0);
}

pub(super) async fn many_lost_messages_are_told(place: Place) {
    let bench = Bench::at(place, &[]);
    for each in 0..250 {
        bench.sends(&kazakh(each), HOME).await;
    }
    bench.clock.advance(DAY);
    let replica = bench.replica(&[]);
    let now = bench.now();
    let (one, other) = tokio::join!(bench.guards.look_round(now), replica.guards.look_round(now));
    one.and(other).unwrap();
    let told = [&bench, &replica].map(|it| it.metric("customauth_sms_lost_total"));
    assert_eq!(told.iter().sum::<i64>(), 250, "{told:?}");
}

pub(super) async fn what_is_refused_is_not_under_way(place: Place) {
    let bench = Bench::at(place, &["--auth-sms-daily-messages=1"]);
    bench.sends(&kazakh(1), HOME).await;
    bench.refused(&kazakh(2), HOME).await;
    bench.guards.look_round(bench.now()).await.unwrap();
    assert_eq!(bench.metric("customauth_sms_messages_under_way"), 1);
}

/// Fails when it is told to.
struct Broken {
    store: Arc<dyn GuardStore>,
    down: AtomicBool,
}

impl Broken {
    /// The answer that is lost: what was asked is done.
    fn answer<T>(&self, answer: Result<T, Unavailable>) -> Result<T, Unavailable> {
        if self.down.load(Ordering::Relaxed) {
            return Err(Unavailable("down".into()));
        }
        answer
    }
}

#[async_trait]
impl GuardStore for Broken {
    async fn admit(
        &self,
        admission: &Admission,
        now: UnixMillis,
    ) -> Result<Vec<Exceeded>, Unavailable> {
        self.answer(self.store.admit(admission, now).await)
    }

    async fn settle(&self, messages: &[Uuid]) -> Result<(), Unavailable> {
        self.answer(Ok(()))?;
        self.store.settle(messages).await
    }

    async fn resolve(
        &self,
        challenge: &Mac,
        fate: Fate,
        now: UnixMillis,
    ) -> Result<Option<String>, Unavailable> {
        self.answer(self.store.resolve(challenge, fate, now).await)
    }

    async fn look_round(&self, overdue: UnixMillis, now: UnixMillis) -> Result<Round, Unavailable> {
        self.answer(Ok(()))?;
        self.store.look_round(overdue, now).await
    }
}

#[tokio::test]
async fn an_outage_lets_nothing_pass_and_tells_nothing_as_lost() {
    let bench = Bench::at(Place::Memory, &[]);
    let broken = Arc::new(Broken {
        store: bench.store.clone(),
        down: AtomicBool::new(false),
    });
    let broken_bench = bench.over(broken.clone(), &[]);
    let guards = &broken_bench.guards;
    let sent = broken_bench.sends(&kazakh(1), HOME).await;
    broken.down.store(true, Ordering::Relaxed);
    guards.settle(sent.id).await;
    let unsure = broken_bench.message(&kazakh(2), HOME);
    let answer = guards.admit(&unsure, bench.now()).await;
    assert!(matches!(answer, Err(NotSent::Unavailable(_))));
    guards.entered(sent.challenge, bench.now()).await;
    assert!(guards.look_round(bench.now()).await.is_err());

    broken.down.store(false, Ordering::Relaxed);
    guards.look_round(bench.now()).await.unwrap();
    assert_eq!(broken_bench.metric("customauth_sms_messages_under_way"), 0);
    bench.clock.advance(HOUR);
    guards.look_round(bench.now()).await.unwrap();
    assert_eq!(broken_bench.metric("customauth_sms_lost_total"), 0);
}
