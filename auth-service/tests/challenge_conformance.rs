//! One suite for every challenge store: what the rules of challenges promise,
//! with the clock held by the test.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

use std::{net::IpAddr, sync::Arc, time::Duration};

use auth_service::{
    challenges::{
        BareCodes, Carrier, ChallengeId, ChallengeRules, ChallengeStoreUrl, Challenges, Refused,
        Started, open,
        store::{ChallengeStore, PhoneLimits},
    },
    code::Code,
    mac::Hasher,
    phone::{PhoneCheck, PhoneNumber},
};
use kit::{
    clock::{Clock as _, HeldClock, UnixMillis},
    random::{SystemRandom, bytes},
    settings::SecretKey,
};
use testkit::{PrivateRedis, PrivateRedisCluster};

#[path = "challenge_conformance/fixed_codes.rs"]
mod fixed_codes;

use fixed_codes::{
    a_bare_fixed_code_finds_its_own_phone, a_fixed_code_can_be_tried_five_times,
    a_fixed_code_that_is_taken_answers_by_name, a_thousand_fixed_codes_use_up_nothing,
    codes_that_are_fixed_are_drawn_for_nobody_else,
};

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
    a_gap_between_two_starts_is_kept,
    a_start_that_is_taken_back_begins_no_gap,
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
        let store = open(&url).unwrap();
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
    let invited = bench
        .challenges
        .start(
            &number(ANNA),
            Some("HdGzEG".to_owned()),
            ip(HOME),
            DELIVERY,
            bench.clock.now(),
        )
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
        assert_eq!(matched.invited_by.as_deref(), Some("HdGzEG"));
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

async fn five_tries_by_id(bench: Bench) {
    let started = bench.start(ANNA, HOME).await;
    let wrong = other(&started.code);
    for _ in 0..4 {
        assert!(!bench.takes(Carrier::Id(started.id), &wrong, AWAY).await);
    }
    assert!(
        bench
            .takes(Carrier::Id(started.id), &started.code, AWAY)
            .await
    );
    assert!(!bench.takes(Carrier::Id(started.id), &wrong, AWAY).await);
    assert!(
        !bench
            .takes(Carrier::Id(started.id), &started.code, AWAY)
            .await
    );
}

async fn five_misses_at_the_address(bench: Bench) {
    let started = bench.start(ANNA, HOME).await;
    let wrong = other(&started.code);
    for _ in 0..4 {
        assert!(!bench.takes(Carrier::Bare, &wrong, HOME).await);
    }
    assert!(bench.takes(Carrier::Bare, &started.code, HOME).await);
    assert!(!bench.takes(Carrier::Bare, &wrong, HOME).await);
    assert!(!bench.takes(Carrier::Bare, &started.code, HOME).await);
}

async fn a_challenge_started_later_has_its_own_misses(bench: Bench) {
    let early = bench.start(ANNA, HOME).await;
    // A code of a length that no challenge here has.
    let wrong = Code::parse("9999999999").unwrap();
    for _ in 0..3 {
        assert!(!bench.takes(Carrier::Bare, &wrong, HOME).await);
    }
    let late = bench.start(BORIS, HOME).await;
    for _ in 0..2 {
        assert!(!bench.takes(Carrier::Bare, &wrong, HOME).await);
    }
    assert!(
        !bench.takes(Carrier::Bare, &early.code, HOME).await,
        "five missed"
    );
    // That look-up was the third miss of the later one.
    assert!(bench.takes(Carrier::Bare, &late.code, HOME).await);
}

async fn one_kind_of_tries_leaves_the_other_open(bench: Bench) {
    let by_id = bench.start(ANNA, HOME).await;
    for _ in 0..5 {
        assert!(
            !bench
                .takes(Carrier::Id(by_id.id), &other(&by_id.code), HOME)
                .await
        );
    }
    assert!(!bench.takes(Carrier::Id(by_id.id), &by_id.code, HOME).await);
    assert!(bench.takes(Carrier::Bare, &by_id.code, HOME).await);

    let bare = bench.start(BORIS, AWAY).await;
    for _ in 0..5 {
        assert!(!bench.takes(Carrier::Bare, &other(&bare.code), AWAY).await);
    }
    assert!(!bench.takes(Carrier::Bare, &bare.code, AWAY).await);
    assert!(bench.takes(Carrier::Id(bare.id), &bare.code, AWAY).await);
}

