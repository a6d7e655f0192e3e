//! One suite for every challenge store: what the rules of challenges promise,
//! with the clock held by the test.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::{net::IpAddr, sync::Arc, time::Duration};

use auth_service::{
    challenges::{
        BareCodes, Carrier, ChallengeId, ChallengeRules, ChallengeStoreUrl, Challenges, Refused,
        Started,
        store::{ChallengeStore, PhoneLimits},
    },
    code::Code,
    mac::Hasher,
    phone::{PhoneCheck, PhoneNumber},
    stores::Stores,
};
use kit::{
    clock::{Clock as _, HeldClock, UnixMillis},
    random::{SystemRandom, bytes},
    settings::SecretKey,
};
use testkit::{PrivateRedis, PrivateRedisCluster};

#[path = "challenge_conformance/addresses.rs"]
mod addresses;
#[path = "challenge_conformance/fixed_codes.rs"]
mod fixed_codes;
#[path = "challenge_conformance/guessing.rs"]
mod guessing;
#[path = "challenge_conformance/limits.rs"]
mod limits;
#[path = "challenge_conformance/only_redis.rs"]
mod only_redis;

use addresses::*;
use fixed_codes::*;
use guessing::*;
use limits::*;

const LIFETIME: Duration = Duration::from_secs(120);
const DELIVERY: Duration = Duration::from_millis(1500);
const SHORT_IN_A_ROW: u32 = 3;
const FAILURES: u32 = 30;
const HOUR: Duration = Duration::from_secs(3600);

