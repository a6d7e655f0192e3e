//! Somebody asks for thousands of codes to numbers of one dear country, from
//! hundreds of addresses, to get a share of what the messages cost: what they
//! get out of it, and how other countries' people fare meanwhile.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

#[path = "guards/common.rs"]
mod common;

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use auth_service::{
    challenges::{BareCodes, Carrier, ChallengeId, ChallengeRules, Challenges, store::PhoneLimits},
    mac::Hasher,
    phone::{PhoneCheck, PhoneNumber},
    sms::{
        Disclosure, NotSent, Place as Room, QueueFull, SimulatedSms, SmsSender,
        guards::{Guard, Guards},
        message::Message,
    },
    stores::Stores,
};
use common::{LIFETIME, MINUTE, MORNING, Place, ivorian, rules};
use kit::{
    clock::{Clock as _, HeldClock, SystemClock, UnixMillis},
    metrics::Metrics,
    random::{SystemRandom, bytes, uuid_v7},
    settings::SecretKey,
};

/// What they ask for, and from how many addresses.
const ASKED: u32 = 10_000;
const ADDRESSES: u32 = 500;
/// Of so many requests one is somebody else's.
const OTHERS: u32 = 20;
const CALLERS: u32 = 64;

/// A sender that delivers at once what the guards let pass.
struct Sender {
    guards: Guards,
    room: SimulatedSms,
    delivered: Mutex<Vec<PhoneNumber>>,
}

#[async_trait]
impl SmsSender for Sender {
    fn place(&self) -> Result<Room, QueueFull> {
        self.room.place()
    }

    async fn hand_over(&self, _: Room, message: Message, now: UnixMillis) -> Result<(), NotSent> {
        self.guards.admit(&message, now).await?;
        self.delivered.lock().unwrap().push(message.phone);
        self.guards.settle(message.id).await;
        Ok(())
    }

    async fn entered(&self, challenge: ChallengeId, now: UnixMillis) {
        self.guards.entered(challenge, now).await;
    }

    fn disclosure(&self) -> Disclosure {
        Disclosure::Nowhere
    }
}

/// A replica of the service, as far as codes go.
struct Replica {
    challenges: Challenges,
    sender: Sender,
    clock: Arc<HeldClock>,
    random: SystemRandom,
}

/// Two replicas with the limits of a real provider.
fn replicas(url: &str, flags: &[&str]) -> Vec<Arc<Replica>> {
    let random = SystemRandom::default();
    let hasher = Arc::new(Hasher::new(&SecretKey::new(bytes(&random))));
    let clock = Arc::new(HeldClock::new(MORNING));
    let url = url.parse().unwrap();
    let open = || Stores::open(&url).unwrap();
    let mut stores = open();
    let mut replicas = Vec::new();
    for _ in 0..2 {
        if !format!("{url:?}").starts_with("memory") {
            stores = open();
        }
        let rules_of_codes = ChallengeRules {
            code_length: 4,
            lifetime: LIFETIME,
            short_in_a_row: 3,
            bare_codes: BareCodes::On,
            phone_limits: PhoneLimits {
                per_phone: 15,
                per_phone_and_address: 5,
                gap: Duration::from_secs(30),
            },
            starts_per_client: 60,
            failures_per_client: 30,
        };
        let (challenges, guards) = (stores.challenges.clone(), stores.guards.clone());
        let (hasher, clock) = (hasher.clone(), clock.clone());
        let metrics = Metrics::default();
        let drawn = Arc::new(random.clone());
        replicas.push(Arc::new(Replica {
            challenges: Challenges::new(challenges, hasher.clone(), rules_of_codes, drawn.clone()),
            sender: Sender {
                guards: Guards::new(rules(flags), guards, hasher, &metrics),
                room: SimulatedSms::new("0".parse().unwrap(), Arc::default(), drawn),
                delivered: Mutex::default(),
            },
            clock,
            random: random.clone(),
        }));
    }
    replicas
}