async fn a_cookie_that_does_not_fit_costs_a_try_and_is_looked_up_bare(bench: Bench) {
    let kept = bench.start(ANNA, HOME).await;
    let asked = bench.start(BORIS, HOME).await;
    // The browser sends the cookie of the first challenge with the code of the
    // second: the address finds it.
    for _ in 0..5 {
        assert!(
            bench
                .takes(Carrier::Cookie(kept.id), &asked.code, HOME)
                .await
        );
    }
    // Each cost the first challenge a try.
    assert!(!bench.takes(Carrier::Id(kept.id), &kept.code, HOME).await);
    // An id does not fall through.
    assert!(!bench.takes(Carrier::Id(kept.id), &asked.code, HOME).await);
}

async fn a_bare_code_counts_only_at_its_address(bench: Bench) {
    let started = bench.start(ANNA, HOME).await;
    assert!(!bench.takes(Carrier::Bare, &started.code, AWAY).await);
    for _ in 0..10 {
        assert!(!bench.takes(Carrier::Bare, &started.code, AWAY).await);
    }
    assert!(bench.takes(Carrier::Bare, &started.code, HOME).await);
}

async fn an_ipv6_client_is_its_network(bench: Bench) {
    let started = bench.start(ANNA, "2001:db8:1:2:aaaa::1").await;
    let code = &started.code;
    assert!(
        bench
            .takes(Carrier::Bare, code, "2001:db8:1:2:bbbb::2")
            .await
    );
    assert!(
        !bench
            .takes(Carrier::Bare, code, "2001:db8:1:3:aaaa::1")
            .await
    );
    let mapped = bench.start(BORIS, "::ffff:192.0.2.1").await;
    assert!(bench.takes(Carrier::Bare, &mapped.code, HOME).await);
}

async fn codes_at_an_address_are_distinct(bench: Bench) {
    // With 1,000 of 10,000 codes drawn blindly some would meet: no pair does
    // with a chance of 10^-22.
    let mut codes = std::collections::HashMap::new();
    for each in 0..1_000 {
        let phone = format!("+7701{each:07}");
        let started = bench.start(&phone, HOME).await;
        let before = codes.insert(started.code.digits().to_owned(), phone);
        assert_eq!(before, None, "a code was given twice");
    }
    for (digits, phone) in codes {
        let code = Code::parse(&digits).unwrap();
        let matched = bench
            .challenges
            .answer(Carrier::Bare, &code, ip(HOME), bench.clock.now())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(
            matched.phone,
            number(&phone),
            "each bare code finds its own user"
        );
        let by_id = bench.takes(Carrier::Id(matched.id), &code, HOME).await;
        assert!(
            by_id,
            "a code that was drawn again is the challenge's by id too"
        );
    }
}

async fn many_in_a_row_get_long_codes_until_a_sign_in(bench: Bench) {
    let mut last = None;
    for row in 1..=5 {
        let started = bench.start(ANNA, HOME).await;
        let expected = if row <= SHORT_IN_A_ROW { 4 } else { 6 };
        assert_eq!(started.code.digits().len(), expected, "start {row}");
        assert!(bench.takes(Carrier::Bare, &started.code, HOME).await);
        last = Some(started);
    }
    assert_eq!(bench.start(BORIS, HOME).await.code.digits().len(), 4);
    bench.spend(&last.unwrap()).await;
    assert_eq!(bench.start(ANNA, HOME).await.code.digits().len(), 4);
}

async fn starts_are_forgotten_after_thirty_quiet_days(bench: Bench) {
    let day = Duration::from_secs(24 * 3600);
    for _ in 0..4 {
        bench.start(ANNA, HOME).await;
    }
    bench
        .clock
        .advance(30 * day.saturating_sub(Duration::from_millis(1)));
    assert_eq!(bench.start(ANNA, HOME).await.code.digits().len(), 6);
    bench.clock.advance(30 * day);
    assert_eq!(bench.start(ANNA, HOME).await.code.digits().len(), 4);
}

