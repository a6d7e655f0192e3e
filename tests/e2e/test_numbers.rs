//! Test numbers: a fixed code each, as often as asked, at nobody's cost.

use std::process::Command;

use serde_json::json;

use crate::{
    common::{
        Product,
        http::{Answer, ready, request},
        phone,
        processes::{END, Process, command},
    },
    programs::complaint,
    sms::{
        self,
        receivers::{Receiver, Reply},
    },
};

const ANNA: &str = "+77000000001";
const BORIS: &str = "+77000000002";
const NUMBERS: &str = "--auth-test-numbers=+77000000001=1234,+77000000002=567890";

/// The day so many days from now, as a setting has it.
pub(crate) fn in_days(days: i32) -> String {
    let date = Command::new("date")
        .args(["-u", "-d", &format!("{days} days"), "+%F"])
        .output()
        .unwrap();
    String::from_utf8(date.stdout).unwrap().trim().to_owned()
}

fn until(days: i32) -> String {
    format!("--auth-test-numbers-until={}", in_days(days))
}

/// On both storages, where everybody else may have two codes in an hour.
async fn products() -> [Product; 2] {
    let until = until(30);
    let flags = [
        NUMBERS,
        &until,
        "--auth-max-codes-per-client=2",
        "--auth-max-codes-per-phone=2",
    ];
    [
        Product::embedded(&flags).await,
        Product::servers(&flags).await,
    ]
}

async fn ask(product: &Product, phone: &str) -> Answer {
    let body = json!({ "phone_number": phone });
    product
        .send("POST", "/api/v1/auths/", None, Some(body))
        .await
}

