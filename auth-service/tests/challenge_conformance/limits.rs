//! How many challenges may be started, and how many bare codes missed.

use super::*;

pub(super) async fn starts_of_a_phone_are_limited(bench: Bench) {
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

pub(super) async fn starts_of_a_phone_at_an_address_are_limited(bench: Bench) {
    let bench = bench.limited(|rules| rules.phone_limits.per_phone_and_address = 2);
    bench.start(ANNA, HOME).await;
    bench.start(ANNA, HOME).await;
    assert_eq!(bench.try_start(ANNA, HOME).await.unwrap_err(), HOUR);
    bench.start(ANNA, AWAY).await;
    bench.start(BORIS, HOME).await;
}

pub(super) async fn starts_at_an_address_are_limited_and_cost_the_phone_nothing(bench: Bench) {
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

pub(super) async fn the_phone_refuses_before_the_address(bench: Bench) {
    let bench = bench.limited(|rules| {
        rules.starts_per_client = 1;
        rules.phone_limits.per_phone = 1;
    });
    let later = Duration::from_secs(600);
    bench.start(ANNA, HOME).await;
    bench.clock.advance(later);
    bench.start(BORIS, AWAY).await;
    let refused = bench.try_start(ANNA, AWAY).await;
    assert_eq!(refused.unwrap_err(), HOUR.saturating_sub(later));
}

pub(super) async fn a_gap_between_two_starts_is_kept(bench: Bench) {
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
pub(super) async fn a_start_that_is_taken_back_begins_no_gap(bench: Bench) {
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

/// The same when the address has refused it: an hour begins with what was started.
pub(super) async fn a_start_that_is_taken_back_begins_no_hour(bench: Bench) {
    let bench = bench.limited(|rules| {
        rules.starts_per_client = 1;
        rules.phone_limits.per_phone = 2;
    });
    bench.start(BORIS, HOME).await;
    assert_eq!(bench.try_start(ANNA, HOME).await.unwrap_err(), HOUR);
    let started = bench.start(ANNA, AWAY).await;
    bench.challenges.withdraw(&started).await.unwrap();
    bench.clock.advance(Duration::from_secs(600));
    for client in ["203.0.113.1", "203.0.113.2"] {
        bench.start(ANNA, client).await;
    }
    let refused = bench.try_start(ANNA, "203.0.113.3").await;
    assert_eq!(refused.unwrap_err(), HOUR);
}

pub(super) async fn clocks_of_replicas_need_not_agree(bench: Bench) {
    bench.start(ANNA, HOME).await;
    let behind = UnixMillis(bench.clock.now().0 - 3_000);
    let started = bench
        .challenges
        .start(&number(ANNA), None, ip(HOME), DELIVERY, behind)
        .await
        .unwrap();
    assert!(bench.takes(Carrier::Bare, &started.code, HOME).await);
}

pub(super) async fn parallel_starts_keep_the_limit(bench: Bench) {
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

pub(super) async fn misses_at_an_address_are_limited(bench: Bench) {
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