async fn parallel_starts_are_all_counted(bench: Bench) {
    let bench = Arc::new(bench);
    let starts: Vec<_> = (0..40)
        .map(|_| {
            let bench = bench.clone();
            tokio::spawn(async move { bench.start(ANNA, HOME).await.code.digits().len() })
        })
        .collect();
    let mut short = 0;
    for start in starts {
        short += u32::from(start.await.unwrap() == 4);
    }
    assert_eq!(short, SHORT_IN_A_ROW);
}

async fn parallel_tries_are_all_counted(bench: Bench) {
    let bench = Arc::new(bench);
    let started = Arc::new(bench.start(ANNA, HOME).await);
    // One of sixteen guesses is right: it is taken only if fewer than five
    // wrong ones came before it, and nothing is taken after them all.
    let wrong = other(&started.code);
    let guesses: Vec<_> = (0..16)
        .map(|_| {
            let (bench, started, wrong) = (bench.clone(), started.clone(), wrong.clone());
            tokio::spawn(async move { bench.takes(Carrier::Id(started.id), &wrong, AWAY).await })
        })
        .collect();
    for guess in guesses {
        assert!(!guess.await.unwrap());
    }
    assert!(
        !bench
            .takes(Carrier::Id(started.id), &started.code, AWAY)
            .await
    );
}

async fn an_unknown_id_is_no_challenge(bench: Bench) {
    let started = bench.start(ANNA, HOME).await;
    let id = ChallengeId::draw(started.id.slot(), &SystemRandom::default());
    assert!(!bench.takes(Carrier::Id(id), &started.code, HOME).await);
    assert!(bench.takes(Carrier::Cookie(id), &started.code, HOME).await);
}

async fn bare_codes_can_be_turned_off(bench: Bench) {
    let bench = Bench {
        challenges: Arc::new(rules(bench.store.clone(), &bench.pepper, BareCodes::Off)),
        ..bench
    };
    let started = bench.start(ANNA, HOME).await;
    assert!(!bench.takes(Carrier::Bare, &started.code, HOME).await);
    assert!(
        bench
            .takes(Carrier::Id(started.id), &started.code, HOME)
            .await
    );
}

async fn starts_of_a_phone_are_limited(bench: Bench) {
    let bench = bench.limited(|rules| rules.phone_limits.per_phone = 4);
    for client in [HOME, AWAY, "203.0.113.1", "203.0.113.2"] {
        bench.start(ANNA, client).await;
        bench.clock.advance(Duration::from_secs(60));
    }
    // The hour began with the first.
    let wait = bench.try_start(ANNA, HOME).await.unwrap_err();
    assert_eq!(wait, HOUR.saturating_sub(Duration::from_secs(240)));
    bench.start(BORIS, HOME).await;
    bench
        .clock
        .advance(wait.saturating_sub(Duration::from_millis(1)));
    let wait = bench.try_start(ANNA, HOME).await.unwrap_err();
    assert_eq!(wait, Duration::from_millis(1));
    bench.clock.advance(wait);
    bench.start(ANNA, HOME).await;
}

async fn starts_of_a_phone_at_an_address_are_limited(bench: Bench) {
    let bench = bench.limited(|rules| rules.phone_limits.per_phone_and_address = 2);
    bench.start(ANNA, HOME).await;
    bench.start(ANNA, HOME).await;
    assert_eq!(bench.try_start(ANNA, HOME).await.unwrap_err(), HOUR);
    bench.start(ANNA, AWAY).await;
    bench.start(BORIS, HOME).await;
}

async fn starts_at_an_address_are_limited_and_cost_the_phone_nothing(bench: Bench) {
    let bench = bench.limited(|rules| {
        rules.starts_per_client = 2;
        rules.phone_limits.per_phone = 3;
    });
    bench.start(BORIS, HOME).await;
    bench.start(BORIS, HOME).await;
    for _ in 0..20 {
        assert_eq!(bench.try_start(ANNA, HOME).await.unwrap_err(), HOUR);
    }
    // Neither her hour nor her short codes are used up by that.
    let started = bench.start(ANNA, AWAY).await;
    assert_eq!(started.code.digits().len(), 4);
    bench.start(ANNA, "203.0.113.1").await;
    bench.start(ANNA, "203.0.113.2").await;
    assert!(bench.try_start(ANNA, "203.0.113.3").await.is_err());
}

