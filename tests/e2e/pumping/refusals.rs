//! What each guard refuses, what that leaves behind, and a dry run.

use serde_json::json;

use super::{Crowd, DAY, Servers, borrowed, ivorian, settings, somebody};
use crate::{
    common::{
        Product,
        http::{ready, request},
        processes::{END, Process},
    },
    programs::customauth,
    sms::receivers::{Receiver, Reply},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_country_that_is_not_named_is_not_sent_to() {
    let receiver = Receiver::start(&[Reply::Takes]).await;
    let flags = settings(&receiver, &["--auth-sms-countries=+7,+49"]);
    let product = Product::embedded(&borrowed(&flags)).await;
    let crowd = Crowd::of(&product);
    for each in 0..3 {
        let refused = crowd.ask("192.0.2.1", &ivorian(each)).await;
        assert_eq!(refused.status, 429, "{}", refused.body);
        assert_eq!(refused.header("error-code"), "SMS_COUNTRY_NOT_ALLOWED");
        assert_eq!(refused.header("retry-after"), DAY.to_string());
        refused.sentence();
    }
    for each in 0..2 {
        let (phone, client) = somebody(each);
        crowd.sign_in(&receiver, &client, &phone).await;
    }
    product.stop().await;
    assert_eq!(receiver.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_uses_up_nothing_of_the_phone() {
    let (servers, receiver) = (Servers::start(), Receiver::start(&[Reply::Takes]).await);
    let flags = settings(&receiver, &["--auth-sms-daily-messages=+225=0"]);
    let none = servers.product(&borrowed(&flags)).await;
    let crowd = Crowd::of(&none);
    let phone = ivorian(1);
    // More than the 5 that a phone may have from an address, and its 15 in all.
    for _ in 0..20 {
        let refused = crowd.ask("192.0.2.1", &phone).await;
        assert_eq!(refused.header("error-code"), "SMS_BUDGET_EXHAUSTED");
    }
    // The same keys, so that it knows what was counted.
    let data = none.stop().await;
    let flags = settings(&receiver, &["--auth-sms-daily-messages=+225=1"]);
    let [auth, profile, redis] = [
        format!("--auth-database-url={}", servers.auth),
        format!("--profile-database-url={}", servers.profile),
        format!("--auth-redis-url={}", servers.redis.url()),
    ];
    let flags = [&[&*auth, &profile, &redis], &*borrowed(&flags)].concat();
    let one = Product::start(data, &flags).await;
    one.ready().await;
    let crowd = Crowd::of(&one);
    let asked = crowd.ask("192.0.2.1", &phone).await;
    assert_eq!(asked.status, 200, "{}", asked.body);
    assert_eq!(asked.header("otp-length"), "4", "nothing was in a row");
    receiver.messages(1).await;
    // That it does know: the half minute of this one has begun.
    let hasty = crowd.ask("192.0.2.1", &phone).await;
    assert_eq!(hasty.header("error-code"), "TOO_MANY_CODES");
    let other = crowd.ask("192.0.2.1", &ivorian(2)).await;
    assert_eq!(other.header("error-code"), "SMS_BUDGET_EXHAUSTED");
    assert_eq!(receiver.seen().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_run_lets_pass_and_tells() {
    let receiver = Receiver::start(&[Reply::Takes]).await;
    let guards = [
        "--auth-sms-countries=+7",
        "--auth-sms-daily-messages=+225=2",
        "--auth-sms-dry-run=all",
    ];
    let data = tempfile::tempdir().unwrap();
    let mut program = customauth(data.path());
    program.args(settings(&receiver, &guards));
    let mut process = Process::start(program);
    let base = process.line_after("HTTP/JSON");
    ready(&base).await;
    for each in 0..5 {
        let body = json!({ "phone_number": ivorian(each) }).to_string();
        let url = format!("{base}/api/v1/auths/");
        let asked = request("POST", &url, &[("content-type", "application/json")], body).await;
        assert_eq!(asked.status, 200, "{}", asked.body);
    }
    receiver.messages(5).await;
    let metrics = request("GET", &format!("{base}/metrics"), &[], "").await;
    for line in [
        r#"guard_refusals_total{guard="countries",limit="country",mode="dry_run",prefix="+225"} 5"#,
        r#"guard_refusals_total{guard="budget",limit="messages",mode="dry_run",prefix="+225"} 3"#,
        r#"admitted_total{prefix="+225"} 5"#,
    ] {
        let line = format!("customauth_sms_{line}\n");
        assert!(metrics.body.contains(&line), "{line}{}", metrics.body);
    }
    assert!(
        !metrics.body.contains(r#"mode="enforce""#),
        "{}",
        metrics.body
    );
    process.signal("-TERM");
    let (_, log) = process.end(END);
    let told = |guard: &str| {
        let event = format!(r#"event="sms" outcome="would be refused" guard="{guard}""#);
        log.lines().filter(|line| line.contains(&event)).count()
    };
    assert_eq!((told("countries"), told("budget")), (5, 3), "{log}");
}
