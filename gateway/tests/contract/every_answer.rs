//! What holds for every path: slashes, methods, request ids, security headers,
//! CORS.

use kit::cors::CorsOrigins;
use proto::{Reason, Refusal, auth::v1::SignOutResponse};

use crate::{http::Answer, world::World};

const BEARER: (&str, &str) = ("Authorization", "Bearer a.b.c");

#[tokio::test]
async fn every_path_answers_with_and_without_its_last_slash() {
    let world = World::start().await;
    let refusal = || Refusal::new(Reason::DependencyUnavailable, "reached");
    world.auth.get_jwks.refuses(refusal());
    world.auth.sign_out.refuses(refusal());
    world.auth.list_sessions.refuses(refusal());
    world.auth.revoke_session.refuses(refusal());
    world.auth.delete_user.refuses(refusal());
    world.profile.get.refuses(refusal());
    world.profile.list_followers.refuses(refusal());
    for (start, status) in [
        ("GET /api/v1/auths", 200),
        ("DELETE /api/v1/auths", 503),
        // It asks for a body.
        ("POST /api/v1/auths/refresh", 400),
        ("GET /api/v1/auths/sessions", 503),
        ("DELETE /api/v1/auths/sessions/0190", 503),
        ("GET /api/v1/personal-area", 503),
        ("DELETE /api/v1/personal-area", 503),
        ("GET /api/v1/personal-area/followers", 503),
        ("GET /.well-known/jwks.json", 503),
        ("GET /livez", 200),
        ("GET /readyz", 200),
        ("GET /metrics", 200),
        // It asks for a header.
        ("PUT /web/session", 400),
        ("GET /web/style.css", 200),
        ("GET /dev", 200),
        ("GET /dev/messages", 200),
        ("GET /dev/sandbox.js", 200),
    ] {
        for slash in ["", "/"] {
            let line = format!("{start}{slash}?x=y");
            let answer = world.send(&line, &[BEARER]).await;
            assert_eq!(answer.status, status, "{line}");
        }
    }
}

#[tokio::test]
async fn other_paths_are_not_found() {
    let world = World::start().await;
    for path in [
        "//",
        "/web",
        "/web/",
        "/web/index.html",
        "/web/../style.css",
        "/api/v1",
        "/api/v1/auths//",
        "/api/v1/Auths/",
        "/api/v1/auths/x",
        "/api/v1/auths/refresh//",
        "/api/v1/auths/sessions/a/b",
        "/api/v1/personal-area/x/",
        "/%ff",
    ] {
        let answer = world.send(&format!("GET {path}"), &[]).await;
        answer.assert_problem(404, "PATH_NOT_FOUND");
    }
}

