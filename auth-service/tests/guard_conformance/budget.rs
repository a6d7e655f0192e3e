//! Countries, and the budget of a day in messages and money.

use super::*;

pub(super) async fn a_country_that_is_not_named_gets_nothing(place: Place) {
    let bench = Bench::at(place, &["--auth-sms-countries=+7,+49"]);
    bench.sends(&kazakh(1), HOME).await;
    bench.sends("+4915112345678", HOME).await;
    let refused = bench.refused(&ivorian(1), HOME).await;
    assert_eq!(refused, (Guard::Countries, DAY));
    let labels = r#"guard="countries",limit="country",mode="enforce",prefix="other""#;
    assert_eq!(bench.refusals(labels), 1);
}

pub(super) async fn a_day_has_its_messages(place: Place) {
    let bench = Bench::at(place, &["--auth-sms-daily-messages=3"]);
    for each in 0..3 {
        bench.sends(&kazakh(each), HOME).await;
    }
    let refused = bench.refused(&ivorian(1), HOME).await;
    assert_eq!(refused, (Guard::Budget, TO_MIDNIGHT));
    let labels = r#"guard="budget",limit="messages",mode="enforce",prefix="other""#;
    assert_eq!(bench.refusals(labels), 1);

    bench
        .clock
        .advance(TO_MIDNIGHT.saturating_sub(Duration::from_millis(1)));
    let refused = bench.refused(&kazakh(1), HOME).await;
    assert_eq!(refused, (Guard::Budget, Duration::from_millis(1)));
    bench.clock.advance(Duration::from_millis(1));
    for each in 0..3 {
        bench.sends(&kazakh(each), HOME).await;
    }
    assert_eq!(bench.refused(&kazakh(1), HOME).await, (Guard::Budget, DAY));
}

pub(super) async fn without_settings_a_thousand_pass(place: Place) {
    // Naming one country's limit does not lift the one of all.
    let bench = Bench::at(place, &["--auth-sms-daily-messages=+225=5000"]);
    for each in 0..1000 {
        bench.sends(&ivorian(each), HOME).await;
    }
    assert_eq!(bench.refused(&ivorian(1), HOME).await.0, Guard::Budget);
    assert_eq!(bench.refused(&kazakh(1), HOME).await.0, Guard::Budget);
    let unlimited = bench.replica(&["--auth-sms-daily-messages=*=none"]);
    unlimited.sends(&kazakh(1), HOME).await;
}

pub(super) async fn the_longest_prefix_has_the_budget(place: Place) {
    let bench = Bench::at(place, &["--auth-sms-daily-messages=*=10,+7=1,+77=2"]);
    for each in 0..2 {
        bench.sends(&kazakh(each), HOME).await;
    }
    assert_eq!(bench.refused(&kazakh(3), HOME).await.0, Guard::Budget);
    bench.sends("+79161234567", HOME).await;
    assert_eq!(bench.refused("+79161234567", HOME).await.0, Guard::Budget);
    bench.sends(&ivorian(1), HOME).await;
}

pub(super) async fn what_is_refused_is_not_counted(place: Place) {
    let bench = Bench::at(place, &["--auth-sms-daily-messages=*=5,+225=2"]);
    for each in 0..2 {
        bench.sends(&ivorian(each), HOME).await;
    }
    for each in 0..20 {
        bench.refused(&ivorian(each), HOME).await;
    }
    for each in 0..3 {
        bench.sends(&kazakh(each), HOME).await;
    }
    bench.refused(&kazakh(1), HOME).await;
}

