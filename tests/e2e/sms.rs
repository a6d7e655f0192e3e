//! Real delivery: messages arrive at providers that the tests run, once, and
//! what became of each is told.

mod delivery;
mod ending;
mod fail_over;
mod limits;
mod lost;
pub(crate) mod receivers;
mod secrets;

use serde_json::json;

use crate::common::{Product, http::Answer};
use receivers::Receiver;

/// 24 bytes: an example of the Standard Webhooks scheme.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const TOKEN: &str = "the-token-of-the-account";

/// The settings of both providers; `order` says which are asked.
pub(crate) fn flags(order: &str, webhook: &Receiver, twilio: &Receiver) -> Vec<String> {
    vec![
        format!("--auth-sms={order}"),
        format!("--auth-sms-webhook-url={}/send", webhook.url),
        format!("--auth-sms-webhook-secret={SECRET}"),
        format!("--auth-sms-twilio-url={}", twilio.url),
        "--auth-sms-twilio-account=AC0123".to_owned(),
        format!("--auth-sms-twilio-token={TOKEN}"),
        "--auth-sms-twilio-from=+15005550006".to_owned(),
    ]
}

pub(crate) async fn product(flags: &[String], more: &[&str]) -> Product {
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    Product::embedded(&[&flags, more].concat()).await
}

/// Asks for a code for one of the numbers that are valid.
pub(crate) async fn ask(product: &Product, phone: &str) -> Answer {
    let body = json!({ "phone_number": phone });
    product
        .send("POST", "/api/v1/auths/", None, Some(body))
        .await
}

/// A valid number for each number below a million.
pub(crate) fn phone(each: usize) -> String {
    format!("+7916{each:07}")
}

/// The code in a message.
pub(crate) fn code(text: &str) -> String {
    let digits = text
        .split(|each: char| !each.is_ascii_digit())
        .find(|part| (4..=10).contains(&part.len()));
    digits
        .unwrap_or_else(|| panic!("no code in '{text}'"))
        .to_owned()
}
