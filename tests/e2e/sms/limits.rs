//! What a real message is kept from, beside its guards.

use serde_json::json;

use super::{
    flags, phone, product,
    receivers::{Receiver, Reply},
};
use crate::common::{
    Product,
    http::{Answer, request},
};

const FORWARDED: &str = "--gateway-trusted-proxies=127.0.0.1";

async fn world() -> (Product, Receiver) {
    let receiver = Receiver::start(&[Reply::Takes]).await;
    let product = product(&flags("webhook", &receiver, &receiver), &[FORWARDED]).await;
    (product, receiver)
}

async fn ask_from(product: &Product, client: &str, phone: &str) -> Answer {
    let headers = [
        ("content-type", "application/json"),
        ("x-forwarded-for", client),
    ];
    let body = json!({ "phone_number": phone }).to_string();
    request("POST", &product.url("/api/v1/auths/"), &headers, body).await
}

fn limited(answer: &Answer, at_most: u64) {
    assert_eq!(answer.status, 429, "{}", answer.body);
    assert_eq!(answer.header("error-code"), "TOO_MANY_CODES");
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=at_most).contains(&wait), "{wait}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn half_a_minute_lies_between_two_messages_to_a_phone_from_an_address() {
    let (product, receiver) = world().await;
    assert_eq!(ask_from(&product, "192.0.2.1", &phone(1)).await.status, 200);
    limited(&ask_from(&product, "192.0.2.1", &phone(1)).await, 30);
    // The owner, from another one, is not held up.
    assert_eq!(ask_from(&product, "192.0.2.2", &phone(1)).await.status, 200);
    receiver.messages(2).await;
    assert_eq!(receiver.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_gets_15_in_an_hour_and_long_codes_after_3() {
    let (product, receiver) = world().await;
    for each in 1..=15 {
        let asked = ask_from(&product, &format!("192.0.2.{each}"), &phone(1)).await;
        assert_eq!(asked.status, 200, "{}", asked.body);
        let digits = if each <= 3 { "4" } else { "6" };
        assert_eq!(asked.header("otp-length"), digits, "{each}");
    }
    limited(&ask_from(&product, "192.0.2.16", &phone(1)).await, 3_600);
    let sent = receiver.messages(15).await;
    assert!(sent.iter().all(|message| message.to == phone(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_gets_60_in_an_hour() {
    let (product, receiver) = world().await;
    for each in 0..60 {
        let asked = ask_from(&product, "192.0.2.1", &phone(each)).await;
        assert_eq!(asked.status, 200, "{}", asked.body);
    }
    limited(&ask_from(&product, "192.0.2.1", &phone(60)).await, 3_600);
    assert_eq!(
        ask_from(&product, "192.0.2.2", &phone(60)).await.status,
        200
    );
    assert_eq!(receiver.messages(61).await.len(), 61);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_valid_numbers_are_sent_to_and_no_page_elsewhere_may_ask() {
    let (product, receiver) = world().await;
    for number in ["+71234567890", "+76001234567"] {
        let refused = ask_from(&product, "192.0.2.1", number).await;
        assert_eq!(refused.status, 400, "{}", refused.body);
        assert_eq!(refused.header("error-code"), "PHONE_NUMBER_INVALID");
    }
    let headers = [
        ("origin", "https://example.com"),
        ("access-control-request-method", "POST"),
    ];
    let url = product.url("/api/v1/auths/");
    for method in ["OPTIONS", "GET"] {
        let answer = request(method, &url, &headers, "").await;
        let allowed = answer.headers.get("access-control-allow-origin");
        assert_eq!(allowed, None, "{method}");
    }
    assert!(receiver.seen().is_empty());
}
