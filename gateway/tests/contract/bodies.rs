//! Bodies that cannot be taken.

use std::time::{Duration, Instant};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    http::{self, ABSENT},
    world::World,
};

/// The calls that take a body.
const LINES: [&str; 4] = [
    "POST /api/v1/auths/",
    "POST /api/v1/auths/refresh/",
    "PATCH /api/v1/auths/",
    "PATCH /api/v1/personal-area/",
];
const BEARER: (&str, &str) = ("Authorization", "Bearer a.b.c");

#[tokio::test]
async fn what_is_no_json_object_is_refused() {
    let world = World::start().await;
    let deep = "[".repeat(10_000);
    let rows: [&[u8]; 12] = [
        b"",
        b" ",
        b"nonsense",
        b"otp=3613",
        b"{\"otp\":\"3613\"",
        b"{\"otp\":\"3613\"}x",
        b"{\"otp\":\"\xff\"}",
        b"\xef\xbb",
        b"[]",
        b"null",
        b"\"3613\"",
        deep.as_bytes(),
    ];
    for line in LINES {
        for body in rows {
            let answer = world.send_json(line, &[BEARER], body).await;
            answer.assert_problem(400, "BODY_MALFORMED");
        }
        let answer = world.send(line, &[BEARER]).await;
        answer.assert_problem(400, "BODY_MALFORMED");
    }
    world.auth.request_code.assert_not_asked();
    world.auth.verify_code.assert_not_asked();
    world.auth.refresh_tokens.assert_not_asked();
}

#[tokio::test]
async fn what_does_not_say_that_it_is_json_is_refused() {
    let world = World::start().await;
    let rows = [
        ("Content-Type", "text/plain"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("Content-Type", "application/problem+json"),
        ("Content-Type", ABSENT),
        ("Content-Encoding", "gzip"),
    ];
    for line in LINES {
        for header in rows {
            let answer = world.send_json(line, &[BEARER, header], "{}").await;
            answer.assert_problem(415, "CONTENT_TYPE_UNSUPPORTED");
        }
        for kind in ["Application/JSON; charset=UTF-8", "application/json;"] {
            let headers = [BEARER, ("Content-Type", kind)];
            let answer = world.send_json(line, &headers, "{}").await;
            answer.assert_problem(400, "FIELD_INVALID");
        }
    }
}

#[tokio::test]
async fn sixteen_kibibytes_are_taken_and_no_byte_more() {
    let world = World::start().await;
    let body = |length: usize| format!("{{\"x\":\"{}\"}}", "a".repeat(length - 8));
    for line in LINES {
        let answer = world.send_json(line, &[BEARER], body(16_384)).await;
        answer.assert_problem(400, "FIELD_INVALID");
        for length in [16_385, 100_000, 8_000_000] {
            let answer = world.send_json(line, &[BEARER], body(length)).await;
            answer.assert_problem(413, "BODY_TOO_LARGE");
        }
    }
}

#[tokio::test]
async fn a_body_without_a_length_is_counted_while_it_is_read() {
    let world = World::start().await;
    let chunked = |length: usize| format!("{length:x}\r\n{}\r\n0\r\n\r\n", "a".repeat(length));
    let headers = [("Transfer-Encoding", "chunked")];
    let answer = world.send_json(LINES[0], &headers, chunked(16_385)).await;
    answer.assert_problem(413, "BODY_TOO_LARGE");
    let answer = world.send_json(LINES[0], &headers, chunked(16_384)).await;
    answer.assert_problem(400, "BODY_MALFORMED");
    let broken = "zz\r\n{}\r\n0\r\n\r\n";
    let answer = world.send_json(LINES[0], &headers, broken).await;
    answer.assert_problem(400, "BODY_MALFORMED");
}

#[tokio::test]
async fn an_announced_length_is_refused_before_the_body_comes() {
    let world = World::start().await;
    for expect in ["", "Expect: 100-continue\r\n"] {
        let head = format!(
            "POST /api/v1/auths/ HTTP/1.1\r\nHost: gateway\r\n{expect}\
             Content-Type: application/json\r\nContent-Length: 16385\r\n\r\n"
        );
        let begun = Instant::now();
        let mut stream = TcpStream::connect(world.gateway).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413");
        assert!(begun.elapsed() < Duration::from_secs(4));
    }
}

#[tokio::test]
async fn an_answer_that_comes_before_the_body_is_not_lost() {
    let world = World::start().await;
    let body = "a".repeat(2_000_000);
    for (line, status) in [
        ("POST /nothing/", 404),
        ("DELETE /livez", 405),
        ("PATCH /api/v1/personal-area/", 401),
    ] {
        let answer = world.send_json(line, &[], &body).await;
        assert_eq!(answer.status, status, "{line}");
    }
}

#[tokio::test]
async fn a_connection_goes_on_after_a_body_that_nobody_read() {
    let world = World::start().await;
    let two = "PATCH /api/v1/personal-area/ HTTP/1.1\r\nHost: gateway\r\n\
               Content-Length: 5\r\n\r\nhello\
               GET /livez HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n";
    let answers = http::exchange(world.gateway, two.as_bytes()).await;
    assert_eq!(answers.status, 401);
    assert!(
        answers.body.ends_with(r#"{"response":"ok"}"#),
        "{answers:?}"
    );
}