async fn a_gap_between_two_starts_is_kept(bench: Bench) {
    let gap = Duration::from_secs(30);
    let bench = bench.limited(|rules| rules.phone_limits.gap = gap);
    bench.start(ANNA, HOME).await;
    assert_eq!(bench.try_start(ANNA, HOME).await.unwrap_err(), gap);
    bench.start(ANNA, AWAY).await;
    bench.clock.advance(gap);
    bench.start(ANNA, HOME).await;
}

/// A guard or an outage has refused its message: the phone's owner may ask again
/// as if nothing had been asked for.
async fn a_start_that_is_taken_back_begins_no_gap(bench: Bench) {
    let gap = Duration::from_secs(30);
    let bench = bench.limited(|rules| {
        rules.phone_limits.gap = gap;
        rules.phone_limits.per_phone_and_address = 1;
    });
    for _ in 0..3 {
        let started = bench.start(ANNA, HOME).await;
        bench.challenges.withdraw(&started).await.unwrap();
        assert!(
            !bench
                .takes(Carrier::Id(started.id), &started.code, HOME)
                .await
        );
        assert!(!bench.takes(Carrier::Bare, &started.code, HOME).await);
    }
    bench.start(ANNA, HOME).await;
    assert!(bench.try_start(ANNA, HOME).await.unwrap_err() > gap);
}

async fn clocks_of_replicas_need_not_agree(bench: Bench) {
    bench.start(ANNA, HOME).await;
    let behind = UnixMillis(bench.clock.now().0 - 3_000);
    let started = bench
        .challenges
        .start(&number(ANNA), None, ip(HOME), DELIVERY, behind)
        .await
        .unwrap();
    assert!(bench.takes(Carrier::Bare, &started.code, HOME).await);
}

async fn parallel_starts_keep_the_limit(bench: Bench) {
    let bench = bench.limited(|rules| rules.phone_limits.per_phone = 5);
    let bench = Arc::new(bench);
    let starts: Vec<_> = (0..30)
        .map(|each| {
            let bench = bench.clone();
            let client = format!("203.0.113.{each}");
            tokio::spawn(async move { bench.try_start(ANNA, &client).await.is_ok() })
        })
        .collect();
    let mut started = 0;
    for start in starts {
        started += usize::from(start.await.unwrap());
    }
    assert_eq!(started, 5);
}

async fn misses_at_an_address_are_limited(bench: Bench) {
    let wrong = Code::parse("9999999999").unwrap();
    let answer = async |client: &str, code: &Code| {
        let now = bench.clock.now();
        bench
            .challenges
            .answer(Carrier::Bare, code, ip(client), now)
            .await
    };
    for _ in 0..FAILURES {
        assert!(matches!(answer(HOME, &wrong).await, Ok(None)));
        bench.clock.advance(Duration::from_secs(1));
    }
    let started = bench.start(ANNA, HOME).await;
    for code in [&wrong, &started.code] {
        let Err(Refused::TooMany { retry_after }) = answer(HOME, code).await else {
            panic!("not refused");
        };
        assert_eq!(retry_after, Duration::from_secs(600 - u64::from(FAILURES)));
    }
    // Elsewhere, and by id, nothing has changed.
    assert!(matches!(answer(AWAY, &wrong).await, Ok(None)));
    assert!(
        bench
            .takes(Carrier::Id(started.id), &started.code, HOME)
            .await
    );
    bench
        .clock
        .advance(Duration::from_secs(600 - u64::from(FAILURES)));
    let later = bench.start(ANNA, HOME).await;
    assert!(bench.takes(Carrier::Bare, &later.code, HOME).await);
}