#[tokio::test]
async fn other_methods_are_told_which_there_are() {
    let world = World::start().await;
    let rows = [
        ("PUT /api/v1/auths/", "DELETE,GET,HEAD,PATCH,POST"),
        ("PUT /api/v1/auths", "DELETE,GET,HEAD,PATCH,POST"),
        ("GET /api/v1/auths/refresh/", "POST"),
        ("DELETE /api/v1/auths/sessions/", "GET,HEAD"),
        ("GET /api/v1/auths/sessions/0190/", "DELETE"),
        ("GET /api/v1/auths/sessions/0190", "DELETE"),
        ("POST /api/v1/personal-area/", "DELETE,GET,HEAD,PATCH"),
        ("PATCH /api/v1/personal-area/followers/", "GET,HEAD"),
        ("DELETE /livez", "GET,HEAD"),
        ("NEW /readyz", "GET,HEAD"),
        ("POST /", "GET,HEAD"),
        ("PUT /web/app.js", "GET,HEAD"),
        ("GET /web/session", "DELETE,POST,PUT"),
        ("POST /dev/", "GET,HEAD"),
        ("DELETE /dev/messages/", "GET,HEAD"),
    ];
    for (line, expected) in rows {
        let answer = world.send(line, &[]).await;
        answer.assert_problem(405, "METHOD_NOT_ALLOWED");
        let mut allow: Vec<_> = answer.header("allow").unwrap().split(',').collect();
        allow.sort_unstable();
        assert_eq!(allow.join(","), expected, "{line}");
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let world = World::start().await;
    let answer = world.send("HEAD /api/v1/auths/", &[]).await;
    assert_eq!((answer.status, &*answer.body), (200, ""));
    assert_eq!(answer.header("content-length"), Some("41"));
    let answer = world.send("HEAD /api/v1/personal-area/", &[]).await;
    assert_eq!((answer.status, &*answer.body), (401, ""));
    assert_eq!(answer.header("error-code"), Some("TOKEN_MISSING"));
}

#[tokio::test]
async fn every_answer_has_the_id_of_its_request() {
    let world = World::start().await;
    let id = |answer: &Answer| answer.header("request-id").unwrap().to_owned();
    let sane = ("Request-Id", "4bf92f35-77b3.4da6:a3ce");
    assert_eq!(id(&world.send("GET /livez", &[sane]).await), sane.1);
    assert_eq!(id(&world.send("GET /nothing", &[sane]).await), sane.1);
    assert_eq!(id(&world.send("OPTIONS /livez", &[sane]).await), sane.1);
    let mut made = vec![];
    for unsound in ["a b", "<script>", "\u{e9}"] {
        made.push(id(&world
            .send("GET /livez", &[("Request-Id", unsound)])
            .await));
    }
    made.push(id(&world.send("GET /livez", &[]).await));
    assert!(made.iter().all(|id| id.len() == 32), "{made:?}");
    made.dedup();
    assert_eq!(made.len(), 4);
}

#[tokio::test]
async fn every_answer_has_the_security_headers() {
    for over_tls in [false, true] {
        let world = World::configured(|config| config.over_tls = over_tls).await;
        world.auth.sign_out.answers(SignOutResponse {});
        for (line, status) in [
            ("GET /livez", 200),
            ("DELETE /api/v1/auths/", 204),
            ("POST /api/v1/auths/", 400),
            ("GET /nothing", 404),
            ("PUT /livez", 405),
            ("OPTIONS /api/v1/auths/", 200),
        ] {
            let answer = world.send(line, &[BEARER]).await;
            assert_eq!(answer.status, status, "{line}");
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
            let strict = answer.header("strict-transport-security");
            assert_eq!(strict, over_tls.then_some("max-age=31536000"), "{line}");
        }
    }
}

#[tokio::test]
async fn a_client_does_not_steer_the_deadline() {
    let world = World::start().await;
    let answer = world.send("GET /readyz", &[("grpc-timeout", "1n")]).await;
    assert_eq!(answer.status, 200);
}

#[tokio::test]
async fn web_pages_may_call_from_the_origins_of_the_setting() {
    let preflight = [
        ("Origin", "https://app.example"),
        ("Access-Control-Request-Method", "PATCH"),
        (
            "Access-Control-Request-Headers",
            "authorization,content-type",
        ),
    ];
    let origin = ("Origin", "https://app.example");
    let list = |text: &'static str| {
        World::configured(move |config| config.cors = text.parse::<CorsOrigins>().unwrap())
    };
    let rows = [
        ("*", Some("*")),
        ("https://app.example", Some("https://app.example")),
        ("https://other.example", None),
        ("", None),
    ];
    for (setting, allowed) in rows {
        let world = list(setting).await;
        let answer = world.send("OPTIONS /api/v1/auths/", &preflight).await;
        let allow_origin = answer.header("access-control-allow-origin");
        assert_eq!(allow_origin, allowed, "{setting}");
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        if allowed.is_some() {
            assert_eq!(answer.status, 200);
            let headers = answer.header("access-control-allow-headers").unwrap();
            assert!(headers.contains("authorization"), "{headers}");
            let methods = answer.header("access-control-allow-methods").unwrap();
            assert!(methods.contains("PATCH"), "{methods}");
            assert!(methods.contains("DELETE"), "{methods}");
        }
        // Errors can be read by the page too.
        let answer = world.send("GET /nothing", &[origin]).await;
        assert_eq!(answer.status, 404);
        let allow_origin = answer.header("access-control-allow-origin");
        assert_eq!(allow_origin, allowed, "{setting}");
        let exposed = answer.header("access-control-expose-headers").unwrap();
        for name in [
            "challenge-id",
            "otp-length",
            "error-code",
            "retry-after",
            "link",
        ] {
            assert!(exposed.contains(name), "{name}");
        }
    }
}
