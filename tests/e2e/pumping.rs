//! Somebody lives off the messages: asks for thousands of codes to numbers of
//! one dear country, from hundreds of addresses. What the running product lets
//! pass, and how everybody else fares meanwhile.

mod crowd;
mod refusals;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use kit::clock::{Clock as _, SystemClock};
use testkit::{PrivatePostgres, PrivateRedis};
use tokio::{sync::Mutex, task::JoinSet};

use crate::{
    common::{Product, http::Answer},
    sms::{
        flags,
        receivers::{Receiver, Reply},
    },
};
use crowd::Crowd;

const DAY: u64 = 24 * 3_600;
/// The attacker's addresses.
const ADDRESSES: usize = 500;
/// Requests at a time.
const CALLERS: usize = 64;
/// Other people, evenly in between.
const OTHERS: usize = 20;
/// Messages that a day may have to the dear country.
const BUDGET: usize = 200;
/// A busy machine may keep Redis from answering within its second. Such a request
/// is refused, and may have been counted.
const DOWN: &str = "DEPENDENCY_UNAVAILABLE";
/// How long somebody may wait, from the request for a code until they are signed
/// in: generous to a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);

/// A valid number of Côte d'Ivoire for each number.
fn ivorian(each: usize) -> String {
    let carrier = ["01", "05", "07"][each % 3];
    format!("+225{carrier}{each:08}")
}

fn attacker(each: usize) -> String {
    let address = each % ADDRESSES;
    format!("203.0.{}.{}", address / 100, address % 100)
}

/// Somebody else, each at home.
fn somebody(each: usize) -> (String, String) {
    let number = match each % 3 {
        0 => format!("+7701{each:07}"),
        1 => format!("+4915{:09}", 100_000_000 + each),
        _ => format!("+336{:08}", 10_000_000 + each),
    };
    (number, format!("198.51.100.{each}"))
}

/// Seconds until the day's budget is a new one.
fn until_midnight() -> u64 {
    let now = u64::try_from(SystemClock.now().seconds()).unwrap();
    DAY - now % DAY
}

fn today() -> i64 {
    SystemClock.now().seconds() / i64::try_from(DAY).unwrap()
}

/// What came of it all.
#[derive(Default)]
struct Outcome {
    passed: BTreeSet<String>,
    /// By `Error-Code`.
    refused: BTreeMap<String, usize>,
    /// How long the others took, each.
    others: Vec<Duration>,
}

impl Outcome {
    fn add(&mut self, other: Self) {
        self.passed.extend(other.passed);
        for (reason, count) in other.refused {
            *self.refused.entry(reason).or_default() += count;
        }
        self.others.extend(other.others);
    }

    fn note(&mut self, phone: String, answer: &Answer, wait: u64) {
        if answer.status == 200 {
            assert!(!answer.body.contains("(use "), "{}", answer.body);
            self.passed.insert(phone);
            return;
        }
        let reason = answer.header("error-code").to_owned();
        let down = (answer.status, &*reason) == (503, DOWN);
        assert!(down || answer.status == 429, "{}", answer.body);
        *self.refused.entry(reason).or_default() += 1;
        if down {
            return;
        }
        let told: u64 = answer.header("retry-after").parse().unwrap();
        // Midnight may have come in between.
        let now = until_midnight();
        let right = (now..=wait + 1).contains(&told) || now > wait;
        assert!(right, "{told} s, and it is {wait} s to midnight");
    }
}

/// So many requests for codes, and among them the others'.
async fn flood(crowd: Crowd, receiver: Arc<Receiver>, requests: usize) -> Outcome {
    let next = Arc::new(AtomicUsize::new(0));
    let every = requests / OTHERS;
    let mut callers = JoinSet::new();
    for _ in 0..CALLERS {
        let (next, crowd, receiver) = (next.clone(), crowd.clone(), receiver.clone());
        callers.spawn(async move {
            let mut outcome = Outcome::default();
            loop {
                let each = next.fetch_add(1, Ordering::Relaxed);
                if each >= requests {
                    return outcome;
                }
                let phone = ivorian(each);
                let wait = until_midnight();
                let answer = crowd.ask(&attacker(each), &phone).await;
                outcome.note(phone, &answer, wait);
                if each % every == every / 2 {
                    let (phone, client) = somebody(each / every);
                    let took = crowd.sign_in(&receiver, &client, &phone).await;
                    outcome.others.push(took);
                }
            }
        });
    }
    let mut all = Outcome::default();
    while let Some(outcome) = callers.join_next().await {
        all.add(outcome.unwrap());
    }
    all
}

