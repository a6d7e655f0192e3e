//! `/metrics`, and what requests leave there.

use proto::{Reason, Refusal};

use crate::world::World;

impl World {
    /// The lines of `/metrics` that tell of one family.
    async fn told(&self, family: &str) -> Vec<String> {
        let answer = self.send("GET /metrics", &[]).await;
        assert_eq!(answer.status, 200);
        let lines = answer.body.lines();
        let own = lines.filter(|line| line.starts_with(family));
        own.map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn they_are_in_prometheus_text_format() {
    let world = World::start().await;
    for line in ["GET /metrics", "GET /metrics/?x=y"] {
        let answer = world.send(line, &[]).await;
        assert_eq!(answer.status, 200);
        let format = "text/plain; version=0.0.4; charset=utf-8";
        assert_eq!(answer.header("content-type"), Some(format));
        assert!(answer.body.ends_with('\n'));
        for text in [
            "# TYPE process_start_time_seconds gauge\n",
            "# TYPE customauth_http_requests_total counter\n",
            "# TYPE customauth_http_request_duration_seconds histogram\n",
            // This request itself.
            "\ncustomauth_http_requests_in_flight 1\n",
        ] {
            assert!(answer.body.contains(text), "{text}\n{}", answer.body);
        }
    }
    let answer = world.send("HEAD /metrics", &[]).await;
    assert_eq!((answer.status, &*answer.body), (200, ""));
    let answer = world.send("POST /metrics", &[]).await;
    answer.assert_problem(405, "METHOD_NOT_ALLOWED");
    assert_eq!(answer.header("allow"), Some("GET,HEAD"));
}

#[tokio::test]
async fn they_are_not_there_if_they_are_elsewhere() {
    let world = World::configured(|config| {
        config.metrics_listen = Some("127.0.0.1:9464".parse().unwrap());
    })
    .await;
    for line in ["GET /metrics", "GET /metrics/", "POST /metrics"] {
        let answer = world.send(line, &[]).await;
        answer.assert_problem(404, "PATH_NOT_FOUND");
    }
}

#[tokio::test]
async fn every_path_counts_by_its_template() {
    let world = World::start().await;
    let refusal = || Refusal::new(Reason::SessionEnded, "why");
    world.auth.list_sessions.refuses(refusal());
    world.auth.revoke_session.refuses(refusal());
    world.profile.get.refuses(refusal());
    let bearer = ("Authorization", "Bearer a.b.c");
    let rows = [
        ("GET /", "GET", "/", "200"),
        ("GET /livez/", "GET", "/livez", "200"),
        ("PUT /livez", "PUT", "/livez", "405"),
        ("BREW /livez", "other", "/livez", "405"),
        ("OPTIONS /livez", "OPTIONS", "/livez", "200"),
        ("GET /web/app.js", "GET", "/web/app.js", "200"),
        ("PUT /web/session/", "PUT", "/web/session", "400"),
        ("GET /docs/icon.svg", "GET", "/docs/icon.svg", "200"),
        ("HEAD /api/v1/auths", "HEAD", "/api/v1/auths", "200"),
        (
            "GET /api/v1/auths/sessions",
            "GET",
            "/api/v1/auths/sessions",
            "401",
        ),
        (
            "DELETE /api/v1/auths/sessions/0190/?a=b",
            "DELETE",
            "/api/v1/auths/sessions/{id}",
            "401",
        ),
        (
            "GET /api/v1/personal-area/",
            "GET",
            "/api/v1/personal-area",
            "401",
        ),
        ("GET /api/v1/auths/x", "GET", "unmatched", "404"),
        ("GET //", "GET", "unmatched", "404"),
    ];
    for (line, _, _, status) in rows {
        let answer = world.send(line, &[bearer]).await;
        assert_eq!(answer.status.to_string(), status, "{line}");
    }
    let told = world.told("customauth_http_requests_total{").await;
    for (line, method, route, status) in rows {
        let labels = format!(r#"method="{method}",route="{route}",status="{status}""#);
        let found = told.iter().find(|each| each.contains(&labels));
        let count = rows.iter().filter(|row| (row.1, row.2) == (method, route));
        let expected = format!("}} {}", count.count());
        assert!(
            found.is_some_and(|each| each.ends_with(&expected)),
            "{line}: {told:#?}"
        );
    }
    let told = world.told("customauth_errors_total{").await;
    let ended = r#"customauth_errors_total{reason="SESSION_ENDED",service="gateway"} 3"#;
    assert!(told.iter().any(|line| line == ended), "{told:#?}");
}

#[tokio::test]
async fn hostile_paths_and_methods_add_no_series() {
    let world = World::start().await;
    let series = async || world.told("customauth_http_").await.len();
    // What is counted is one of these kinds, whatever it is.
    for line in [
        "BREW /",
        "GET /x",
        "BREW /x",
        "GET /api/v1/auths/sessions/x",
    ] {
        world.send(line, &[]).await;
    }
    series().await;
    let before = series().await;
    for each in 1..=250 {
        for line in [
            format!("GET /{each:x}%00%ff/../{each}"),
            format!("BREW{each} /{each}"),
            format!("GET /{}", "a/".repeat(each)),
            format!("GET /api/v1/auths/sessions/+7777777{each:04}"),
        ] {
            world.send(&line, &[]).await;
        }
    }
    assert_eq!(series().await, before);
    let told = world.told("customauth_").await.join("\n");
    assert!(!told.contains("+7777777"), "{told}");
}

#[tokio::test]
async fn calls_to_the_services_are_counted() {
    let world = World::start().await;
    let refusal = Refusal::new(Reason::SessionEnded, "why");
    world.profile.get.refuses(refusal);
    let bearer = ("Authorization", "Bearer a.b.c");
    for _ in 0..2 {
        world.send("GET /api/v1/personal-area/", &[bearer]).await;
    }
    let told = world.told("customauth_client_").await;
    for line in [
        r#"customauth_client_calls_total{code="UNAUTHENTICATED",method="GetProfile",service="gateway",to="profile-service"} 2"#,
        r#"customauth_client_replicas{service="gateway",to="profile-service"} 1"#,
        r#"customauth_client_replicas_connected{service="gateway",to="profile-service"} 1"#,
        r#"customauth_client_replicas_connected{service="gateway",to="auth-service"} 0"#,
        r#"customauth_client_resends_total{service="gateway",to="profile-service"} 0"#,
    ] {
        assert!(told.iter().any(|each| each == line), "{line}: {told:#?}");
    }
}
