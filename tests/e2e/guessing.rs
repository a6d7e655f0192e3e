//! Who guesses gets nowhere, and is told when to come again.

use serde_json::json;

use crate::common::{
    Product,
    http::{Answer, request},
    phone,
};

const FORWARDED: &str = "--gateway-trusted-proxies=127.0.0.1";
const REFUSED: u16 = 400;

/// A request as a proxy on this machine passes it on for a client.
async fn send_from(
    product: &Product,
    client: &str,
    method: &str,
    body: &serde_json::Value,
) -> Answer {
    let headers = [
        ("content-type", "application/json"),
        ("x-forwarded-for", client),
    ];
    let url = product.url("/api/v1/auths/");
    request(method, &url, &headers, body.to_string()).await
}

async fn ask_from(product: &Product, client: &str, phone: &str) -> Answer {
    send_from(product, client, "POST", &json!({ "phone_number": phone })).await
}

async fn enter_from(product: &Product, client: &str, code: &str) -> Answer {
    send_from(product, client, "PATCH", &json!({ "otp": code })).await
}

fn limited(answer: &Answer, reason: &str, at_most: u64) {
    assert_eq!(answer.status, 429, "{}", answer.body);
    assert_eq!(answer.header("error-code"), reason);
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=at_most).contains(&wait), "{wait}");
}

async fn with_flags(flags: &[&str]) -> [Product; 2] {
    let flags = [&[FORWARDED], flags].concat();
    [
        Product::embedded(&flags).await,
        Product::servers(&flags).await,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_right_code_from_another_address_buys_nothing() {
    for product in with_flags(&["--auth-short-codes-in-a-row=3"]).await {
        let code = ask_from(&product, "192.0.2.1", &phone(1)).await.code();
        for client in ["192.0.2.2", "198.51.100.1", "2001:db8::1"] {
            let answer = enter_from(&product, client, &code).await;
            assert_eq!(answer.status, REFUSED, "{client}");
        }
        let answer = enter_from(&product, "192.0.2.1", &code).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_grow_longer_for_a_phone_that_never_signs_in() {
    for product in with_flags(&["--auth-short-codes-in-a-row=3"]).await {
        for row in 1..=5 {
            let asked = ask_from(&product, "192.0.2.1", &phone(1)).await;
            let expected = if row <= 3 { "4" } else { "6" };
            assert_eq!(asked.header("otp-length"), expected);
            assert_eq!(asked.code().len().to_string(), expected);
        }
        // The owner, from home, is not locked out.
        let code = ask_from(&product, "192.0.2.9", &phone(1)).await.code();
        let answer = enter_from(&product, "192.0.2.9", &code).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let asked = ask_from(&product, "192.0.2.9", &phone(1)).await;
        assert_eq!(asked.header("otp-length"), "4");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn codes_are_limited_per_phone_and_per_address() {
    let flags = [
        "--auth-max-codes-per-phone=2",
        "--auth-max-codes-per-client=4",
    ];
    for product in with_flags(&flags).await {
        for _ in 0..2 {
            assert_eq!(ask_from(&product, "192.0.2.1", &phone(1)).await.status, 200);
        }
        let third = ask_from(&product, "192.0.2.2", &phone(1)).await;
        limited(&third, "TOO_MANY_CODES", 3_600);
        for each in 2..4 {
            assert_eq!(
                ask_from(&product, "192.0.2.1", &phone(each)).await.status,
                200
            );
        }
        let fifth = ask_from(&product, "192.0.2.1", &phone(4)).await;
        limited(&fifth, "TOO_MANY_CODES", 3_600);
        assert_eq!(ask_from(&product, "192.0.2.2", &phone(4)).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_bare_codes_are_limited_per_address() {
    for product in with_flags(&["--auth-max-failures-per-client=3"]).await {
        for _ in 0..3 {
            let answer = enter_from(&product, "192.0.2.1", "999999").await;
            assert_eq!(answer.status, REFUSED);
        }
        let fourth = enter_from(&product, "192.0.2.1", "999999").await;
        limited(&fourth, "TOO_MANY_ATTEMPTS", 600);
        assert_eq!(
            enter_from(&product, "192.0.2.2", "999999").await.status,
            REFUSED
        );
        // By id the address may still answer.
        let asked = ask_from(&product, "192.0.2.1", &phone(1)).await;
        let challenge = asked.header("challenge-id");
        let answer = product.verify(&asked.code(), challenge).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cookie_is_a_hint_and_a_name_is_not() {
    for product in with_flags(&[]).await {
        let first = ask_from(&product, "192.0.2.1", &phone(1)).await;
        let second = ask_from(&product, "192.0.2.1", &phone(2)).await;
        let id = first.header("challenge-id");
        let body = json!({ "otp": second.code() }).to_string();
        let named = |name: &'static str, value: String| {
            let (url, body) = (product.url("/api/v1/auths/"), body.clone());
            async move {
                let headers = [
                    ("content-type", "application/json"),
                    ("x-forwarded-for", "192.0.2.1"),
                    (name, value.as_str()),
                ];
                request("PATCH", &url, &headers, body).await
            }
        };
        assert_eq!(named("challenge-id", id.to_owned()).await.status, REFUSED);
        let by_cookie = named("cookie", format!("challenge={id}")).await;
        assert_eq!(by_cookie.status, 200, "{}", by_cookie.body);
    }
}
