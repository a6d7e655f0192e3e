//! Calls to a product that may die at any moment.

use std::time::Duration;

use serde_json::{Value, json};

use crate::common::http::{Answer, try_request};

pub(super) const AUTHS: &str = "/api/v1/auths/";
pub(super) const PERSONAL_AREA: &str = "/api/v1/personal-area/";
/// Longer than any answer may take.
const HANG: Duration = Duration::from_secs(20);

/// The connection broke: nobody knows whether it was done.
#[derive(Debug)]
pub(super) struct Cut;

pub(super) async fn send(
    base: &str,
    method: &str,
    path: &str,
    token: Option<&str>,
    body: Value,
) -> Result<Answer, Cut> {
    let bearer = format!("Bearer {}", token.unwrap_or_default());
    let mut headers = vec![("content-type", "application/json")];
    if token.is_some() {
        headers.push(("authorization", &bearer));
    }
    let url = format!("{base}{path}");
    let answer = try_request(method, &url, &headers, body.to_string());
    let answer = tokio::time::timeout(HANG, answer).await;
    // A hang is neither an answer nor an end.
    answer.unwrap().map_err(|_| Cut)
}

pub(super) fn ok(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

pub(super) fn text(json: &Value, key: &str) -> String {
    json[key].as_str().unwrap().to_owned()
}

/// Asks for a code; what to send for it.
pub(super) async fn ask(base: &str, phone: &str, invited_by: Option<&str>) -> Result<Value, Cut> {
    let body = json!({ "phone_number": phone, "invited_by": invited_by });
    let asked = send(base, "POST", AUTHS, None, body).await?;
    ok(&asked);
    Ok(json!({ "otp": asked.code(), "challenge_id": asked.header("challenge-id") }))
}

pub(super) async fn enter(base: &str, code: &Value) -> Result<Answer, Cut> {
    send(base, "PATCH", AUTHS, None, code.clone()).await
}

pub(super) async fn refresh(base: &str, token: &str) -> Result<Answer, Cut> {
    let body = json!({ "refresh_token": token });
    send(base, "POST", "/api/v1/auths/refresh/", None, body).await
}

pub(super) async fn profile(base: &str, token: &str) -> Result<Answer, Cut> {
    send(base, "GET", PERSONAL_AREA, Some(token), json!(null)).await
}

pub(super) async fn activate(base: &str, token: &str, code: &str) -> Result<Answer, Cut> {
    let body = json!({ "invited_by": code });
    send(base, "PATCH", PERSONAL_AREA, Some(token), body).await
}