/// Stamps the suite on every store.
macro_rules! suite {
    ($($case:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $case() { super::$case(super::Bench::memory()).await; })*
        }
        mod redis {
            $(#[tokio::test] async fn $case() { super::$case(super::Bench::redis()).await; })*
        }
        mod cluster {
            $(#[tokio::test] async fn $case() { super::$case(super::Bench::cluster()).await; })*
        }
    };
}

suite![
    a_code_signs_in_by_id_and_by_address,
    a_match_spends_nothing_and_spending_ends_it,
    a_code_lives_from_its_delivery_on,
    five_tries_by_id,
    five_misses_at_the_address,
    a_challenge_started_later_has_its_own_misses,
    one_kind_of_tries_leaves_the_other_open,
    a_cookie_that_does_not_fit_costs_a_try_and_is_looked_up_bare,
    a_bare_code_counts_only_at_its_address,
    an_ipv6_client_is_its_network,
    codes_at_an_address_are_distinct,
    many_in_a_row_get_long_codes_until_a_sign_in,
    starts_are_forgotten_after_thirty_quiet_days,
    parallel_starts_are_all_counted,
    parallel_tries_are_all_counted,
    an_unknown_id_is_no_challenge,
    bare_codes_can_be_turned_off,
    starts_of_a_phone_are_limited,
    starts_of_a_phone_at_an_address_are_limited,
    starts_at_an_address_are_limited_and_cost_the_phone_nothing,
    the_phone_refuses_before_the_address,
    a_gap_between_two_starts_is_kept,
    a_start_that_is_taken_back_begins_no_gap,
    a_start_that_is_taken_back_begins_no_hour,
    clocks_of_replicas_need_not_agree,
    parallel_starts_keep_the_limit,
    misses_at_an_address_are_limited,
    a_thousand_guesses_at_one_phone_are_hopeless,
    a_thousand_fixed_codes_use_up_nothing,
    a_bare_fixed_code_finds_its_own_phone,
    a_fixed_code_that_is_taken_answers_by_name,
    a_fixed_code_can_be_tried_five_times,
    codes_that_are_fixed_are_drawn_for_nobody_else,
];

/// The rules over one store, of which this test is the only user.
struct Bench {
    challenges: Arc<Challenges>,
    store: Arc<dyn ChallengeStore>,
    pepper: SecretKey,
    clock: HeldClock,
}

impl Bench {
    fn memory() -> Self {
        Self::over("memory://")
    }

    fn redis() -> Self {
        Self::over(&PrivateRedis::shared().url())
    }

    fn cluster() -> Self {
        Self::over(&PrivateRedisCluster::shared().url())
    }

    fn over(url: &str) -> Self {
        let url: ChallengeStoreUrl = url.parse().unwrap();
        let store = Stores::open(&url).unwrap().challenges;
        // A pepper of its own keeps a test's keys apart from the others'.
        let pepper = SecretKey::new(bytes(&SystemRandom::default()));
        Self {
            challenges: Arc::new(rules(store.clone(), &pepper, BareCodes::On)),
            store,
            pepper,
            clock: HeldClock::new(UnixMillis(1_800_000_000_000)),
        }
    }

    async fn start(&self, phone: &str, client: &str) -> Started {
        self.challenges
            .start(&number(phone), None, ip(client), DELIVERY, self.clock.now())
            .await
            .unwrap()
    }

    /// The same over other limits, in the same store.
    fn limited(self, change: impl FnOnce(&mut ChallengeRules)) -> Self {
        let mut rules = usual_rules(BareCodes::On);
        change(&mut rules);
        Self {
            challenges: Arc::new(with_rules(self.store.clone(), &self.pepper, rules)),
            ..self
        }
    }

    /// Starts a challenge, or tells for how long none can be.
    async fn try_start(&self, phone: &str, client: &str) -> Result<Started, Duration> {
        let now = self.clock.now();
        self.challenges
            .start(&number(phone), None, ip(client), DELIVERY, now)
            .await
            .map_err(|refused| match refused {
                Refused::TooMany { retry_after } => retry_after,
                Refused::Unavailable(error) => panic!("{error}"),
            })
    }

    async fn takes(&self, carrier: Carrier, code: &Code, client: &str) -> bool {
        self.challenges
            .answer(carrier, code, ip(client), self.clock.now())
            .await
            .unwrap()
            .is_some()
    }

    async fn spend(&self, started: &Started) {
        let matched = self
            .challenges
            .answer(
                Carrier::Id(started.id),
                &started.code,
                ip("192.0.2.99"),
                self.clock.now(),
            )
            .await
            .unwrap()
            .unwrap();
        self.challenges.spend(&matched, &started.code).await;
    }
}

fn usual_rules(bare_codes: BareCodes) -> ChallengeRules {
    ChallengeRules {
        code_length: 4,
        lifetime: LIFETIME,
        short_in_a_row: SHORT_IN_A_ROW,
        bare_codes,
        phone_limits: PhoneLimits {
            per_phone: 2_000,
            per_phone_and_address: 1_000,
            gap: Duration::ZERO,
        },
        starts_per_client: 100_000,
        failures_per_client: FAILURES,
    }
}

fn rules(store: Arc<dyn ChallengeStore>, pepper: &SecretKey, bare_codes: BareCodes) -> Challenges {
    with_rules(store, pepper, usual_rules(bare_codes))
}

fn with_rules(
    store: Arc<dyn ChallengeStore>,
    pepper: &SecretKey,
    rules: ChallengeRules,
) -> Challenges {
    let hasher = Arc::new(Hasher::new(pepper));
    Challenges::new(store, hasher, rules, Arc::new(SystemRandom::default()))
}

fn number(text: &str) -> PhoneNumber {
    PhoneNumber::parse(text, PhoneCheck::Possible).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A code that is not this one.
fn other(code: &Code) -> Code {
    let digits: String = code
        .digits()
        .chars()
        .map(|digit| if digit == '9' { '0' } else { '9' })
        .collect();
    Code::parse(&digits).unwrap()
}

const ANNA: &str = "+77010000001";
const BORIS: &str = "+77010000002";
const HOME: &str = "192.0.2.1";
const AWAY: &str = "198.51.100.7";

async fn a_code_signs_in_by_id_and_by_address(bench: Bench) {
    for invite in [None, Some("HdGzEG"), Some(" 1 \n\0é ")] {
        signs_in_by_id_and_by_address(&bench, invite).await;
    }
}

async fn signs_in_by_id_and_by_address(bench: &Bench, invite: Option<&str>) {
    let invited_by = invite.map(str::to_owned);
    let now = bench.clock.now();
    let invited = bench
        .challenges
        .start(&number(ANNA), invited_by, ip(HOME), DELIVERY, now)
        .await
        .unwrap();
    for (carrier, client) in [
        (Carrier::Id(invited.id), HOME),
        (Carrier::Id(invited.id), AWAY),
        (Carrier::Cookie(invited.id), AWAY),
        (Carrier::Bare, HOME),
    ] {
        let matched = bench
            .challenges
            .answer(carrier, &invited.code, ip(client), bench.clock.now())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(matched.id, invited.id);
        assert_eq!(matched.phone, number(ANNA));
        assert_eq!(matched.invited_by.as_deref(), invite);
    }
}

async fn a_match_spends_nothing_and_spending_ends_it(bench: Bench) {
    let started = bench.start(ANNA, HOME).await;
    for _ in 0..20 {
        assert!(
            bench
                .takes(Carrier::Id(started.id), &started.code, HOME)
                .await
        );
        assert!(bench.takes(Carrier::Bare, &started.code, HOME).await);
    }
    bench.spend(&started).await;
    assert!(
        !bench
            .takes(Carrier::Id(started.id), &started.code, HOME)
            .await
    );
    assert!(!bench.takes(Carrier::Bare, &started.code, HOME).await);
}

async fn a_code_lives_from_its_delivery_on(bench: Bench) {
    let started = bench.start(ANNA, HOME).await;
    let end = bench.clock.now().after(DELIVERY).after(LIFETIME);
    assert_eq!(started.expires_at, end);
    bench
        .clock
        .advance(DELIVERY + Duration::from_millis(119_999));
    assert!(
        bench
            .takes(Carrier::Id(started.id), &started.code, HOME)
            .await
    );
    assert!(bench.takes(Carrier::Bare, &started.code, HOME).await);
    bench.clock.advance(Duration::from_millis(1));
    assert!(
        !bench
            .takes(Carrier::Id(started.id), &started.code, HOME)
            .await
    );
    assert!(!bench.takes(Carrier::Bare, &started.code, HOME).await);
}

async fn an_unknown_id_is_no_challenge(bench: Bench) {
    let started = bench.start(ANNA, HOME).await;
    let id = ChallengeId::draw(started.id.slot(), &SystemRandom::default());
    assert!(!bench.takes(Carrier::Id(id), &started.code, HOME).await);
    assert!(bench.takes(Carrier::Cookie(id), &started.code, HOME).await);
}
