//! The wait for an imitated delivery, which auth-service leaves to the gateway.

use std::time::{Duration, Instant};

use proto::auth::v1::RequestCodeResponse;
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet};

use crate::{http, world::World};

const POST: &str = "POST /api/v1/auths/";
const PHONE: &str = r#"{"phone_number":"+77777777766"}"#;

async fn with_wait(wait_ms: &'static str) -> World {
    let world = World::start().await;
    world.auth.request_code.answers(RequestCodeResponse {
        challenge_id: "abc".to_owned(),
        lifetime_seconds: 120,
        ..RequestCodeResponse::default()
    });
    world.auth.request_code.hands_over(wait_ms);
    world
}

#[tokio::test]
async fn the_gateway_offers_to_wait_and_does() {
    let world = with_wait("700").await;
    let begun = Instant::now();
    let answer = world.send_json(POST, &[], PHONE).await;
    let waited = begun.elapsed();
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("challenge-id"), Some("abc"));
    assert!(answer.header("request-id").is_some());
    // What is between the two services is not the client's.
    assert_eq!(answer.header("x-wait-ms"), None);
    assert!(waited >= Duration::from_millis(700), "{waited:?}");
    let (metadata, _) = world.auth.request_code.asked();
    assert_eq!(metadata.get("x-caller-waits").unwrap(), "1");
}

#[tokio::test]
async fn what_is_no_time_is_not_waited_for() {
    for garbled in ["", "soon", "-1", "+99999", "1e9", "99999999999999999999"] {
        let world = with_wait(garbled).await;
        let begun = Instant::now();
        let answer = world.send_json(POST, &[], PHONE).await;
        assert_eq!(answer.status, 200, "{garbled}");
        let waited = begun.elapsed();
        assert!(waited < Duration::from_secs(10), "{garbled}: {waited:?}");
    }
}

#[tokio::test]
async fn more_wait_at_once_than_ask_at_once() {
    let world = with_wait("4000").await;
    let gateway = world.gateway;
    let begun = Instant::now();
    let ask = |_| http::send(gateway, POST, &[], Some(PHONE.as_bytes()));
    let mut asking: JoinSet<_> = (0..300).map(ask).collect();
    while let Some(answer) = asking.join_next().await {
        assert_eq!(answer.unwrap().status, 200);
    }
    // One turn after the other would take twice as long.
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_secs(4), "{waited:?}");
    assert!(waited < Duration::from_secs(8), "{waited:?}");
}

#[tokio::test]
async fn who_hangs_up_meanwhile_is_waited_for_no_longer() {
    let world = with_wait("9000").await;
    let in_flight = async || {
        let page = world.send("GET /metrics", &[]).await.body;
        let told = "customauth_http_requests_in_flight ";
        let line = page.lines().find_map(|line| line.strip_prefix(told));
        // This request itself is one.
        line.unwrap().parse::<u32>().unwrap() - 1
    };
    let begun = Instant::now();
    let mut client = TcpStream::connect(world.gateway).await.unwrap();
    let length = PHONE.len();
    let request = format!(
        "{POST} HTTP/1.1\r\nHost: gateway\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{PHONE}"
    );
    client.write_all(request.as_bytes()).await.unwrap();
    let becomes = async |expected| {
        while in_flight().await != expected {
            assert!(begun.elapsed() < Duration::from_secs(8), "{expected}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    becomes(1).await;
    drop(client);
    becomes(0).await;
    let page = world.send("GET /metrics", &[]).await.body;
    let aborted = r#"requests_total{method="POST",route="/api/v1/auths",status="aborted"} 1"#;
    assert!(page.contains(aborted), "{page}");
}
