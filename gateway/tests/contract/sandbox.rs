//! `/dev/messages` and `/dev/`: what would have been sent.

use proto::{
    Reason, Refusal,
    auth::v1::{ListMessagesRequest, ListMessagesResponse, SandboxMessage},
};

use crate::{
    http::Answer,
    world::{Delivery, World, verifier},
};

const PATHS: [&str; 4] = [
    "/dev",
    "/dev/messages",
    "/dev/sandbox.css",
    "/dev/sandbox.js",
];

#[tokio::test]
async fn the_messages_are_listed() {
    let world = World::start().await;
    let message = |phone: &str, text: &str, segments, seconds| SandboxMessage {
        phone_number: phone.to_owned(),
        text: text.to_owned(),
        segments,
        sent_at: Some(prost_types::Timestamp {
            seconds,
            nanos: 999_000_000,
        }),
    };
    let messages = vec![
        message(
            "+77777777767",
            "Код 3613\n\n@\"example\" #3613",
            2,
            1_795_379_075,
        ),
        message("+77777777766", "Code 0421", 1, 1_795_379_074),
    ];
    for (messages, body) in [
        (vec![], r#"{"messages":[]}"#),
        (
            messages,
            concat!(
                r#"{"messages":[{"phone_number":"+77777777767","#,
                r#""text":"Код 3613\n\n@\"example\" #3613","segments":2,"#,
                r#""sent_at":"2026-11-22T20:24:35Z"},"#,
                r#"{"phone_number":"+77777777766","text":"Code 0421","segments":1,"#,
                r#""sent_at":"2026-11-22T20:24:34Z"}]}"#
            ),
        ),
    ] {
        let answered = ListMessagesResponse { messages };
        world.auth.list_messages.answers(answered);
        for path in ["/dev/messages", "/dev/messages/"] {
            let answer = world.send(&format!("GET {path}"), &[]).await;
            assert_eq!((answer.status, &*answer.body), (200, body), "{path}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            let (metadata, asked) = world.auth.list_messages.asked();
            assert_eq!(asked, ListMessagesRequest {});
            assert!(verifier().check(&metadata).unwrap().is_some());
        }
        let head = world.send("HEAD /dev/messages", &[]).await;
        assert_eq!((head.status, &*head.body), (200, ""));
        let length = body.len().to_string();
        assert_eq!(head.header("content-length"), Some(&*length));
        world.auth.list_messages.asked();
    }
}

#[tokio::test]
async fn the_page_loads_its_own_parts_and_nothing_else() {
    let world = World::start().await;
    let page = world.send("GET /dev/", &[]).await;
    assert_eq!(page.status, 200);
    let html = Some("text/html; charset=utf-8");
    assert_eq!(page.header("content-type"), html);
    let policy = page.header("content-security-policy").unwrap();
    for rule in [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
    ] {
        assert!(policy.split("; ").any(|each| each == rule), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(page.header("permissions-policy").is_some());
    for inline in [
        "<style",
        " style=",
        "javascript:",
        " onclick=",
        "http:",
        "https:",
    ] {
        assert!(!page.body.contains(inline), "{inline}");
    }
    let mut parts = 0;
    for attribute in [" src=\"", " href=\""] {
        for rest in page.body.split(attribute).skip(1) {
            let target = rest.split('"').next().unwrap();
            let part = world.send(&format!("GET {target}"), &[]).await;
            assert_eq!(part.status, 200, "{target}");
            parts += 1;
        }
    }
    assert_eq!(parts, 5);
    let tag = page.header("etag").unwrap();
    let again = world.send("GET /dev/", &[("If-None-Match", tag)]).await;
    assert_eq!((again.status, &*again.body), (304, ""));
}

/// What of an answer may not tell one path from another.
fn told(answer: &Answer) -> (u16, Vec<(String, String)>, String) {
    let mut headers = answer.headers.clone();
    headers.retain(|(name, _)| !["request-id", "date"].contains(&name.as_str()));
    (answer.status, headers, answer.body.clone())
}

#[tokio::test]
async fn with_real_delivery_nothing_is_there() {
    let world = World::before(Delivery::Real, |_| {}).await;
    for method in ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "NEW"] {
        let unknown = world.send(&format!("{method} /nothing"), &[]).await;
        for path in PATHS {
            for slash in ["", "/"] {
                let line = format!("{method} {path}{slash}");
                let answer = world.send(&line, &[("If-None-Match", "*")]).await;
                assert_eq!(told(&answer), told(&unknown), "{line}");
            }
        }
    }
    let answer = world.send("GET /dev/messages", &[]).await;
    answer.assert_problem(404, "PATH_NOT_FOUND");
}

#[tokio::test]
async fn whether_it_is_there_is_not_guessed() {
    let world = World::start().await;
    let down = Refusal::new(Reason::DependencyUnavailable, "auth-service is down");
    world.auth.list_messages.refuses(down);
    for path in PATHS {
        let answer = world.send(&format!("GET {path}"), &[]).await;
        answer.assert_problem(503, "DEPENDENCY_UNAVAILABLE");
    }
}