async fn enter(product: &Product, code: &str) -> Answer {
    let body = json!({ "otp": code });
    product
        .send("PATCH", "/api/v1/auths/", None, Some(body))
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_starts_leave_the_address_what_it_may() {
    for product in products().await {
        for _ in 0..1_000 {
            let asked = ask(&product, ANNA).await;
            assert_eq!((asked.status, &*asked.code()), (200, "1234"));
            assert_eq!(asked.header("otp-length"), "4");
        }
        for each in 1..=2 {
            product.sign_in(&phone(each)).await;
        }
        let refused = ask(&product, &phone(3)).await;
        assert_eq!(refused.header("error-code"), "TOO_MANY_CODES");
        let asked = ask(&product, BORIS).await;
        assert_eq!((asked.status, &*asked.code()), (200, "567890"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_signs_in_by_the_bare_code_again_and_again() {
    for product in products().await {
        for _ in 0..20 {
            for phone in [ANNA, BORIS] {
                assert_eq!(ask(&product, phone).await.status, 200);
            }
            for (phone, code) in [(BORIS, "567890"), (ANNA, "1234")] {
                let answer = enter(&product, code).await;
                assert_eq!(answer.status, 200, "{}", answer.body);
                let token = answer.json()["access_token"].as_str().unwrap().to_owned();
                assert_eq!(product.profile(&token).await["phone_number"], phone);
            }
            assert_eq!(enter(&product, "1234").await.status, 400, "it is spent");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_challenge_of_one_takes_five_tries() {
    for product in products().await {
        let id = ask(&product, ANNA).await.header("challenge-id").to_owned();
        for _ in 0..5 {
            assert_eq!(product.verify("4321", &id).await.status, 400);
        }
        assert_eq!(product.verify("1234", &id).await.status, 400);
        let id = ask(&product, ANNA).await.header("challenge-id").to_owned();
        assert_eq!(product.verify("1234", &id).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_provider_nothing_is_sent_and_no_guard_counts_it() {
    let receiver = Receiver::start(&[Reply::Takes]).await;
    let flags = sms::flags("webhook", &receiver, &receiver);
    let until = until(30);
    // Nobody else gets a message.
    let guards = ["--auth-sms-countries=+49", "--auth-sms-daily-messages=*=0"];
    let product = sms::product(&flags, &[&[NUMBERS, &*until], &guards[..]].concat()).await;
    for _ in 0..100 {
        let asked = ask(&product, ANNA).await;
        assert_eq!(asked.status, 200, "{}", asked.body);
        assert!(!asked.body.contains("(use "), "{}", asked.body);
        assert!(!asked.body.contains("1234"), "{}", asked.body);
        assert_eq!(asked.header("resend-after"), "0");
    }
    let answer = enter(&product, "1234").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let metrics = product.get("/metrics", None).await.body;
    for line in [
        "queued_total 0",
        "admitted_total{prefix=\"other\"} 0",
        "entered_total{prefix=\"other\"} 0",
        "messages_under_way 0",
    ] {
        let line = format!("customauth_sms_{line}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }
    assert!(!metrics.contains("refusals_total{"), "{metrics}");
    let other = ask(&product, &sms::phone(1)).await;
    assert_eq!(other.header("error-code"), "SMS_COUNTRY_NOT_ALLOWED");
    product.stop().await;
    assert!(receiver.seen().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_last_day_they_are_ordinary() {
    let over = until(-1);
    let numbers = "--auth-test-numbers=+77000000001=9182736450";
    let product = Product::embedded(&[numbers, &over]).await;
    let asked = ask(&product, ANNA).await;
    assert_eq!((asked.status, asked.code().len()), (200, 4));
    let id = asked.header("challenge-id").to_owned();
    assert_eq!(product.verify("9182736450", &id).await.status, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_their_count_is_logged() {
    let data = tempfile::tempdir().unwrap();
    let mut customauth = command("customauth");
    customauth
        .env("RUST_LOG", "trace")
        .env("AUTH_TEST_NUMBERS", "+77000000001=9182736450")
        .args(["--gateway-listen=127.0.0.1:0", "--auth-listen=127.0.0.1:0"])
        .args(["--profile-listen=127.0.0.1:0", &until(30)])
        .arg("--data-dir")
        .arg(data.path());
    let mut process = Process::start(customauth);
    let base = process.line_after("HTTP/JSON");
    ready(&base).await;
    let url = format!("{base}/api/v1/auths/");
    let headers = [("content-type", "application/json")];
    let send = |method, body: serde_json::Value| request(method, &url, &headers, body.to_string());
    let asked = send("POST", json!({ "phone_number": ANNA })).await;
    assert_eq!(asked.code(), "9182736450");
    let signed_in = send("PATCH", json!({ "otp": "9182736450" })).await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.body);
    process.signal("-TERM");
    let (_, log) = process.end(END);
    assert!(log.contains("count=1 days=3"), "the count is there");
    assert!(log.contains("outcome=\"test number\""), "and the request");
    for secret in ["7000000001", "918273"] {
        let found = log.lines().find(|line| line.contains(secret));
        assert_eq!(found, None);
    }
}

#[test]
fn a_wrong_list_is_one_line_that_tells_none_of_it() {
    let data = tempfile::tempdir().unwrap();
    let directory = format!("--data-dir={}", data.path().display());
    let soon = until(30);
    let far = until(368);
    let good = "--auth-test-numbers=+77000000009=9182";
    let rows = [
        (good, None, "AUTH_TEST_NUMBERS_UNTIL is not set"),
        (good, Some(&*far), "more than 366 days"),
        (
            good,
            Some("--auth-test-numbers-until=soon"),
            "AUTH_TEST_NUMBERS_UNTIL",
        ),
        (
            "--auth-test-numbers=+77000000009=918",
            Some(&*soon),
            "AUTH_TEST_NUMBERS: number 1",
        ),
        (
            "--auth-test-numbers=7000000009:9182",
            Some(&*soon),
            "AUTH_TEST_NUMBERS: number 1",
        ),
    ];
    for (numbers, until, told) in rows {
        let mut flags = vec![numbers, &directory, "--gateway-listen=127.0.0.1:0"];
        flags.extend(["--auth-listen=127.0.0.1:0", "--profile-listen=127.0.0.1:0"]);
        flags.extend(until);
        let line = complaint("customauth", &flags);
        assert!(line.contains(told), "{line}");
        assert!(!line.contains("918") && !line.contains("00009"), "{line}");
    }
    let mut help = command("customauth");
    help.arg("--help")
        .env("AUTH_TEST_NUMBERS", "+77000000009=9182");
    let help = String::from_utf8(help.output().unwrap().stdout).unwrap();
    assert!(help.contains("AUTH_TEST_NUMBERS") && !help.contains("9182"));
}
