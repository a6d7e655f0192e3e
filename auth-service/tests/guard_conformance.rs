//! One suite for every store of the guards' counts: what the guards promise.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

#[path = "guards/bench.rs"]
mod bench;
#[path = "guards/common.rs"]
mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use auth_service::{
    challenges::store::Unavailable,
    mac::Mac,
    sms::{
        NotSent,
        guards::{
            Guard,
            store::{Admission, Exceeded, Fate, GuardStore, Round},
        },
    },
};
use bench::{Bench, HOME, HOUR, kazakh};
use common::{LIFETIME, MINUTE, Place, ivorian};
use kit::clock::UnixMillis;
use uuid::Uuid;

const TO_MIDNIGHT: Duration = Duration::from_secs(16 * 3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Stamps the suite on every store.
macro_rules! suite {
    ($($case:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $case() { super::$case(super::Place::Memory).await; })*
        }
        mod redis {
            $(#[tokio::test] async fn $case() { super::$case(super::Place::redis()).await; })*
        }
    };
}

suite![
    a_country_that_is_not_named_gets_nothing,
    a_day_has_its_messages,
    without_settings_a_thousand_pass,
    the_longest_prefix_has_the_budget,
    what_is_refused_is_not_counted,
    money_is_counted_by_segments,
    parallel_callers_keep_the_budget,
    too_few_codes_of_a_prefix,
    too_few_codes_of_an_address_block,
    a_code_counts_once,
    a_code_counts_where_it_was_sent,
    what_was_not_sent_is_not_judged,
    the_breaker_can_be_off,
    the_longest_wait_is_told,
    a_dry_run_tells_and_lets_pass,
    replicas_may_have_other_settings,
    a_lost_message_is_told_once,
    many_lost_messages_are_told,
    what_is_refused_is_not_under_way,
    the_day_is_shown,
];

/// The suite takes a Redis Cluster for another Redis; that all keys are in one
/// slot shows in any case that has all of them.
#[tokio::test]
async fn a_cluster_serves() {
    too_few_codes_of_a_prefix(Place::cluster()).await;
    a_lost_message_is_told_once(Place::cluster()).await;
}

async fn a_country_that_is_not_named_gets_nothing(place: Place) {
    let bench = Bench::at(place, &["--auth-sms-countries=+7,+49"]);
    bench.sends(&kazakh(1), HOME).await;
    bench.sends("+4915112345678", HOME).await;
    let refused = bench.refused(&ivorian(1), HOME).await;
    assert_eq!(refused, (Guard::Countries, DAY));
    let labels = r#"guard="countries",limit="country",mode="enforce",prefix="other""#;
    assert_eq!(bench.refusals(labels), 1);
}

async fn a_day_has_its_messages(place: Place) {
    let bench = Bench::at(place, &["--auth-sms-daily-messages=3"]);
    for each in 0..3 {
        bench.sends(&kazakh(each), HOME).await;
    }
    let refused = bench.refused(&ivorian(1), HOME).await;
    assert_eq!(refused, (Guard::Budget, TO_MIDNIGHT));
    let labels = r#"guard="budget",limit="messages",mode="enforce",prefix="other""#;
    assert_eq!(bench.refusals(labels), 1);

    bench
        .clock
        .advance(TO_MIDNIGHT.saturating_sub(Duration::from_millis(1)));
    let refused = bench.refused(&kazakh(1), HOME).await;
    assert_eq!(refused, (Guard::Budget, Duration::from_millis(1)));
    bench.clock.advance(Duration::from_millis(1));
    for each in 0..3 {
        bench.sends(&kazakh(each), HOME).await;
    }
    assert_eq!(bench.refused(&kazakh(1), HOME).await, (Guard::Budget, DAY));
}

async fn without_settings_a_thousand_pass(place: Place) {
    // Naming one country's limit does not lift the one of all.
    let bench = Bench::at(place, &["--auth-sms-daily-messages=+225=5000"]);
    for each in 0..1000 {
        bench.sends(&ivorian(each), HOME).await;
    }
    assert_eq!(bench.refused(&ivorian(1), HOME).await.0, Guard::Budget);
    assert_eq!(bench.refused(&kazakh(1), HOME).await.0, Guard::Budget);
    let unlimited = bench.replica(&["--auth-sms-daily-messages=*=none"]);
    unlimited.sends(&kazakh(1), HOME).await;
}

async fn the_longest_prefix_has_the_budget(place: Place) {
    let bench = Bench::at(place, &["--auth-sms-daily-messages=*=10,+7=1,+77=2"]);
    for each in 0..2 {
        bench.sends(&kazakh(each), HOME).await;
    }
    assert_eq!(bench.refused(&kazakh(3), HOME).await.0, Guard::Budget);
    bench.sends("+79161234567", HOME).await;
    assert_eq!(bench.refused("+79161234567", HOME).await.0, Guard::Budget);
    bench.sends(&ivorian(1), HOME).await;
}

async fn what_is_refused_is_not_counted(place: Place) {
    let bench = Bench::at(place, &["--auth-sms-daily-messages=*=5,+225=2"]);
    for each in 0..2 {
        bench.sends(&ivorian(each), HOME).await;
    }
    for each in 0..20 {
        bench.refused(&ivorian(each), HOME).await;
    }
    for each in 0..3 {
        bench.sends(&kazakh(each), HOME).await;
    }
    bench.refused(&kazakh(1), HOME).await;
}

async fn money_is_counted_by_segments(place: Place) {
    let bench = Bench::at(
        place,
        &[
            "--auth-sms-prices=*=0.10,+225=0.07",
            "--auth-sms-daily-cost=*=0.50,+225=0.21",
        ],
    );
    let mut dear = bench.message(&ivorian(1), HOME);
    dear.segments = 2;
    bench.asks(&dear).await.unwrap();
    // 0.14 are spent: one segment more fits, and no two.
    let labels = r#"guard="budget",limit="cost",mode="enforce",prefix="+225""#;
    let mut another = bench.message(&ivorian(2), HOME);
    another.segments = 2;
    let refusal = bench.asks(&another).await.unwrap_err();
    assert_eq!(
        (refusal.guard, refusal.retry_after),
        (Guard::Budget, TO_MIDNIGHT)
    );
    assert_eq!(bench.refusals(labels), 1);
    bench.sends(&ivorian(2), HOME).await;
    bench.refused(&ivorian(3), HOME).await;
    // 0.21 of 0.50.
    for each in 0..2 {
        bench.sends(&kazakh(each), HOME).await;
    }
    bench.refused(&kazakh(3), HOME).await;
    bench.guards.look_round(bench.now()).await.unwrap();
    for (labels, cost) in [("all", 410_000), ("+225", 210_000)] {
        let name = format!("customauth_sms_budget_cost_millionths{{prefix=\"{labels}\"}}");
        assert_eq!(bench.metric(&name), cost);
        let limit = format!("customauth_sms_budget_limit_cost_millionths{{prefix=\"{labels}\"}}");
        assert!(bench.metric(&limit) >= cost);
    }
}

async fn parallel_callers_keep_the_budget(place: Place) {
    let flags = ["--auth-sms-daily-messages=*=120,+225=77"];
    let bench = Bench::at(place, &flags);
    let replicas: Vec<Arc<Bench>> = (0..4).map(|_| Arc::new(bench.replica(&flags))).collect();
    for replica in &replicas {
        // It is connected.
        replica.guards.look_round(replica.now()).await.unwrap();
    }
    let callers = (0..400).map(|each| {
        let bench = replicas[each as usize % replicas.len()].clone();
        tokio::spawn(async move {
            let number = if each % 2 == 0 {
                ivorian(each)
            } else {
                kazakh(each)
            };
            let message = bench.message(&number, HOME);
            bench.guards.admit(&message, bench.now()).await
        })
    });
    let callers: Vec<_> = callers.collect();
    let (mut admitted, mut unsure) = (0, 0);
    for caller in callers {
        match caller.await.unwrap() {
            Ok(()) => admitted += 1,
            Err(NotSent::Guarded(_)) => {}
            // No answer in time, on a busy machine: it may be counted, but is
            // not sent.
            Err(NotSent::Unavailable(_)) => unsure += 1,
        }
    }
    assert!(admitted <= 120, "{admitted} are sent");
    assert!(admitted + unsure >= 120, "{admitted} and perhaps {unsure}");
    bench.guards.look_round(bench.now()).await.unwrap();
    let counted = |prefix: &str| {
        bench.metric(&format!(
            "customauth_sms_budget_messages{{prefix=\"{prefix}\"}}"
        ))
    };
    assert_eq!(counted("all"), 120);
    assert!(counted("+225") <= 77);
}

/// Sends codes, of which the first are entered after a while.
async fn round_of_codes(bench: &Bench, numbers: &[(String, String)], entered: usize) {
    let mut challenges = Vec::new();
    for (number, client) in numbers {
        challenges.push(bench.sends(number, client).await.challenge);
    }
    bench.clock.advance(MINUTE);
    for challenge in &challenges[..entered] {
        bench.guards.entered(*challenge, bench.now()).await;
    }
}

/// Addresses of which each is in another block.
fn spread(each: u32) -> String {
    format!("10.{}.{}.7", each / 256, each % 256)
}

async fn too_few_codes_of_a_prefix(place: Place) {
    let bench = Bench::at(place, &[]);
    let numbers: Vec<_> = (0..100).map(|each| (ivorian(each), spread(each))).collect();
    round_of_codes(&bench, &numbers, 9).await;
    // They may still be entered, until the minute is over in which they end.
    bench.sends(&ivorian(1), &spread(1000)).await;
    bench
        .clock
        .advance(LIFETIME.saturating_sub(Duration::from_millis(1)));
    bench.sends(&ivorian(1), &spread(1000)).await;
    bench.clock.advance(Duration::from_millis(1));
    // Sent at 08:00, ended at 08:02, judged from 08:03 until 09:03; the two of
    // 08:01 and 08:03 come to it and are too few.
    let refused = bench.refused(&ivorian(1), &spread(1000)).await;
    assert_eq!(refused, (Guard::Breaker, HOUR));
    let labels = r#"guard="breaker",limit="prefix",mode="enforce",prefix="other""#;
    assert_eq!(bench.refusals(labels), 1);
    bench.sends(&kazakh(1), &spread(1000)).await;

    bench
        .clock
        .advance(HOUR.saturating_sub(Duration::from_millis(1)));
    let refused = bench.refused(&ivorian(1), &spread(1000)).await;
    assert_eq!(refused, (Guard::Breaker, Duration::from_millis(1)));
    bench.clock.advance(Duration::from_millis(1));
    bench.sends(&ivorian(1), &spread(1000)).await;

    // A tenth is enough.
    let numbers: Vec<_> = (0..100).map(|each| (kazakh(each), spread(each))).collect();
    round_of_codes(&bench, &numbers, 10).await;
    bench.clock.advance(LIFETIME);
    bench.sends(&kazakh(1), &spread(1000)).await;
}

async fn too_few_codes_of_an_address_block(place: Place) {
    let flags = ["--auth-sms-breaker-sample=20"];
    let bench = Bench::at(place, &flags);
    for (inside, also, outside) in [
        ("192.0.2", "192.0.2.99", "192.0.3.1"),
        ("2001:db8:1:2:", "2001:db8:1:ffff::1", "2001:db8:2::1"),
    ] {
        let separator = if inside.contains(':') { ":" } else { "." };
        let countries = ["+7701000000", "+49151123456", "+33612345"];
        let numbers: Vec<_> = (0..20)
            .map(|each| {
                let country = countries[each % 3];
                let digits = if country == "+33612345" { 3 } else { 1 };
                let number = format!("{country}{:0digits$}", each % 10);
                (number, format!("{inside}{separator}{}", each + 1))
            })
            .collect();
        round_of_codes(&bench, &numbers, 1).await;
        bench.clock.advance(LIFETIME);
        let (guard, _) = bench.refused(&ivorian(1), also).await;
        assert_eq!(guard, Guard::Breaker, "{also}");
        bench.sends(&ivorian(1), outside).await;
    }
    let labels = r#"guard="breaker",limit="address_block",mode="enforce",prefix="other""#;
    assert_eq!(bench.refusals(labels), 2);
}

async fn a_code_counts_once(place: Place) {
    let bench = Bench::at(place, &["--auth-sms-countries=+225"]);
    let mut sent = Vec::new();
    for each in 0..100 {
        sent.push(bench.sends(&ivorian(each), &spread(each)).await.challenge);
    }
    for challenge in sent[..9].iter().cycle().take(90) {
        bench.guards.entered(*challenge, bench.now()).await;
    }
    // Unknown ones count nowhere.
    let unknown = bench.message(&ivorian(1), HOME).challenge;
    bench.guards.entered(unknown, bench.now()).await;
    let metric = |name: &str| bench.metric(&format!("{name}{{prefix=\"+225\"}}"));
    assert_eq!(metric("customauth_sms_admitted_total"), 100);
    assert_eq!(metric("customauth_sms_entered_total"), 9);
    bench.clock.advance(LIFETIME + MINUTE);
    bench.refused(&ivorian(1), HOME).await;
}

async fn a_code_counts_where_it_was_sent(place: Place) {
    let bench = Bench::at(place, &[]);
    let mut late = Vec::new();
    for each in 0..100 {
        late.push(bench.sends(&ivorian(each), &spread(each)).await.challenge);
    }
    bench.clock.advance(Duration::from_secs(119));
    for challenge in &late[..20] {
        bench.guards.entered(*challenge, bench.now()).await;
    }
    let numbers: Vec<_> = (0..90).map(|each| (ivorian(each), spread(each))).collect();
    round_of_codes(&bench, &numbers, 0).await;
    // 20 of 190.
    bench.clock.advance(LIFETIME);
    bench.sends(&ivorian(1), HOME).await;
    // An hour after the first have ended there are 90 and none entered: too few
    // to be judged.
    bench.clock.advance(HOUR);
    bench.sends(&ivorian(1), HOME).await;
}

async fn what_was_not_sent_is_not_judged(place: Place) {
    let bench = Bench::at(place, &[]);
    for each in 0..200 {
        let message = bench.sends(&ivorian(each), HOME).await;
        if each % 2 == 0 {
            bench.guards.not_sent(&message, bench.now()).await;
            bench.guards.not_sent(&message, bench.now()).await;
        }
    }
    // One more is known late, when its code has ended.
    let message = bench.sends(&ivorian(1), HOME).await;
    bench.clock.advance(LIFETIME + Duration::from_secs(30));
    bench.guards.not_sent(&message, bench.now()).await;
    bench.guards.look_round(bench.now()).await.unwrap();
    assert_eq!(bench.metric("customauth_sms_lost_total"), 100, "not told");
    bench.clock.advance(MINUTE);
    let (guard, _) = bench.refused(&ivorian(1), HOME).await;
    assert_eq!(guard, Guard::Breaker, "100 of them were sent");

    bench.clock.advance(2 * HOUR);
    for each in 0..100 {
        let message = bench.sends(&ivorian(each), HOME).await;
        if each == 99 {
            bench.guards.not_sent(&message, bench.now()).await;
        }
    }
    bench.clock.advance(LIFETIME + MINUTE);
    bench.sends(&ivorian(1), HOME).await;
}

async fn the_breaker_can_be_off(place: Place) {
    let bench = Bench::at(place, &["--auth-sms-min-entered=0"]);
    let numbers: Vec<_> = (0..300)
        .map(|each| (ivorian(each), HOME.to_owned()))
        .collect();
    round_of_codes(&bench, &numbers, 1).await;
    bench.clock.advance(LIFETIME);
    bench.sends(&ivorian(1), HOME).await;
}

async fn the_longest_wait_is_told(place: Place) {
    let bench = Bench::at(place, &["--auth-sms-daily-messages=100"]);
    let numbers: Vec<_> = (0..100).map(|each| (ivorian(each), spread(each))).collect();
    round_of_codes(&bench, &numbers, 0).await;
    bench.clock.advance(LIFETIME);
    let passed = MINUTE + LIFETIME;
    let refused = bench.refused(&ivorian(1), HOME).await;
    assert_eq!(refused, (Guard::Budget, TO_MIDNIGHT.saturating_sub(passed)));
}

async fn a_dry_run_tells_and_lets_pass(place: Place) {
    let flags = [
        "--auth-sms-countries=+7",
        "--auth-sms-daily-messages=*=150,+225=10",
        "--auth-sms-dry-run=all",
    ];
    let bench = Bench::at(place, &flags);
    let numbers: Vec<_> = (0..100)
        .map(|each| (ivorian(each), HOME.to_owned()))
        .collect();
    round_of_codes(&bench, &numbers, 0).await;
    bench.clock.advance(LIFETIME);
    bench.sends(&ivorian(1), HOME).await;
    for (labels, expected) in [
        (
            r#"guard="countries",limit="country",mode="dry_run",prefix="+225""#,
            101,
        ),
        (
            r#"guard="budget",limit="messages",mode="dry_run",prefix="+225""#,
            91,
        ),
        (
            r#"guard="breaker",limit="prefix",mode="dry_run",prefix="+225""#,
            1,
        ),
        (
            r#"guard="breaker",limit="address_block",mode="dry_run",prefix="+225""#,
            1,
        ),
    ] {
        assert_eq!(bench.refusals(labels), expected, "{labels}");
    }
    assert!(!bench.metrics.render().contains("mode=\"enforce\""));

    // What passes is counted: one guard at a time may be switched on.
    let flags = [
        "--auth-sms-daily-messages=*=150,+225=10",
        "--auth-sms-dry-run=budget",
    ];
    let enforced = bench.replica(&flags);
    let (guard, _) = enforced.refused(&ivorian(1), HOME).await;
    assert_eq!(guard, Guard::Breaker);
    let labels = r#"guard="budget",limit="messages",mode="dry_run",prefix="+225""#;
    assert_eq!(
        enforced.refusals(labels),
        1,
        "told of what another refuses too"
    );
}

async fn replicas_may_have_other_settings(place: Place) {
    let bench = Bench::at(place, &["--auth-sms-daily-messages=*=5"]);
    let other = bench.replica(&["--auth-sms-daily-messages=*=10,+7=5"]);
    for each in 0..5 {
        bench.sends(&kazakh(each), HOME).await;
    }
    bench.refused(&kazakh(6), HOME).await;
    // Only this one counts by the prefix.
    for each in 0..5 {
        other.sends(&kazakh(each), HOME).await;
    }
    other.refused(&kazakh(6), HOME).await;
}

async fn a_lost_message_is_told_once(place: Place) {
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

async fn many_lost_messages_are_told(place: Place) {
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

async fn what_is_refused_is_not_under_way(place: Place) {
    let bench = Bench::at(place, &["--auth-sms-daily-messages=1"]);
    bench.sends(&kazakh(1), HOME).await;
    bench.refused(&kazakh(2), HOME).await;
    bench.guards.look_round(bench.now()).await.unwrap();
    assert_eq!(bench.metric("customauth_sms_messages_under_way"), 1);
}

async fn the_day_is_shown(place: Place) {
    let flags = ["--auth-sms-daily-messages=*=10,+7=5,+225=none"];
    let bench = Bench::at(place, &flags);
    bench.sends(&kazakh(1), HOME).await;
    bench.sends(&ivorian(1), HOME).await;
    bench.sends("+4915112345678", HOME).await;
    // Every replica shows what all have counted.
    let shown = bench.replica(&flags);
    let metric = |name: &str, prefix: &str| shown.metric(&format!("{name}{{prefix=\"{prefix}\"}}"));
    assert_eq!(metric("customauth_sms_budget_messages", "all"), 0);
    shown.guards.look_round(shown.now()).await.unwrap();
    for (prefix, count) in [("all", 3), ("+7", 1), ("+225", 1)] {
        assert_eq!(metric("customauth_sms_budget_messages", prefix), count);
    }
    assert_eq!(metric("customauth_sms_budget_limit_messages", "all"), 10);
    assert_eq!(metric("customauth_sms_budget_limit_messages", "+7"), 5);
    shown.clock.advance(DAY);
    shown.guards.look_round(shown.now()).await.unwrap();
    assert_eq!(metric("customauth_sms_budget_messages", "all"), 0);
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

/// In Redis: every key expires, and none tells whom a message went to, who asked
/// for it, or how its challenge is answered.
#[tokio::test]
async fn redis_keeps_nothing_for_long_and_nobody_by_name() {
    let flags = ["--auth-sms-prices=0.1", "--auth-sms-daily-messages=+225=5"];
    let bench = Bench::at(Place::redis(), &flags);
    let message = bench.sends(&ivorian(12_345_678), "198.51.100.7").await;
    bench.sends(&ivorian(1), "2001:db8:1:2::7").await;
    bench.guards.entered(message.challenge, bench.now()).await;
    let Place::Redis(redis) = &*bench.place else {
        panic!("a Redis of its own");
    };
    let keys = redis.raw(&["KEYS", "*"]);
    let mut seen = keys.clone();
    assert_eq!(keys.lines().count(), 2 + 1 + 1 + 2, "{keys}");
    for key in keys.lines() {
        assert!(key.starts_with("customauth:{sms}:"), "{key}");
        let life: i64 = redis.raw(&["TTL", key]).parse().unwrap();
        assert!((1..=8 * 24 * 3600).contains(&life), "{key} lives {life} s");
        let read: &[&str] = match &*redis.raw(&["TYPE", key]) {
            "hash" => &["HGETALL", key],
            _ => &["ZRANGE", key, "0", "-1", "WITHSCORES"],
        };
        seen += &redis.raw(read);
    }
    for personal in [
        "12345678",
        "198.51.100",
        "2001:db8",
        &*message.challenge.to_string(),
    ] {
        assert!(!seen.contains(personal), "{personal} in {seen}");
    }
}
