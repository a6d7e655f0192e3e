//! Challenges with a fixed code: free of limits, and at nobody's cost.

use std::collections::HashSet;

use auth_service::challenges::Challenges;

use super::*;

fn code(digits: &str) -> Code {
    Code::parse(digits).unwrap()
}

impl Bench {
    async fn start_fixed(&self, phone: &str, client: &str, digits: &str) -> Started {
        self.challenges
            .start_fixed(
                &number(phone),
                None,
                ip(client),
                &code(digits),
                self.clock.now(),
            )
            .await
            .unwrap()
    }

    /// The phone that a bare code signs in at an address.
    async fn bare(&self, digits: &str, client: &str) -> Option<PhoneNumber> {
        let answered = self
            .challenges
            .answer(Carrier::Bare, &code(digits), ip(client), self.clock.now())
            .await
            .unwrap();
        answered.map(|matched| matched.phone)
    }
}

/// Neither the address's starts nor the phone's own, should it become an ordinary
/// one.
pub(super) async fn a_thousand_fixed_codes_use_up_nothing(bench: Bench) {
    let bench = bench.limited(|rules| {
        rules.starts_per_client = 2;
        rules.phone_limits.per_phone = 3;
        rules.phone_limits.per_phone_and_address = 2;
        rules.phone_limits.gap = Duration::from_secs(30);
    });
    for _ in 0..1_000 {
        let started = bench.start_fixed(ANNA, HOME, "1234").await;
        assert_eq!(started.code.digits(), "1234");
        assert_eq!(started.expires_at, bench.clock.now().after(LIFETIME));
    }
    let own = bench.start(ANNA, HOME).await;
    assert_eq!(own.code.digits().len(), 4);
    let other = bench.start(BORIS, HOME).await;
    assert!(bench.takes(Carrier::Bare, &own.code, HOME).await);
    assert!(bench.takes(Carrier::Bare, &other.code, HOME).await);
    let refused = bench.try_start("+77010000003", HOME).await;
    assert!(refused.is_err(), "the address's limit is there");
    // And where it is used up, fixed codes are started all the same.
    let started = bench.start_fixed(BORIS, HOME, "4321").await;
    assert!(bench.takes(Carrier::Bare, &started.code, HOME).await);
}

pub(super) async fn a_bare_fixed_code_finds_its_own_phone(bench: Bench) {
    bench.start(ANNA, HOME).await;
    let anna = bench.start_fixed("+77000000001", HOME, "1234").await;
    let boris = bench.start_fixed("+77000000002", HOME, "567890").await;
    for (digits, started) in [("1234", &anna), ("567890", &boris)] {
        let found = bench.bare(digits, HOME).await;
        assert!(found.is_some(), "{digits}");
        assert_eq!(bench.bare(digits, AWAY).await, None);
        let named = bench.challenges.answer(
            Carrier::Id(started.id),
            &started.code,
            ip(AWAY),
            bench.clock.now(),
        );
        assert_eq!(named.await.unwrap().map(|matched| matched.phone), found);
    }
    assert_eq!(bench.bare("1234", HOME).await, Some(number("+77000000001")));
}

/// The code cannot give way: what has it keeps it, and the later one has its name.
pub(super) async fn a_fixed_code_that_is_taken_answers_by_name(bench: Bench) {
    let first = bench.start_fixed(ANNA, HOME, "1234").await;
    let second = bench.start_fixed(ANNA, HOME, "1234").await;
    bench.spend(&first).await;
    assert_eq!(bench.bare("1234", HOME).await, None);
    assert!(
        bench
            .takes(Carrier::Id(second.id), &second.code, HOME)
            .await
    );
    bench.start_fixed(ANNA, HOME, "1234").await;
    assert_eq!(bench.bare("1234", HOME).await, Some(number(ANNA)));
}

pub(super) async fn a_fixed_code_can_be_tried_five_times(bench: Bench) {
    let started = bench.start_fixed(ANNA, HOME, "1234").await;
    for carrier in [Carrier::Id(started.id), Carrier::Bare] {
        for _ in 0..4 {
            assert!(!bench.takes(carrier, &code("4321"), HOME).await);
        }
        assert!(bench.takes(carrier, &started.code, HOME).await);
        assert!(!bench.takes(carrier, &code("4321"), HOME).await);
        assert!(!bench.takes(carrier, &started.code, HOME).await);
    }
    bench.clock.advance(LIFETIME);
    let again = bench.start_fixed(ANNA, HOME, "1234").await;
    for carrier in [Carrier::Id(again.id), Carrier::Bare] {
        assert!(bench.takes(carrier, &again.code, HOME).await);
        bench.clock.advance(Duration::from_millis(119_999));
        assert!(bench.takes(carrier, &again.code, HOME).await);
        bench.clock.advance(Duration::from_millis(1));
        assert!(!bench.takes(carrier, &again.code, HOME).await);
        bench.start_fixed(ANNA, HOME, "1234").await;
    }
}

/// Whoever enters a fixed code bare must not come into somebody else's account.
pub(super) async fn codes_that_are_fixed_are_drawn_for_nobody_else(bench: Bench) {
    let fixed: Vec<Code> = (0..9_900).map(|each| code(&format!("{each:04}"))).collect();
    let hasher = Arc::new(Hasher::new(&bench.pepper));
    let rules = usual_rules(BareCodes::On);
    let random = Arc::new(SystemRandom::default());
    let challenges =
        Challenges::new(bench.store.clone(), hasher, rules, random).never_drawing(&fixed);
    let bench = Bench {
        challenges: Arc::new(challenges),
        ..bench
    };
    let mut drawn = HashSet::new();
    for each in 0..20 {
        let started = bench.start(&format!("+7701{each:07}"), HOME).await;
        assert!(started.code.digits() >= "9900", "{}", started.code.digits());
        drawn.insert(started.code);
    }
    assert_eq!(drawn.len(), 20);
}
