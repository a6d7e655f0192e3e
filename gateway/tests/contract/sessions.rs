//! `/api/v1/auths/sessions/`, and signing out.

use prost_types::Timestamp;
use proto::{
    Reason, Refusal,
    auth::v1::{ListSessionsResponse, RevokeSessionResponse, Session, SignOutResponse},
};

use crate::world::{World, verifier};

const SIGN_OUT: &str = "DELETE /api/v1/auths/";
const LIST: &str = "GET /api/v1/auths/sessions/";
const REVOKE: &str = "DELETE /api/v1/auths/sessions/0190a3c2-7e10-7c34-9b1a-5d2f8e6c4b7a/";
const BEARER: (&str, &str) = ("Authorization", "Bearer a.b.c");

#[tokio::test]
async fn the_list_shows_every_session() {
    let world = World::start().await;
    let at = |seconds, nanos| Some(Timestamp { seconds, nanos });
    let phone = Session {
        session_id: "0190b".to_owned(),
        created_at: at(1_795_379_075, 250_000_000),
        last_used_at: at(1_795_382_700, 0),
        user_agent: "app/1 («я»)".to_owned(),
        client_address: "2001:db8::1".to_owned(),
        current: true,
    };
    let other = Session {
        session_id: "0190a".to_owned(),
        user_agent: String::new(),
        client_address: "203.0.113.7".to_owned(),
        current: false,
        ..phone.clone()
    };
    world.auth.list_sessions.answers(ListSessionsResponse {
        sessions: vec![phone, other],
    });
    let answer = world.send(LIST, &[BEARER]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body,
        concat!(
            r#"{"sessions":[{"id":"0190b","created_at":"2026-11-22T20:24:35Z","#,
            r#""last_used_at":"2026-11-22T21:25:00Z","user_agent":"app/1 («я»)","#,
            r#""client_address":"2001:db8::1","current":true},"#,
            r#"{"id":"0190a","created_at":"2026-11-22T20:24:35Z","#,
            r#""last_used_at":"2026-11-22T21:25:00Z","user_agent":"","#,
            r#""client_address":"203.0.113.7","current":false}]}"#
        )
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let (metadata, _) = world.auth.list_sessions.asked();
    assert_eq!(metadata.get("authorization").unwrap(), "Bearer a.b.c");
    assert_eq!(verifier().require(&metadata).unwrap(), "gateway");
}

#[tokio::test]
async fn a_session_is_ended_by_its_id() {
    let world = World::start().await;
    let revoke = &world.auth.revoke_session;
    revoke.answers(RevokeSessionResponse {});
    world.send(REVOKE, &[BEARER]).await.assert_done();
    let (metadata, message) = revoke.asked();
    assert_eq!(message.session_id, "0190a3c2-7e10-7c34-9b1a-5d2f8e6c4b7a");
    assert_eq!(metadata.get("authorization").unwrap(), "Bearer a.b.c");
    assert_eq!(verifier().require(&metadata).unwrap(), "gateway");
}

#[tokio::test]
async fn an_id_that_is_none_is_not_found() {
    let world = World::start().await;
    let revoke = &world.auth.revoke_session;
    revoke.refuses(Refusal::new(Reason::SessionNotFound, "no such session"));
    world
        .send(REVOKE, &[BEARER])
        .await
        .assert_problem(404, "SESSION_NOT_FOUND");
    revoke.asked();
    let long = "x".repeat(5000);
    let rows = [
        ("x", "x"),
        ("%2e%2e%2fa", "../a"),
        ("%D1%8F", "я"),
        ("%00", "\0"),
        (&long, &long),
        // The router takes an empty id for one.
        ("/", ""),
    ];
    for (segment, id) in rows {
        let line = format!("DELETE /api/v1/auths/sessions/{segment}");
        let answer = world.send(&line, &[BEARER]).await;
        answer.assert_problem(404, "SESSION_NOT_FOUND");
        assert_eq!(revoke.asked().1.session_id, id);
    }
    let line = "DELETE /api/v1/auths/sessions/%ff/";
    let answer = world.send(line, &[BEARER]).await;
    answer.assert_problem(404, "SESSION_NOT_FOUND");
    revoke.assert_not_asked();
}

#[tokio::test]
async fn signing_out_ends_this_session_or_all() {
    let world = World::start().await;
    let sign_out = &world.auth.sign_out;
    sign_out.answers(SignOutResponse {});
    let rows = [
        ("", false),
        ("?", false),
        ("?all=false", false),
        ("?all=true", true),
    ];
    for (query, all) in rows {
        let answer = world.send(&format!("{SIGN_OUT}{query}"), &[BEARER]).await;
        answer.assert_done();
        let (metadata, message) = sign_out.asked();
        assert_eq!(message.all(), all, "{query}");
        assert_eq!(metadata.get("authorization").unwrap(), "Bearer a.b.c");
        assert_eq!(verifier().require(&metadata).unwrap(), "gateway");
    }
    for query in ["?all", "?all=", "?all=1", "?all=TRUE", "?all=true&all=no"] {
        let answer = world.send(&format!("{SIGN_OUT}{query}"), &[BEARER]).await;
        answer.assert_problem(400, "FIELD_INVALID");
        assert!(answer.body.contains("all"), "{query}");
    }
    sign_out.assert_not_asked();
}

#[tokio::test]
async fn nobody_is_told_to_authenticate_before_anything_else() {
    let world = World::start().await;
    let wrong = format!("{SIGN_OUT}?all=x");
    let nothing = "DELETE /api/v1/auths/sessions/%ff";
    let long = format!("Bearer {}", "x".repeat(4090));
    for line in [SIGN_OUT, &wrong, LIST, REVOKE, nothing] {
        let answer = world.send(line, &[]).await;
        answer.assert_problem(401, "TOKEN_MISSING");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        for token in [long.as_str(), "Bearer \u{e9}"] {
            let answer = world.send(line, &[("Authorization", token)]).await;
            answer.assert_problem(401, "TOKEN_INVALID");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
    }
    world.auth.sign_out.assert_not_asked();
    world.auth.list_sessions.assert_not_asked();
    world.auth.revoke_session.assert_not_asked();
}

#[tokio::test]
async fn what_the_service_says_reaches_the_client() {
    let world = World::start().await;
    let rows = [
        (Reason::TokenInvalid, 401),
        (Reason::TokenExpired, 401),
        (Reason::SessionEnded, 401),
        (Reason::DependencyUnavailable, 503),
        (Reason::DeadlineExceeded, 504),
    ];
    for (reason, status) in rows {
        let refusal = || Refusal::new(reason, "so it is");
        world.auth.sign_out.refuses(refusal());
        world.auth.list_sessions.refuses(refusal());
        world.auth.revoke_session.refuses(refusal());
        for line in [SIGN_OUT, LIST, REVOKE] {
            let answer = world.send(line, &[BEARER]).await;
            answer.assert_problem(status, reason.as_str());
            let challenge = answer.header("www-authenticate");
            assert_eq!(challenge, (status == 401).then_some("Bearer"), "{line}");
            let retry = answer.header("retry-after");
            assert_eq!(retry, (status == 503).then_some("1"), "{line}");
        }
    }
}
