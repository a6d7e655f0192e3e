//! `/web/session`: how the web page stays signed in.

use proto::{
    Reason, Refusal,
    auth::v1::{RefreshTokensResponse, SignOutResponse, VerifyCodeResponse},
};

use crate::{
    http::Answer,
    world::{World, verifier},
};

const POST: &str = "POST /web/session";
const PUT: &str = "PUT /web/session";
const DELETE: &str = "DELETE /web/session";
const PAGE: (&str, &str) = ("Web-Session", "1");
const COOKIE: (&str, &str) = ("Cookie", "challenge=c; refresh=old_-");
const OTP: &str = r#"{"otp":"3613","challenge_id":"k"}"#;
const KEPT: &str = "refresh=r_-; Path=/web/session; Max-Age=34560000; HttpOnly; SameSite=Strict";
const FORGOTTEN: &str = "refresh=; Path=/web/session; Max-Age=0; HttpOnly; SameSite=Strict";

async fn with_tokens() -> World {
    prepared(World::start().await)
}

fn prepared(world: World) -> World {
    world.auth.verify_code.answers(VerifyCodeResponse {
        access_token: "a.b.c".to_owned(),
        refresh_token: "r_-".to_owned(),
        ..VerifyCodeResponse::default()
    });
    world.auth.refresh_tokens.answers(RefreshTokensResponse {
        access_token: "a.b.c".to_owned(),
        refresh_token: "r_-".to_owned(),
        ..RefreshTokensResponse::default()
    });
    world.auth.sign_out.answers(SignOutResponse {});
    world
}

