//! One suite for every store of the guards' counts: what the guards promise.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

#[path = "guards/bench.rs"]
mod bench;
#[path = "guard_conformance/breaker.rs"]
mod breaker;
#[path = "guard_conformance/budget.rs"]
mod budget;
#[path = "guards/common.rs"]
mod common;
#[path = "guard_conformance/journal.rs"]
mod journal;

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
use breaker::*;
use budget::*;
use common::{LIFETIME, MINUTE, Place, ivorian};
use journal::*;
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
