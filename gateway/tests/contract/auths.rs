//! `/api/v1/auths/`.

use std::time::Duration;

use proto::{
    Reason, Refusal,
    auth::v1::{RequestCodeResponse, VerifyCodeResponse},
    reason::CODE_LIFETIME_SECONDS,
};
use tonic::Status;

use crate::world::{World, verifier};

const POST: &str = "POST /api/v1/auths/";
const PATCH: &str = "PATCH /api/v1/auths/";
const PHONE: &str = r#"{"phone_number":"+77777777766"}"#;
const OTP: &str = r#"{"otp":"3613"}"#;
const REFUSED: &str = r#"{"response":"Пользователь не найден, возможно вы ждали дольше 2 минут. Вернитесь на предыдущий шаг."}"#;

fn challenge() -> RequestCodeResponse {
    RequestCodeResponse {
        challenge_id: "mZ0-_4bf92f3577b34da6".to_owned(),
        expires_at: None,
        code_length: 4,
        simulated_code: Some("3613".to_owned()),
        lifetime_seconds: 120,
        resend_after_seconds: 30,
    }
}

async fn with_challenge() -> World {
    let world = World::start().await;
    world.auth.request_code.answers(challenge());
    world
}

async fn with_tokens() -> World {
    let world = World::start().await;
    world.auth.verify_code.answers(VerifyCodeResponse {
        access_token: "a.b.c".to_owned(),
        refresh_token: "r_-".to_owned(),
        ..VerifyCodeResponse::default()
    });
    world
}

