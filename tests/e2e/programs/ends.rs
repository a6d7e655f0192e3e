//! The end of a program: requests in flight are answered first.

use kit::client::{self, Outgoing};
use proto::auth::v1::{RequestCodeRequest, auth_service_client::AuthServiceClient};

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_in_flight_are_answered_at_the_end_in_whatever_order() {
    let trio = Trio::start("1500");
    sign_in(&trio.base, "+77777777766").await;
    let auths = format!("{}/api/v1/auths/", trio.base);
    let waiting: Vec<_> = (0..20)
        .map(|each| {
            let auths = auths.clone();
            let body = json!({ "phone_number": format!("+770100000{each:02}") });
            tokio::spawn(async move { send("POST", &auths, None, body).await.status })
        })
        .collect();
    // The gateway waits for these itself, and auth-service for one that calls it.
    let auth = trio.auth_url.parse().unwrap();
    let channel = client::channel("auth-service", &auth, Outgoing::default());
    let calling = tokio::spawn(async move {
        let asked = RequestCodeRequest {
            phone_number: "+77010000020".to_owned(),
            ..RequestCodeRequest::default()
        };
        AuthServiceClient::new(channel).request_code(asked).await
    });
    tokio::time::sleep(Duration::from_millis(500)).await;
    // The callee first: what it has taken on, it answers.
    for process in [&trio.auth, &trio.profile, &trio.gateway] {
        process.signal("-TERM");
    }
    for request in waiting {
        assert_eq!(request.await.unwrap(), 200);
    }
    calling.await.unwrap().unwrap();
    for process in [trio.auth, trio.profile, trio.gateway] {
        let (status, stderr) = process.end(END);
        assert_eq!(status, Some(0), "{stderr}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_ends_at_once() {
    let data = tempfile::tempdir().unwrap();
    let mut customauth = customauth(data.path());
    customauth.env("AUTH_SMS_DELAY_MS", "6000");
    let mut process = Process::start(customauth);
    let base = process.line_after("HTTP/JSON");
    ready(&base).await;
    let auths = format!("{base}/api/v1/auths/");
    let body = json!({ "phone_number": "+77777777766" }).to_string();
    let json = [("content-type", "application/json")];
    let waiting = tokio::spawn(async move { try_request("POST", &auths, &json, body).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    process.signal("-TERM");
    // It has heard the first one when it takes no more connections.
    let address = base.trim_start_matches("http://");
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(!waiting.is_finished(), "the request is waited for");
    process.signal("-TERM");
    let (status, stderr) = process.end(Duration::from_secs(3));
    assert_eq!(status, Some(1), "{stderr}");
    assert!(waiting.await.unwrap().is_err(), "the connection broke");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_end_all_listeners_close_at_once_and_requests_in_flight_are_answered() {
    let data = tempfile::tempdir().unwrap();
    let mut customauth = customauth(data.path());
    customauth.env("AUTH_SMS_DELAY_MS", "2500");
    let mut process = Process::start(customauth);
    let base = process.line_after("HTTP/JSON");
    let address = |line: String| line.trim_end_matches(" (gRPC)").to_owned();
    let auth = address(process.line_after("auth-service"));
    let profile = address(process.line_after("profile-service"));
    ready(&base).await;
    let auths = format!("{base}/api/v1/auths/");
    let body = json!({ "phone_number": "+77777777766" });
    let waiting = tokio::spawn(async move { send("POST", &auths, None, body).await });
    tokio::time::sleep(Duration::from_millis(500)).await;
    process.signal("-TERM");
    tokio::time::sleep(Duration::from_millis(500)).await;
    for listener in [base.trim_start_matches("http://"), &auth, &profile] {
        let refused = tokio::net::TcpStream::connect(listener).await.is_err();
        assert!(refused, "{listener} takes new connections");
    }
    assert!(!waiting.is_finished());
    assert_eq!(waiting.await.unwrap().status, 200);
    let (status, stderr) = process.end(END);
    assert_eq!(status, Some(0), "{stderr}");
}