/// The settings of a product that trusts what the test says of addresses.
fn settings(receiver: &Receiver, more: &[&str]) -> Vec<String> {
    let mut settings = flags("webhook", receiver, receiver);
    settings.push("--gateway-trusted-proxies=127.0.0.1/32".to_owned());
    settings.extend(more.iter().map(|&flag| flag.to_owned()));
    settings
}

fn borrowed(flags: &[String]) -> Vec<&str> {
    flags.iter().map(String::as_str).collect()
}

/// PostgreSQL, and a Redis whose counts are nobody else's.
struct Servers {
    redis: PrivateRedis,
    auth: String,
    profile: String,
}

impl Servers {
    fn start() -> Self {
        let postgres = PrivatePostgres::shared();
        Self {
            redis: PrivateRedis::start(),
            auth: postgres.create_database("auth"),
            profile: postgres.create_database("profile"),
        }
    }

    async fn product(&self, flags: &[&str]) -> Product {
        Product::on(&self.auth, &self.profile, &self.redis.url(), flags).await
    }
}

/// A product that was pumped.
struct Trial {
    product: Product,
    receiver: Arc<Receiver>,
    outcome: Outcome,
    took: Duration,
    _servers: Option<Servers>,
}

const BUDGETS: [&str; 2] = [
    "--auth-sms-daily-messages=*=100000,+225=200",
    // No code ends before the test does, so that the breaker has none to judge.
    "--auth-otp-ttl-secs=1800",
];

async fn pumped(servers: Option<Servers>, requests: usize) -> Trial {
    let receiver = Arc::new(Receiver::start(&[Reply::Takes]).await);
    let flags = settings(&receiver, &BUDGETS);
    let product = match &servers {
        Some(servers) => servers.product(&borrowed(&flags)).await,
        None => Product::embedded(&borrowed(&flags)).await,
    };
    let began = Instant::now();
    let outcome = flood(Crowd::of(&product), receiver.clone(), requests).await;
    Trial {
        took: began.elapsed(),
        product,
        receiver,
        outcome,
        _servers: servers,
    }
}

/// One after the other: each of them keeps a machine busy.
static ALONE: Mutex<()> = Mutex::const_new(());

/// How long it took, how long the slowest of the others, and how many requests
/// found no Redis.
async fn the_budget_holds(
    servers: impl Fn() -> Option<Servers>,
    requests: usize,
) -> (Duration, Duration, usize) {
    let _alone = ALONE.lock().await;
    let mut day = today();
    let mut trial = pumped(servers(), requests).await;
    if today() != day {
        // At midnight the budget begins anew, and so does the test.
        day = today();
        trial = pumped(servers(), requests).await;
    }
    assert_eq!(today(), day);
    let Outcome {
        passed,
        mut refused,
        others,
    } = trial.outcome;
    let down = refused.remove(DOWN).unwrap_or(0);
    let least = BUDGET.saturating_sub(down);
    assert!((least..=BUDGET).contains(&passed.len()), "{refused:?}");
    let exhausted = requests - passed.len() - down;
    let exhausted = BTreeMap::from([("SMS_BUDGET_EXHAUSTED".to_owned(), exhausted)]);
    assert_eq!(refused, exhausted, "and {down} found no Redis");
    assert_eq!(others.len(), OTHERS);
    assert!(others.iter().all(|took| *took < PATIENCE), "{others:?}");

    // The end waits for what is queued: nothing is left that could still come.
    trial.receiver.messages(passed.len() + OTHERS).await;
    trial.product.stop().await;
    let sent = trial.receiver.sent();
    assert!(sent.len() <= BUDGET + OTHERS + down);
    let dear = sent.into_iter().map(|message| message.to);
    let dear: BTreeSet<_> = dear.filter(|phone| phone.starts_with("+225")).collect();
    assert_eq!(dear, passed);
    (trial.took, others.into_iter().max().unwrap(), down)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_budget_holds_to_the_message_and_others_sign_in_on_servers() {
    let (took, longest, down) = the_budget_holds(|| Some(Servers::start()), 10_000).await;
    println!(
        "10,000 requests in {took:?}, others signed in within {longest:?}; {down} found no Redis"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_budget_holds_to_the_message_and_others_sign_in_embedded() {
    let (took, longest, down) = the_budget_holds(|| None, 3_000).await;
    println!(
        "3,000 requests in {took:?}, others signed in within {longest:?}; {down} found no Redis"
    );
}
