//! Random stories told to both stores of the guards' counts: they give the same
//! answers, to the millisecond of a wait. `GUARD_STORIES=1000` tells more.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use auth_service::{
    mac::Mac,
    sms::{
        guards::{
            slots::Judge,
            store::{Admission, Amount, Counter, Fate, GuardStore, Mode, SentCode, What},
        },
        prefixes::Prefix,
    },
    stores::Stores,
};
use kit::clock::UnixMillis;
use proptest::{prelude::*, test_runner::TestRunner};
use testkit::PrivateRedis;
use uuid::Uuid;

/// Something that happens, after some time.
#[derive(Clone, Debug)]
struct Event {
    after: Duration,
    step: Step,
}

#[derive(Clone, Debug)]
enum Step {
    Admit {
        prefix: usize,
        block: usize,
        amount: u64,
        budget: Mode,
        breaker: Mode,
        lifetime: Duration,
    },
    /// Of a message before, counted from the last one.
    Resolve(usize, Fate),
    Settle(usize),
    LookRound,
}

fn mode() -> impl Strategy<Value = Mode> {
    prop_oneof![4 => Just(Mode::Enforce), 1 => Just(Mode::DryRun)]
}

fn event() -> impl Strategy<Value = Event> {
    // Mostly seconds, at times what a window or a day has to be seen through.
    let after = prop_oneof![
        40 => (0u64..30_000).prop_map(Duration::from_millis),
        3 => (0u64..100).prop_map(|minutes| Duration::from_secs(60 * minutes)),
        1 => (0u64..30).prop_map(|hours| Duration::from_secs(3600 * hours)),
    ];
    let fate = prop_oneof![3 => Just(Fate::Entered), 1 => Just(Fate::NotSent)];
    let lifetime = prop_oneof![5 => Just(120u64), 1 => Just(1), 1 => Just(3600)];
    let admit = (0..3usize, 0..2usize, 0..5u64, mode(), mode(), lifetime);
    let admit = admit.prop_map(
        |(prefix, block, amount, budget, breaker, lifetime)| Step::Admit {
            prefix,
            block,
            amount,
            budget,
            breaker,
            lifetime: Duration::from_secs(lifetime),
        },
    );
    let step = prop_oneof![
        10 => admit,
        3 => (0..12usize, fate).prop_map(|(back, fate)| Step::Resolve(back, fate)),
        2 => (0..12usize).prop_map(Step::Settle),
        1 => Just(Step::LookRound),
    ];
    (after, step).prop_map(|(after, step)| Event { after, step })
}

fn amount(what: What, prefix: Option<&str>, amount: u64, most: u64) -> Amount {
    let prefix = prefix.map(|prefix| prefix.parse::<Prefix>().unwrap());
    Amount {
        counter: Counter { what, prefix },
        amount,
        most: Some(most),
    }
}

/// The answers to a story, as text.
async fn told(store: &Arc<dyn GuardStore>, run: u32, story: &[Event]) -> Vec<String> {
    const PREFIXES: [&str; 3] = ["+7", "+225", "+49"];
    // 20 minutes before midnight UTC, on a day of this run's own.
    let mut now = UnixMillis(86_400_000 * (20_000 + 100 * i64::from(run)) - 20 * 60_000);
    let mut sent: Vec<(Uuid, Mac)> = Vec::new();
    let mut answers = Vec::new();
    for (number, event) in story.iter().enumerate() {
        now = now.after(event.after);
        let before = |back: &usize| sent.iter().rev().nth(*back);
        let answer = match &event.step {
            Step::Admit {
                prefix,
                block,
                amount: cost,
                budget,
                breaker,
                lifetime,
            } => {
                let name = Uuid::from_u128(u128::from(run) << 64 | number as u128);
                let challenge = Mac::from_stored(format!("challenge-{run}-{number}"));
                let prefix = PREFIXES[*prefix];
                let admission = Admission {
                    message: name,
                    expires_at: now.after(*lifetime),
                    amounts: vec![
                        amount(What::Messages, None, 1, 14),
                        amount(What::Messages, Some(prefix), 1, 6),
                        amount(What::Cost, Some(prefix), *cost, 10),
                    ],
                    budget: *budget,
                    code: Some(SentCode {
                        challenge: challenge.clone(),
                        prefix: format!("{prefix}-{run}"),
                        block: Mac::from_stored(format!("block-{run}-{block}")),
                        judge: Judge {
                            least_percent: 34,
                            sample: 4,
                        },
                    }),
                    breaker: *breaker,
                };
                sent.push((name, challenge));
                format!("{:?}", store.admit(&admission, now).await.unwrap())
            }
            Step::Resolve(back, fate) => match before(back) {
                Some((_, challenge)) => {
                    let resolved = store.resolve(challenge, *fate, now).await;
                    format!("{:?}", resolved.unwrap())
                }
                None => continue,
            },
            Step::Settle(back) => match before(back) {
                Some((message, _)) => {
                    store.settle(&[*message]).await.unwrap();
                    continue;
                }
                None => continue,
            },
            Step::LookRound => {
                let round = store.look_round(now, now).await.unwrap();
                let mut counts: Vec<_> = round.counts.into_iter().collect();
                counts.sort_unstable();
                format!("{:?} {} {counts:?}", round.overdue, round.under_way)
            }
        };
        answers.push(answer);
    }
    // Nothing of this story is left to the next one.
    let end = now.after(Duration::from_secs(2 * 3600));
    while !store.look_round(end, end).await.unwrap().overdue.is_empty() {}
    answers
}

/// How many stories, unless `GUARD_STORIES` says it.
fn stories(usual: u32) -> u32 {
    let told = std::env::var_os("GUARD_STORIES");
    told.map_or(usual, |told| told.to_str().unwrap().parse().unwrap())
}

#[test]
fn both_stores_tell_the_same() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let redis = PrivateRedis::start();
    let open = |url: &str| Stores::open(&url.parse().unwrap()).unwrap().guards;
    let (memory, redis) = runtime.block_on(async { (open("memory://"), open(&redis.url())) });
    let config = ProptestConfig {
        cases: stories(60),
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let run = AtomicU32::new(0);
    let met = ["Amount(0)", "Amount(1)", "Amount(2)", "Prefix", "Block"].map(|limit| {
        let times = AtomicU32::new(0);
        (limit, times)
    });
    let story = proptest::collection::vec(event(), 1..120);
    let outcome = TestRunner::new(config).run(&story, |story| {
        let run = run.fetch_add(1, Ordering::Relaxed);
        let by_memory = runtime.block_on(told(&memory, run, &story));
        let by_redis = runtime.block_on(told(&redis, run, &story));
        for (limit, times) in &met {
            if by_memory.iter().any(|answer| answer.contains(limit)) {
                times.fetch_add(1, Ordering::Relaxed);
            }
        }
        prop_assert_eq!(by_memory, by_redis);
        Ok(())
    });
    outcome.unwrap();
    for (limit, times) in met {
        assert!(times.into_inner() > 0, "no story meets {limit}");
    }
}