/// Every guess that a hundred challenges of one phone take, by id and bare, all
/// opened first or one after another: the chance that one of them is right.
async fn a_thousand_guesses_at_one_phone_are_hopeless(bench: Bench) {
    let bench = bench.limited(|rules| rules.failures_per_client = 100_000);
    for (phone, all_first) in [(ANNA, true), (BORIS, false)] {
        let mut chance = 0.0;
        let mut guesses = 0;
        let mut open = Vec::new();
        for _ in 0..100 {
            open.push(bench.start(phone, HOME).await);
            if all_first && open.len() < 100 {
                continue;
            }
            for started in open.drain(..) {
                let taken = guesses_taken(&bench, &started).await;
                let codes = 10_f64.powi(i32::try_from(started.code.digits().len()).unwrap());
                chance += f64::from(taken) / codes;
                guesses += taken;
            }
        }
        // Bare guesses count against all that are open: fewer of them are left
        // where all were opened first.
        assert!((500..=1_000).contains(&guesses), "{guesses}");
        assert!(chance < 0.005, "{chance}");
        // And the owner signs in afterwards, from elsewhere.
        let own = bench.start(phone, AWAY).await;
        assert_eq!(own.code.digits().len(), 6);
        assert!(bench.takes(Carrier::Bare, &own.code, AWAY).await);
        bench.spend(&own).await;
        assert_eq!(bench.start(phone, AWAY).await.code.digits().len(), 4);
    }
}

/// Guesses at a challenge until it takes none: how many wrong codes came before
/// the right one is no longer taken, by id and then bare.
async fn guesses_taken(bench: &Bench, started: &Started) -> u32 {
    let wrong = other(&started.code);
    let mut taken = 0;
    for carrier in [Carrier::Id(started.id), Carrier::Bare] {
        while bench.takes(carrier, &started.code, HOME).await {
            assert!(!bench.takes(carrier, &wrong, HOME).await);
            taken += 1;
        }
    }
    taken
}

/// What only Redis can get wrong: its keys.
#[tokio::test]
async fn every_redis_key_expires_and_none_holds_a_code() {
    let redis = PrivateRedis::start();
    let bench = Bench::over(&redis.url());
    let started = bench.start(ANNA, HOME).await;
    let wrong = other(&started.code);
    assert!(!bench.takes(Carrier::Id(started.id), &wrong, HOME).await);
    assert!(!bench.takes(Carrier::Bare, &wrong, HOME).await);
    let keys = redis.raw(&["KEYS", "*"]);
    assert_eq!(keys.lines().count(), 9, "{keys}");
    for key in keys.lines() {
        let life: i64 = redis.raw(&["PTTL", key]).trim().parse().unwrap();
        assert!(life > 0, "{key} never expires");
        let content = match redis.raw(&["TYPE", key]).trim() {
            "hash" => redis.raw(&["HGETALL", key]),
            "zset" => redis.raw(&["ZRANGE", key, "0", "-1"]),
            _ => redis.raw(&["GET", key]),
        };
        let values: Vec<&str> = content.lines().collect();
        assert!(
            !values.contains(&started.code.digits()),
            "{key} holds the code"
        );
        assert!(!content.contains(HOME), "{key} holds the address");
    }
    bench.spend(&started).await;
    let keys = redis.raw(&["KEYS", "*"]);
    assert!(
        !keys.contains(":challenge:") && !keys.contains(":code:"),
        "{keys}"
    );
    assert!(!keys.contains(":starts:"), "{keys}");
}

#[tokio::test]
async fn redis_that_is_down_is_told_and_used_again_when_it_is_back() {
    let redis = PrivateRedis::start();
    let bench = Bench::over(&redis.url());
    bench.start(ANNA, HOME).await;
    redis.stop();
    let refused = bench
        .challenges
        .start(&number(ANNA), None, ip(HOME), DELIVERY, bench.clock.now())
        .await;
    assert!(refused.is_err());
    redis.start_again();
    // The connection is made again in the background: within a few seconds.
    for attempt in 0.. {
        let started = bench
            .challenges
            .start(&number(ANNA), None, ip(HOME), DELIVERY, bench.clock.now())
            .await;
        match started {
            Ok(started) => {
                assert!(
                    bench
                        .takes(Carrier::Id(started.id), &started.code, HOME)
                        .await
                );
                break;
            }
            Err(error) => assert!(attempt < 50, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