impl Replica {
    /// Asks for a code as `Auth` does: refused, and by which guard, or whether
    /// the code signs in.
    async fn ask(&self, number: &str, client: IpAddr, enters: Enters) -> Result<(), Guard> {
        let now = self.clock.now();
        // As with a real provider: only numbers that may be somebody's.
        let phone = PhoneNumber::parse(number, PhoneCheck::Valid).unwrap();
        let place = self.sender.place().unwrap();
        let started = self
            .challenges
            .start(&phone, None, client, place.delay, now)
            .await
            .unwrap();
        let message = Message {
            id: uuid_v7(&SystemClock, &self.random),
            phone,
            text: format!("Your code: {}", started.code.digits()),
            segments: 1,
            challenge: started.id,
            client,
            expires_at: started.expires_at,
        };
        if let Err(not_sent) = self.sender.hand_over(place, message, now).await {
            self.challenges.withdraw(&started).await.unwrap();
            return Err(match not_sent {
                NotSent::Guarded(refusal) => refusal.guard,
                NotSent::Unavailable(error) => panic!("{error}"),
            });
        }
        if let Enters::Code = enters {
            let carrier = Carrier::Id(started.id);
            let answered = self.challenges.answer(carrier, &started.code, client, now);
            let matched = answered.await.unwrap().unwrap();
            self.challenges.spend(&matched, &started.code).await;
            self.sender.entered(started.id, now).await;
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Enters {
    Code,
    Nothing,
}

/// One of the attacker's addresses: a hundred in each of five blocks.
fn attacker(each: u32) -> IpAddr {
    let address = each % ADDRESSES;
    let [.., high, low] = (address / 100 * 256 + address % 100).to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(203, 0, high, low))
}

/// Somebody else, each at home.
fn somebody(each: u32) -> (String, IpAddr) {
    let [.., high, low] = each.to_be_bytes();
    let address = IpAddr::V4(Ipv4Addr::new(198, high, low, 1));
    let number = match each % 3 {
        0 => format!("+7701{each:07}"),
        1 => format!("+4915{:09}", 100_000_000 + each),
        _ => format!("+336{:08}", 10_000_000 + each),
    };
    (number, address)
}

/// What came of it all.
#[derive(Default, Debug)]
struct Outcome {
    passed: u32,
    refused: u32,
    others: u32,
}

/// All requests at once, as many at a time as there are callers.
async fn flood(replicas: &[Arc<Replica>], guard: Guard, requests: u32) -> Outcome {
    let next = Arc::new(AtomicU32::new(0));
    let callers = (0..CALLERS).map(|caller| {
        let (next, replicas) = (next.clone(), replicas.to_vec());
        tokio::spawn(async move {
            let mut outcome = Outcome::default();
            loop {
                let each = next.fetch_add(1, Ordering::Relaxed);
                if each >= requests {
                    return outcome;
                }
                let replica = &replicas[(caller % 2) as usize];
                let number = ivorian(each);
                match replica.ask(&number, attacker(each), Enters::Nothing).await {
                    Ok(()) => outcome.passed += 1,
                    Err(by) => {
                        assert_eq!(by, guard);
                        outcome.refused += 1;
                    }
                }
                if each % OTHERS == 0 {
                    let (number, address) = somebody(each);
                    let asked = replica.ask(&number, address, Enters::Code).await;
                    assert_eq!(asked, Ok(()), "{number} is refused");
                    outcome.others += 1;
                }
            }
        })
    });
    let callers: Vec<_> = callers.collect();
    let mut all = Outcome::default();
    for caller in callers {
        let outcome = caller.await.unwrap();
        all.passed += outcome.passed;
        all.refused += outcome.refused;
        all.others += outcome.others;
    }
    all
}

fn delivered(replicas: &[Arc<Replica>], prefix: &str) -> usize {
    let of = |replica: &Arc<Replica>| {
        let delivered = replica.sender.delivered.lock().unwrap();
        let there = delivered
            .iter()
            .filter(|it| it.as_str().starts_with(prefix));
        there.count()
    };
    replicas.iter().map(of).sum()
}

async fn the_budget_holds_to_the_message(place: Place) {
    let flags = [
        "--auth-sms-daily-messages=*=1000,+225=50",
        "--auth-sms-prices=*=0.10,+225=0.25",
        "--auth-sms-daily-cost=*=100",
    ];
    let replicas = replicas(&place.url(), &flags);
    let outcome = flood(&replicas, Guard::Budget, ASKED).await;
    assert_eq!(outcome.passed, 50);
    assert_eq!(outcome.refused, ASKED - 50);
    assert_eq!(outcome.others, ASKED / OTHERS);
    assert_eq!(delivered(&replicas, "+225"), 50);
    assert_eq!(delivered(&replicas, "+"), 50 + (ASKED / OTHERS) as usize);
}

async fn a_budget_of_money_holds_to_the_cent(place: Place) {
    let flags = [
        "--auth-sms-daily-messages=*=none",
        "--auth-sms-prices=*=0.10,+225=0.27",
        "--auth-sms-daily-cost=*=200,+225=10.50",
    ];
    let replicas = replicas(&place.url(), &flags);
    let outcome = flood(&replicas, Guard::Budget, 2_000).await;
    // 38 × 0.27 = 10.26, and one more would be 10.53.
    assert_eq!(outcome.passed, 38);
    assert_eq!(delivered(&replicas, "+225"), 38);
    assert_eq!(outcome.others, 2_000 / OTHERS);
}

/// Without any budget, 250 a minute: the breaker alone.
async fn the_breaker_ends_it_within_minutes(place: Place) {
    const A_MINUTE: u32 = 250;
    const MINUTES: u32 = 10;
    let flags = ["--auth-sms-daily-messages=*=none"];
    let replicas = replicas(&place.url(), &flags);
    let mut passed = Vec::new();
    for each in 0..A_MINUTE * MINUTES {
        if each % A_MINUTE == 0 {
            passed.push(0);
            if each > 0 {
                replicas[0].clock.advance(MINUTE);
            }
        }
        let replica = &replicas[(each % 2) as usize];
        let number = ivorian(each);
        match replica.ask(&number, attacker(each), Enters::Nothing).await {
            Ok(()) => *passed.last_mut().unwrap() += 1,
            Err(by) => assert_eq!(by, Guard::Breaker),
        }
        if each % OTHERS == 0 {
            let (number, address) = somebody(each);
            let asked = replica.ask(&number, address, Enters::Code).await;
            assert_eq!(asked, Ok(()), "{number} is refused");
        }
    }
    // A code lives two minutes, and is judged when the minute is over in which
    // it ended.
    let mut expected = vec![A_MINUTE; 3];
    expected.resize(MINUTES as usize, 0);
    assert_eq!(passed, expected);
    assert_eq!(delivered(&replicas, "+225"), 750);
}

macro_rules! on_both {
    ($($case:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() { super::$case(super::Place::Memory).await; })*
        }
        mod redis {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() { super::$case(super::Place::redis()).await; })*
        }
    };
}

on_both![
    the_budget_holds_to_the_message,
    a_budget_of_money_holds_to_the_cent,
    the_breaker_ends_it_within_minutes,
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_budget_holds_on_a_cluster() {
    the_budget_holds_to_the_message(Place::cluster()).await;
}