pub(super) async fn money_is_counted_by_segments(place: Place) {
    let bench = Bench::at(
        place,
        &[
            "--auth-sms-prices=*=0.10,+225=0.07",
            "--auth-sms-daily-cost=*=0.50,+225=0.21",
        ],
    );
    let mut dear = bench.message(&ivorian(1), HOME);
    dear.segments = 2;
    bench.asks(&dear).await.unwrap();
    // 0.14 are spent: one segment more fits, and no two.
    let labels = r#"guard="budget",limit="cost",mode="enforce",prefix="+225""#;
    let mut another = bench.message(&ivorian(2), HOME);
    another.segments = 2;
    let refusal = bench.asks(&another).await.unwrap_err();
    assert_eq!(
        (refusal.guard, refusal.retry_after),
        (Guard::Budget, TO_MIDNIGHT)
    );
    assert_eq!(bench.refusals(labels), 1);
    bench.sends(&ivorian(2), HOME).await;
    bench.refused(&ivorian(3), HOME).await;
    // 0.21 of 0.50.
    for each in 0..2 {
        bench.sends(&kazakh(each), HOME).await;
    }
    bench.refused(&kazakh(3), HOME).await;
    bench.guards.look_round(bench.now()).await.unwrap();
    for (labels, cost) in [("all", 410_000), ("+225", 210_000)] {
        let name = format!("customauth_sms_budget_cost_millionths{{prefix=\"{labels}\"}}");
        assert_eq!(bench.metric(&name), cost);
        let limit = format!("customauth_sms_budget_limit_cost_millionths{{prefix=\"{labels}\"}}");
        assert!(bench.metric(&limit) >= cost);
    }
}

pub(super) async fn parallel_callers_keep_the_budget(place: Place) {
    let flags = ["--auth-sms-daily-messages=*=120,+225=77"];
    let bench = Bench::at(place, &flags);
    let replicas: Vec<Arc<Bench>> = (0..4).map(|_| Arc::new(bench.replica(&flags))).collect();
    for replica in &replicas {
        // It is connected.
        replica.guards.look_round(replica.now()).await.unwrap();
    }
    let callers = (0..400).map(|each| {
        let bench = replicas[each as usize % replicas.len()].clone();
        tokio::spawn(async move {
            let number = if each % 2 == 0 {
                ivorian(each)
            } else {
                kazakh(each)
            };
            let message = bench.message(&number, HOME);
            bench.guards.admit(&message, bench.now()).await
        })
    });
    let callers: Vec<_> = callers.collect();
    let (mut admitted, mut unsure) = (0, 0);
    for caller in callers {
        match caller.await.unwrap() {
            Ok(()) => admitted += 1,
            Err(NotSent::Guarded(_)) => {}
            // No answer in time, on a busy machine: it may be counted, but is
            // not sent.
            Err(NotSent::Unavailable(_)) => unsure += 1,
        }
    }
    assert!(admitted <= 120, "{admitted} are sent");
    assert!(admitted + unsure >= 120, "{admitted} and perhaps {unsure}");
    bench.guards.look_round(bench.now()).await.unwrap();
    let counted = |prefix: &str| {
        bench.metric(&format!(
            "customauth_sms_budget_messages{{prefix=\"{prefix}\"}}"
        ))
    };
    assert_eq!(counted("all"), 120);
    assert!(counted("+225") <= 77);
}

pub(super) async fn replicas_may_have_other_settings(place: Place) {
    let bench = Bench::at(place, &["--auth-sms-daily-messages=*=5"]);
    let other = bench.replica(&["--auth-sms-daily-messages=*=10,+7=5"]);
    for each in 0..5 {
        bench.sends(&kazakh(each), HOME).await;
    }
    bench.refused(&kazakh(6), HOME).await;
    // Only this one counts by the prefix.
    for each in 0..5 {
        other.sends(&kazakh(each), HOME).await;
    }
    other.refused(&kazakh(6), HOME).await;
}

pub(super) async fn the_day_is_shown(place: Place) {
    let flags = ["--auth-sms-daily-messages=*=10,+7=5,+225=none"];
    let bench = Bench::at(place, &flags);
    bench.sends(&kazakh(1), HOME).await;
    bench.sends(&ivorian(1), HOME).await;
    bench.sends("+4915112345678", HOME).await;
    // Every replica shows what all have counted.
    let shown = bench.replica(&flags);
    let metric = |name: &str, prefix: &str| shown.metric(&format!("{name}{{prefix=\"{prefix}\"}}"));
    assert_eq!(metric("customauth_sms_budget_messages", "all"), 0);
    shown.guards.look_round(shown.now()).await.unwrap();
    for (prefix, count) in [("all", 3), ("+7", 1), ("+225", 1)] {
        assert_eq!(metric("customauth_sms_budget_messages", prefix), count);
    }
    assert_eq!(metric("customauth_sms_budget_limit_messages", "all"), 10);
    assert_eq!(metric("customauth_sms_budget_limit_messages", "+7"), 5);
    shown.clock.advance(DAY);
    shown.guards.look_round(shown.now()).await.unwrap();
    assert_eq!(metric("customauth_sms_budget_messages", "all"), 0);
}
