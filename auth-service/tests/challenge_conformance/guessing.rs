//! What guessing meets: the tries of a challenge, and codes that grow.

use super::*;

pub(super) async fn five_tries_by_id(bench: Bench) {
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

pub(super) async fn five_misses_at_the_address(bench: Bench) {
    let started = bench.start(ANNA, HOME).await;
    let wrong = other(&started.code);
    for _ in 0..4 {
        assert!(!bench.takes(Carrier::Bare, &wrong, HOME).await);
    }
    assert!(bench.takes(Carrier::Bare, &started.code, HOME).await);
    assert!(!bench.takes(Carrier::Bare, &wrong, HOME).await);
    assert!(!bench.takes(Carrier::Bare, &started.code, HOME).await);
}

pub(super) async fn a_challenge_started_later_has_its_own_misses(bench: Bench) {
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

pub(super) async fn one_kind_of_tries_leaves_the_other_open(bench: Bench) {
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

pub(super) async fn a_cookie_that_does_not_fit_costs_a_try_and_is_looked_up_bare(bench: Bench) {
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

pub(super) async fn many_in_a_row_get_long_codes_until_a_sign_in(bench: Bench) {
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

pub(super) async fn starts_are_forgotten_after_thirty_quiet_days(bench: Bench) {
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

pub(super) async fn parallel_starts_are_all_counted(bench: Bench) {
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

pub(super) async fn parallel_tries_are_all_counted(bench: Bench) {
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

/// Every guess that a hundred challenges of one phone take, by id and bare, all
/// opened first or one after another: the chance that one of them is right.
pub(super) async fn a_thousand_guesses_at_one_phone_are_hopeless(bench: Bench) {
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
