//! Bare codes: at which address they are found.

use super::*;

pub(super) async fn a_bare_code_counts_only_at_its_address(bench: Bench) {
    let started = bench.start(ANNA, HOME).await;
    assert!(!bench.takes(Carrier::Bare, &started.code, AWAY).await);
    for _ in 0..10 {
        assert!(!bench.takes(Carrier::Bare, &started.code, AWAY).await);
    }
    assert!(bench.takes(Carrier::Bare, &started.code, HOME).await);
}

pub(super) async fn an_ipv6_client_is_its_network(bench: Bench) {
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

pub(super) async fn codes_at_an_address_are_distinct(bench: Bench) {
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

pub(super) async fn bare_codes_can_be_turned_off(bench: Bench) {
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
