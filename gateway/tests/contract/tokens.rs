//! `/api/v1/auths/refresh/`.

use std::time::Duration;

use proto::{Reason, Refusal, auth::v1::RefreshTokensResponse};

use crate::world::{World, verifier};

const POST: &str = "POST /api/v1/auths/refresh/";

fn body(token: &str) -> String {
    format!(r#"{{"refresh_token":"{token}"}}"#)
}

async fn with_tokens() -> World {
    let world = World::start().await;
    world.auth.refresh_tokens.answers(RefreshTokensResponse {
        access_token: "a.b.c".to_owned(),
        refresh_token: "r_-".to_owned(),
        ..RefreshTokensResponse::default()
    });
    world
}

#[tokio::test]
async fn a_refresh_token_gets_a_new_pair() {
    let world = with_tokens().await;
    let answer = world.send_json(POST, &[], body("old_-")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        r#"{"access_token":"a.b.c","refresh_token":"r_-"}"#
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("set-cookie"), None);
    let (metadata, message) = world.auth.refresh_tokens.asked();
    assert_eq!(message.refresh_token, "old_-");
    assert!(verifier().require(&metadata).is_ok());
}

#[tokio::test]
async fn an_access_token_is_not_needed_and_does_not_matter() {
    let world = with_tokens().await;
    for token in ["Bearer x", "nonsense", "\u{e9}"] {
        let headers = [("Authorization", token)];
        let answer = world.send_json(POST, &headers, body("r")).await;
        assert_eq!(answer.status, 200, "{token}");
        let (metadata, _) = world.auth.refresh_tokens.asked();
        assert!(!metadata.contains_key("authorization"));
    }
}

#[tokio::test]
async fn it_is_a_string_and_nothing_else() {
    let world = with_tokens().await;
    for body in [
        "{}",
        r#"{"refresh_token":null}"#,
        r#"{"refresh_token":1}"#,
        r#"{"refresh_token":true}"#,
        r#"{"refresh_token":["r"]}"#,
        r#"{"refresh_token":{}}"#,
        r#"{"Refresh_token":"r"}"#,
    ] {
        let answer = world.send_json(POST, &[], body).await;
        answer.assert_problem(400, "FIELD_INVALID");
        assert!(answer.body.contains("refresh_token"), "{body}");
    }
    world.auth.refresh_tokens.assert_not_asked();
}

#[tokio::test]
async fn whether_a_string_is_a_token_is_for_the_service_to_say_unless_it_is_too_long() {
    let world = with_tokens().await;
    let longest = "r".repeat(4096);
    for token in ["", " ", "ключ", "\\u0000", &longest] {
        let answer = world.send_json(POST, &[], body(token)).await;
        assert_eq!(answer.status, 200, "{token}");
        let asked = world.auth.refresh_tokens.asked().1;
        assert_eq!(asked.refresh_token, token.replace("\\u0000", "\0"));
    }
    // 4,098 bytes in 2,049 characters.
    let foreign = "я".repeat(2049);
    for token in [format!("{longest}r"), foreign, "r".repeat(16_000)] {
        let answer = world.send_json(POST, &[], body(&token)).await;
        answer.assert_problem(401, "TOKEN_INVALID");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    world.auth.refresh_tokens.assert_not_asked();
}

#[tokio::test]
async fn what_the_service_says_reaches_the_client() {
    let world = World::start().await;
    let bearer = Some("Bearer");
    let rows = [
        (Reason::TokenInvalid, 401, bearer, None),
        (Reason::SessionEnded, 401, bearer, None),
        (Reason::DependencyUnavailable, 503, None, Some("2")),
        (Reason::Overloaded, 503, None, Some("2")),
        (Reason::DeadlineExceeded, 504, None, None),
    ];
    for (reason, status, challenge, retry) in rows {
        let refusal = Refusal::new(reason, "so it is").retry_after(Duration::from_secs(2));
        world.auth.refresh_tokens.refuses(refusal);
        let answer = world.send_json(POST, &[], body("r")).await;
        answer.assert_problem(status, reason.as_str());
        assert_eq!(answer.body, r#"{"response":"so it is"}"#);
        assert_eq!(answer.header("www-authenticate"), challenge, "{reason:?}");
        assert_eq!(answer.header("retry-after"), retry, "{reason:?}");
    }
}