#[track_caller]
fn assert_handed_over(answer: &Answer) {
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body, r#"{"access_token":"a.b.c"}"#);
    assert_eq!(answer.header("set-cookie"), Some(KEPT));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

fn assert_nothing_asked(world: &World) {
    world.auth.verify_code.assert_not_asked();
    world.auth.refresh_tokens.assert_not_asked();
    world.auth.sign_out.assert_not_asked();
}

#[tokio::test]
async fn a_code_gets_an_access_token_and_a_cookie_for_the_rest() {
    let world = with_tokens().await;
    let headers = [PAGE, ("User-Agent", "Browser/1")];
    let answer = world.send_json(POST, &headers, OTP).await;
    assert_handed_over(&answer);
    let (metadata, message) = world.auth.verify_code.asked();
    assert_eq!(message.code, "3613");
    assert_eq!(message.challenge_id.as_deref(), Some("k"));
    assert!(!message.fall_back_to_address);
    assert_eq!(message.client_address.as_deref(), Some("127.0.0.1"));
    assert_eq!(message.user_agent.as_deref(), Some("Browser/1"));
    assert!(verifier().require(&metadata).is_ok());
}

#[tokio::test]
async fn the_challenge_has_to_be_named_in_the_body() {
    let world = with_tokens().await;
    let headers = [PAGE, ("Challenge-Id", "h"), ("Cookie", "challenge=c")];
    for (body, field) in [
        (r#"{"otp":"3613"}"#, "challenge_id"),
        (r#"{"otp":"3613","challenge_id":null}"#, "challenge_id"),
        (r#"{"challenge_id":"k"}"#, "otp"),
        (r#"{"otp":3613,"challenge_id":"k"}"#, "otp"),
    ] {
        let answer = world.send_json(POST, &headers, body).await;
        answer.assert_problem(400, "FIELD_INVALID");
        assert!(answer.body.contains(field), "{body}");
        assert_eq!(answer.header("set-cookie"), None);
    }
    let form = [PAGE, ("Content-Type", "application/x-www-form-urlencoded")];
    let answer = world.send_json(POST, &form, "otp=3613").await;
    answer.assert_problem(415, "CONTENT_TYPE_UNSUPPORTED");
    assert_nothing_asked(&world);
}

#[tokio::test]
async fn a_refused_code_is_refused_as_the_document_says() {
    let world = World::start().await;
    for (reason, status) in [
        (Reason::CodeNotAccepted, 400),
        (Reason::CodeMalformed, 400),
        (Reason::TooManyAttempts, 429),
        (Reason::DependencyUnavailable, 503),
    ] {
        world
            .auth
            .verify_code
            .refuses(Refusal::new(reason, "so it is"));
        let answer = world.send_json(POST, &[PAGE], OTP).await;
        answer.assert_problem(status, reason.as_str());
        assert_eq!(answer.header("set-cookie"), None);
        let documented = answer.body.contains("Вернитесь на предыдущий шаг.");
        assert_eq!(documented, status == 400, "{answer:?}");
        world.auth.verify_code.asked();
    }
}

#[tokio::test]
async fn the_cookie_buys_an_access_token_and_the_next_cookie() {
    let world = with_tokens().await;
    let answer = world.send(PUT, &[PAGE, COOKIE]).await;
    assert_handed_over(&answer);
    let (metadata, message) = world.auth.refresh_tokens.asked();
    assert_eq!(message.refresh_token, "old_-");
    assert!(verifier().require(&metadata).is_ok());
}

#[tokio::test]
async fn without_a_cookie_nobody_is_signed_in_which_is_no_error() {
    let world = with_tokens().await;
    for cookie in ["", "refresh=", "challenge=c", "refreshed=r"] {
        let answer = world.send(PUT, &[PAGE, ("Cookie", cookie)]).await;
        answer.assert_done();
        assert_eq!(answer.header("set-cookie"), None);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert_nothing_asked(&world);
}

#[tokio::test]
async fn a_cookie_that_buys_nothing_any_more_is_forgotten_and_no_other() {
    let world = World::start().await;
    for (reason, status, cookie) in [
        (Reason::SessionEnded, 401, Some(FORGOTTEN)),
        (Reason::TokenInvalid, 401, Some(FORGOTTEN)),
        (Reason::DependencyUnavailable, 503, None),
        (Reason::Overloaded, 503, None),
        (Reason::DeadlineExceeded, 504, None),
    ] {
        let refusal = Refusal::new(reason, "so it is");
        world.auth.refresh_tokens.refuses(refusal);
        let answer = world.send(PUT, &[PAGE, COOKIE]).await;
        answer.assert_problem(status, reason.as_str());
        assert_eq!(answer.header("set-cookie"), cookie, "{reason:?}");
        world.auth.refresh_tokens.asked();
    }
    let long = format!("refresh={}", "r".repeat(4097));
    let answer = world.send(PUT, &[PAGE, ("Cookie", &long)]).await;
    answer.assert_problem(401, "TOKEN_INVALID");
    assert_eq!(answer.header("set-cookie"), Some(FORGOTTEN));
    world.auth.refresh_tokens.assert_not_asked();
}

#[tokio::test]
async fn signing_out_ends_the_session_of_the_cookie() {
    let world = with_tokens().await;
    let answer = world.send(DELETE, &[PAGE, COOKIE]).await;
    answer.assert_done();
    assert_eq!(answer.header("set-cookie"), Some(FORGOTTEN));
    let refreshed = world.auth.refresh_tokens.asked().1;
    assert_eq!(refreshed.refresh_token, "old_-");
    let (metadata, message) = world.auth.sign_out.asked();
    assert_eq!(metadata.get("authorization").unwrap(), "Bearer a.b.c");
    assert_eq!(message.all, None);
}

#[tokio::test]
async fn who_is_out_already_is_signed_out_too() {
    let world = with_tokens().await;
    world.send(DELETE, &[PAGE]).await.assert_done();
    assert_nothing_asked(&world);
    let ended = || Refusal::new(Reason::SessionEnded, "it has ended");
    world.auth.sign_out.refuses(ended());
    for _ in 0..2 {
        let answer = world.send(DELETE, &[PAGE, COOKIE]).await;
        answer.assert_done();
        assert_eq!(answer.header("set-cookie"), Some(FORGOTTEN));
        // Then it is known at the first step.
        world.auth.refresh_tokens.refuses(ended());
    }
}

#[tokio::test]
async fn a_session_that_could_not_be_ended_keeps_its_cookie() {
    let down = || Refusal::new(Reason::DependencyUnavailable, "it is down");
    let world = with_tokens().await;
    world.auth.sign_out.refuses(down());
    for _ in 0..2 {
        let answer = world.send(DELETE, &[PAGE, COOKIE]).await;
        answer.assert_problem(503, "DEPENDENCY_UNAVAILABLE");
        assert_eq!(answer.header("set-cookie"), None);
        world.auth.refresh_tokens.refuses(down());
    }
}

#[tokio::test]
async fn nothing_is_done_for_who_does_not_send_the_header_of_the_page() {
    let world = with_tokens().await;
    for line in [POST, PUT, DELETE] {
        for headers in [
            vec![COOKIE],
            vec![COOKIE, ("Web-Session", "")],
            vec![COOKIE, ("Web-Session", "0")],
            vec![COOKIE, ("Web-Session", "1, 1")],
            vec![COOKIE, ("Authorization", "Bearer a.b.c")],
        ] {
            let answer = world.send_json(line, &headers, OTP).await;
            answer.assert_problem(400, "FIELD_INVALID");
            assert!(answer.body.contains("Web-Session"), "{answer:?}");
            assert_eq!(answer.header("set-cookie"), None);
        }
    }
    assert_nothing_asked(&world);
}

#[tokio::test]
async fn over_tls_the_cookie_is_for_tls_alone() {
    let world = prepared(World::configured(|config| config.over_tls = true).await);
    for (line, cookie) in [(POST, KEPT), (PUT, KEPT), (DELETE, FORGOTTEN)] {
        let answer = world.send_json(line, &[PAGE, COOKIE], OTP).await;
        let secure = format!("{cookie}; Secure");
        assert_eq!(answer.header("set-cookie"), Some(&*secure), "{line}");
    }
}

#[tokio::test]
async fn a_token_that_would_break_the_head_is_not_sent() {
    let world = World::start().await;
    world.auth.refresh_tokens.answers(RefreshTokensResponse {
        access_token: "a.b.c".to_owned(),
        refresh_token: "r\r\nx: y".to_owned(),
        ..RefreshTokensResponse::default()
    });
    let answer = world.send(PUT, &[PAGE, COOKIE]).await;
    answer.assert_problem(500, "INTERNAL");
    assert_eq!(answer.header("set-cookie"), None);
}
