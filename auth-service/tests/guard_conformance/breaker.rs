//! Where too few of the codes are entered.

use super::*;

/// Sends codes, of which the first are entered after a while.
pub(super) async fn round_of_codes(bench: &Bench, numbers: &[(String, String)], entered: usize) {
    let mut challenges = Vec::new();
    for (number, client) in numbers {
        challenges.push(bench.sends(number, client).await.challenge);
    }
    bench.clock.advance(MINUTE);
    for challenge in &challenges[..entered] {
        bench.guards.entered(*challenge, bench.now()).await;
    }
}

/// Addresses of which each is in another block.
pub(super) fn spread(each: u32) -> String {
    format!("10.{}.{}.7", each / 256, each % 256)
}

pub(super) async fn too_few_codes_of_a_prefix(place: Place) {
    let bench = Bench::at(place, &[]);
    let numbers: Vec<_> = (0..100).map(|each| (ivorian(each), spread(each))).collect();
    round_of_codes(&bench, &numbers, 9).await;
    // They may still be entered, until the minute is over in which they end.
    bench.sends(&ivorian(1), &spread(1000)).await;
    bench
        .clock
        .advance(LIFETIME.saturating_sub(Duration::from_millis(1)));
    bench.sends(&ivorian(1), &spread(1000)).await;
    bench.clock.advance(Duration::from_millis(1));
    // Sent at 08:00, ended at 08:02, judged from 08:03 until 09:03; the two of
    // 08:01 and 08:03 come to it and are too few.
    let refused = bench.refused(&ivorian(1), &spread(1000)).await;
    assert_eq!(refused, (Guard::Breaker, HOUR));
    let labels = r#"guard="breaker",limit="prefix",mode="enforce",prefix="other""#;
    assert_eq!(bench.refusals(labels), 1);
    bench.sends(&kazakh(1), &spread(1000)).await;

    bench
        .clock
        .advance(HOUR.saturating_sub(Duration::from_millis(1)));
    let refused = bench.refused(&ivorian(1), &spread(1000)).await;
    assert_eq!(refused, (Guard::Breaker, Duration::from_millis(1)));
    bench.clock.advance(Duration::from_millis(1));
    bench.sends(&ivorian(1), &spread(1000)).await;

    // A tenth is enough.
    let numbers: Vec<_> = (0..100).map(|each| (kazakh(each), spread(each))).collect();
    round_of_codes(&bench, &numbers, 10).await;
    bench.clock.advance(LIFETIME);
    bench.sends(&kazakh(1), &spread(1000)).await;
}

pub(super) async fn too_few_codes_of_an_address_block(place: Place) {
    let flags = ["--auth-sms-breaker-sample=20"];
    let bench = Bench::at(place, &flags);
    for (inside, also, outside) in [
        ("192.0.2", "192.0.2.99", "192.0.3.1"),
        ("2001:db8:1:2:", "2001:db8:1:ffff::1", "2001:db8:2::1"),
    ] {
        let separator = if inside.contains(':') { ":" } else { "." };
        let countries = ["+7701000000", "+49151123456", "+33612345"];
        let numbers: Vec<_> = (0..20)
            .map(|each| {
                let country = countries[each % 3];
                let digits = if country == "+33612345" { 3 } else { 1 };
                let number = format!("{country}{:0digits$}", each % 10);
                (number, format!("{inside}{separator}{}", each + 1))
            })
            .collect();
        round_of_codes(&bench, &numbers, 1).await;
        bench.clock.advance(LIFETIME);
        let (guard, _) = bench.refused(&ivorian(1), also).await;
        assert_eq!(guard, Guard::Breaker, "{also}");
        bench.sends(&ivorian(1), outside).await;
    }
    let labels = r#"guard="breaker",limit="address_block",mode="enforce",prefix="other""#;
    assert_eq!(bench.refusals(labels), 2);
}

pub(super) async fn a_code_counts_once(place: Place) {
    let bench = Bench::at(place, &["--auth-sms-countries=+225"]);
    let mut sent = Vec::new();
    for each in 0..100 {
        sent.push(bench.sends(&ivorian(each), &spread(each)).await.challenge);
    }
    for challenge in sent[..9].iter().cycle().take(90) {
        bench.guards.entered(*challenge, bench.now()).await;
    }
    // Unknown ones count nowhere.
    let unknown = bench.message(&ivorian(1), HOME).challenge;
    bench.guards.entered(unknown, bench.now()).await;
    let metric = |name: &str| bench.metric(&format!("{name}{{prefix=\"+225\"}}"));
    assert_eq!(metric("customauth_sms_admitted_total"), 100);
    assert_eq!(metric("customauth_sms_entered_total"), 9);
    bench.clock.advance(LIFETIME + MINUTE);
    bench.refused(&ivorian(1), HOME).await;
}

pub(super) async fn a_code_counts_where_it_was_sent(place: Place) {
    let bench = Bench::at(place, &[]);
    let mut late = Vec::new();
    for each in 0..100 {
        late.push(bench.sends(&ivorian(each), &spread(each)).await.challenge);
    }
    bench.clock.advance(Duration::from_secs(119));
    for challenge in &late[..20] {
        bench.guards.entered(*challenge, bench.now()).await;
    }
    let numbers: Vec<_> = (0..90).map(|each| (ivorian(each), spread(each))).collect();
    round_of_codes(&bench, &numbers, 0).await;
    // 20 of 190.
    bench.clock.advance(LIFETIME);
    bench.sends(&ivorian(1), HOME).await;
    // An hour after the first have ended there are 90 and none entered: too few
    // to be judged.
    bench.clock.advance(HOUR);
    bench.sends(&ivorian(1), HOME).await;
}

pub(super) async fn what_was_not_sent_is_not_judged(place: Place) {
    let bench = Bench::at(place, &[]);
    for each in 0..200 {
        let message = bench.sends(&ivorian(each), HOME).await;
        if each % 2 == 0 {
            bench.guards.not_sent(&message, bench.now()).await;
            bench.guards.not_sent(&message, bench.now()).await;
        }
    }
    // One more is known late, when its code has ended.
    let message = bench.sends(&ivorian(1), HOME).await;
    bench.clock.advance(LIFETIME + Duration::from_secs(30));
    bench.guards.not_sent(&message, bench.now()).await;
    bench.guards.look_round(bench.now()).await.unwrap();
    assert_eq!(bench.metric("customauth_sms_lost_total"), 100, "not told");
    bench.clock.advance(MINUTE);
    let (guard, _) = bench.refused(&ivorian(1), HOME).await;
    assert_eq!(guard, Guard::Breaker, "100 of them were sent");

    bench.clock.advance(2 * HOUR);
    for each in 0..100 {
        let message = bench.sends(&ivorian(each), HOME).await;
        if each == 99 {
            bench.guards.not_sent(&message, bench.now()).await;
        }
    }
    bench.clock.advance(LIFETIME + MINUTE);
    bench.sends(&ivorian(1), HOME).await;
}

pub(super) async fn the_breaker_can_be_off(place: Place) {
    let bench = Bench::at(place, &["--auth-sms-min-entered=0"]);
    let numbers: Vec<_> = (0..300)
        .map(|each| (ivorian(each), HOME.to_owned()))
        .collect();
    round_of_codes(&bench, &numbers, 1).await;
    bench.clock.advance(LIFETIME);
    bench.sends(&ivorian(1), HOME).await;
}