#[tokio::test]
async fn get_says_what_to_use() {
    let answer = World::start().await.send("GET /api/v1/auths/", &[]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.body, r#"{"response":"use POST and PATCH methods"}"#);
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn post_sends_a_code() {
    let world = with_challenge().await;
    let answer = world.send_json(POST, &[], PHONE).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        r#"{"response":"We will sent code to you in sms.(use 3613), you have 2 minutes to confirm your number!"}"#
    );
    let headers = [
        ("content-type", "application/json"),
        ("challenge-id", "mZ0-_4bf92f3577b34da6"),
        ("otp-length", "4"),
        ("otp-expires-in", "120"),
        ("resend-after", "30"),
        (
            "set-cookie",
            "challenge=mZ0-_4bf92f3577b34da6; Path=/api/v1/auths; Max-Age=120; HttpOnly; SameSite=Strict",
        ),
        ("cache-control", "no-store"),
    ];
    for (name, value) in headers {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    let (metadata, message) = world.auth.request_code.asked();
    assert_eq!(message.phone_number, "+77777777766");
    assert_eq!(message.invited_by, None);
    assert_eq!(message.client_address.as_deref(), Some("127.0.0.1"));
    assert_eq!(verifier().require(&metadata).unwrap(), "gateway");
    let id = metadata.get("request-id").unwrap().to_str().unwrap();
    assert_eq!(answer.header("request-id"), Some(id));
    assert!(metadata.contains_key("grpc-timeout"));
}

#[tokio::test]
async fn a_code_that_was_really_sent_is_not_shown_and_texts_follow_the_lifetime() {
    let world = World::start().await;
    world.auth.request_code.answers(RequestCodeResponse {
        simulated_code: None,
        lifetime_seconds: 90,
        ..challenge()
    });
    let answer = world.send_json(POST, &[], PHONE).await;
    assert_eq!(
        answer.body,
        r#"{"response":"We will sent code to you in sms, you have 90 seconds to confirm your number!"}"#
    );
    assert_eq!(answer.header("otp-expires-in"), Some("90"));
    assert!(
        answer
            .header("set-cookie")
            .unwrap()
            .contains("; Max-Age=90; ")
    );
}

#[tokio::test]
async fn post_takes_a_string_as_phone_number_and_nothing_else() {
    let world = with_challenge().await;
    for body in [
        "{}",
        r#"{"phone_number":null}"#,
        r#"{"phone_number":77777777766}"#,
        r#"{"phone_number":["+77777777766"]}"#,
        r#"{"phone_number":{}}"#,
        r#"{"phone_number":true}"#,
        r#"{"Phone_number":"+77777777766"}"#,
    ] {
        let answer = world.send_json(POST, &[], body).await;
        answer.assert_problem(400, "FIELD_INVALID");
        assert!(answer.body.contains("phone_number"), "{body}");
    }
    world.auth.request_code.assert_not_asked();
    for phone in ["", " ", "+7 (777) 777-77-66", "кто"] {
        let body = format!(r#"{{"phone_number":"{phone}","x":[1]}}"#);
        assert_eq!(world.send_json(POST, &[], body).await.status, 200);
        assert_eq!(world.auth.request_code.asked().1.phone_number, phone);
    }
}

#[tokio::test]
async fn post_passes_an_invite_code_on() {
    let world = with_challenge().await;
    let longest = "я".repeat(64);
    let rows = [
        ("null".to_owned(), Some(None)),
        ("\"\"".to_owned(), Some(None)),
        ("\"HdGzEG\"".to_owned(), Some(Some("HdGzEG"))),
        (format!("\"{longest}\""), Some(Some(longest.as_str()))),
        (format!("\"{longest}x\""), None),
        ("2461".to_owned(), None),
        ("{}".to_owned(), None),
        ("false".to_owned(), None),
    ];
    for (value, expected) in rows {
        let body = format!(r#"{{"phone_number":"+77777777766","invited_by":{value}}}"#);
        let answer = world.send_json(POST, &[], body).await;
        if let Some(code) = expected {
            assert_eq!(answer.status, 200, "{value}");
            let asked = world.auth.request_code.asked().1;
            assert_eq!(asked.invited_by.as_deref(), code, "{value}");
        } else {
            answer.assert_problem(400, "FIELD_INVALID");
            assert!(answer.body.contains("invited_by"), "{value}");
            world.auth.request_code.assert_not_asked();
        }
    }
}

#[tokio::test]
async fn patch_gives_tokens() {
    let world = with_tokens().await;
    let headers = [("User-Agent", "app/1\t(\u{e9})")];
    let answer = world.send_json(PATCH, &headers, OTP).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        r#"{"access_token":"a.b.c","refresh_token":"r_-"}"#
    );
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("set-cookie"), None);
    let (metadata, message) = world.auth.verify_code.asked();
    assert_eq!(message.code, "3613");
    assert_eq!(message.challenge_id, None);
    assert!(!message.fall_back_to_address);
    assert_eq!(message.client_address.as_deref(), Some("127.0.0.1"));
    assert_eq!(message.user_agent.as_deref(), Some("app/1(\u{fffd})"));
    assert!(verifier().require(&metadata).is_ok());
}

#[tokio::test]
async fn patch_names_the_challenge_by_header_or_key_or_else_by_cookie() {
    let world = with_tokens().await;
    let header = ("Challenge-Id", "h");
    let cookie = ("Cookie", "theme=dark; challenge=c");
    let bare = OTP;
    let keyed = r#"{"otp":"3613","challenge_id":"k"}"#;
    let null = r#"{"otp":"3613","challenge_id":null}"#;
    let rows = [
        (vec![], bare, None, false),
        (vec![], null, None, false),
        (vec![header], bare, Some("h"), false),
        (vec![], keyed, Some("k"), false),
        (vec![header], keyed, Some("h"), false),
        (vec![cookie], bare, Some("c"), true),
        (vec![cookie], null, Some("c"), true),
        (vec![cookie], keyed, Some("k"), false),
        (vec![cookie, header], bare, Some("h"), false),
    ];
    for (headers, body, id, falls_back) in rows {
        let answer = world.send_json(PATCH, &headers, body).await;
        assert_eq!(answer.status, 200);
        let message = world.auth.verify_code.asked().1;
        assert_eq!(message.challenge_id.as_deref(), id, "{headers:?} {body}");
        assert_eq!(message.fall_back_to_address, falls_back, "{headers:?}");
    }
    let answer = world
        .send_json(PATCH, &[], r#"{"otp":"3613","challenge_id":1}"#)
        .await;
    answer.assert_problem(400, "FIELD_INVALID");
}

#[tokio::test]
async fn patch_passes_any_string_on_and_nothing_else() {
    let world = with_tokens().await;
    for body in [
        "{}",
        r#"{"otp":null}"#,
        r#"{"otp":3613}"#,
        r#"{"otp":["3613"]}"#,
        r#"{"otp":{"$ne":""}}"#,
    ] {
        let answer = world.send_json(PATCH, &[], body).await;
        answer.assert_problem(400, "FIELD_INVALID");
        assert!(answer.body.contains("otp"), "{body}");
    }
    world.auth.verify_code.assert_not_asked();
    let long = "9".repeat(16_000);
    for otp in ["", " 3613", "٣٦١٣", "\\u0000", "'; --", long.as_str()] {
        let answer = world
            .send_json(PATCH, &[], format!(r#"{{"otp":"{otp}"}}"#))
            .await;
        assert_eq!(answer.status, 200, "{otp}");
        let code = world.auth.verify_code.asked().1.code;
        assert_eq!(code, otp.replace("\\u0000", "\0"));
    }
}

#[tokio::test]
async fn a_code_that_is_not_accepted_gets_the_documented_answer() {
    let world = World::start().await;
    for reason in [Reason::CodeNotAccepted, Reason::CodeMalformed] {
        world.auth.verify_code.refuses(Refusal::new(reason, "x"));
        let answer = world.send_json(PATCH, &[], OTP).await;
        answer.assert_problem(400, reason.as_str());
        assert_eq!(answer.body, REFUSED);

        let refusal = Refusal::new(reason, "x").metadata(CODE_LIFETIME_SECONDS, "300");
        world.auth.verify_code.refuses(refusal);
        let answer = world.send_json(PATCH, &[], OTP).await;
        assert_eq!(answer.body, REFUSED.replace("2 минут", "5 минут"));
    }
}

#[tokio::test]
async fn what_the_service_says_reaches_the_client() {
    let world = World::start().await;
    let minute = Duration::from_millis(59_001);
    let rows = [
        (Reason::PhoneNumberInvalid, 400, None),
        (Reason::TooManyCodes, 429, Some("60")),
        (Reason::TooManyAttempts, 429, Some("60")),
        (Reason::DependencyUnavailable, 503, Some("60")),
        (Reason::Overloaded, 503, Some("60")),
        (Reason::DeadlineExceeded, 504, None),
    ];
    for (reason, status, retry) in rows {
        let refusal = || Refusal::new(reason, "said «so»").retry_after(minute);
        world.auth.request_code.refuses(refusal());
        world.auth.verify_code.refuses(refusal());
        for (line, body) in [(POST, PHONE), (PATCH, OTP)] {
            let answer = world.send_json(line, &[], body).await;
            answer.assert_problem(status, reason.as_str());
            assert_eq!(answer.body, r#"{"response":"said «so»"}"#);
            assert_eq!(answer.header("retry-after"), retry, "{reason:?}");
            assert_eq!(answer.header("set-cookie"), None);
        }
    }
}

#[tokio::test]
async fn faults_keep_their_words_to_themselves() {
    let world = World::start().await;
    let rows: [(Status, u16, &str); 4] = [
        (Status::internal("secret"), 500, "INTERNAL"),
        (
            Refusal::new(Reason::Internal, "secret").into(),
            500,
            "INTERNAL",
        ),
        (Status::unknown("secret"), 500, "INTERNAL"),
        (
            Refusal::new(Reason::ServiceTokenRequired, "secret").into(),
            503,
            "DEPENDENCY_UNAVAILABLE",
        ),
    ];
    for (status, code, reason) in rows {
        world.auth.request_code.refuses(status);
        let answer = world.send_json(POST, &[], PHONE).await;
        answer.assert_problem(code, reason);
        assert!(!answer.body.contains("secret"));
    }
}

#[tokio::test]
async fn the_client_address_is_the_peers_unless_a_trusted_proxy_says_otherwise() {
    let trusting = |list: &'static str| {
        World::configured(move |config| config.trusted_proxies = list.parse().unwrap())
    };
    let forwarded: &[(&str, &str)] = &[
        ("X-Forwarded-For", "192.0.2.9, 203.0.113.7"),
        ("X-Forwarded-For", "127.0.0.2"),
    ];
    let rows = [
        ("", forwarded, "127.0.0.1"),
        ("10.0.0.0/8", forwarded, "127.0.0.1"),
        ("127.0.0.0/8", forwarded, "203.0.113.7"),
        ("127.0.0.1", forwarded, "127.0.0.2"),
        ("127.0.0.1", &[], "127.0.0.1"),
        ("127.0.0.1", &[("X-Forwarded-For", "unknown")], "127.0.0.1"),
        (
            "127.0.0.1",
            &[("X-Forwarded-For", "2001:db8::1")],
            "2001:db8::1",
        ),
    ];
    for (proxies, headers, expected) in rows {
        let world = trusting(proxies).await;
        world.send_json(POST, headers, PHONE).await;
        let asked = world.auth.request_code.asked().1;
        assert_eq!(asked.client_address.as_deref(), Some(expected), "{proxies}");
        world.send_json(PATCH, headers, OTP).await;
        let asked = world.auth.verify_code.asked().1;
        assert_eq!(asked.client_address.as_deref(), Some(expected), "{proxies}");
    }
}
