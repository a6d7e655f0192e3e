//! The listener of its own.

use super::*;

fn page(address: &str) -> String {
    format!("http://{address}/metrics")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_of_three_programs_tells_its_own() {
    let mut trio = Trio::with("0", &[ON_A_FREE_PORT]);
    let [gateway, auth, profile] = [&mut trio.gateway, &mut trio.auth, &mut trio.profile]
        .map(|program| page(&program.line_after("metrics on ")));
    sign_in(&trio.base, "+77777777766").await;
    let public = format!("{}/metrics", trio.base);
    assert_eq!(request("GET", &public, &[], "").await.status, 404);

    let gateway = Scrape::of(&gateway).await;
    gateway.assert(&[(
        r#"customauth_http_requests_total{method="PATCH",route="/api/v1/auths",status="200"}"#,
        1.0,
    )]);
    assert!(!gateway.0.contains("sign_ins_total"), "{}", gateway.0);
    let auth = Scrape::of(&auth).await;
    auth.assert(&[
        (r#"customauth_sign_ins_total{outcome="new_user"}"#, 1.0),
        (r#"customauth_grpc_requests_total{code="OK",method="RequestCode",service="auth-service"}"#, 1.0),
    ]);
    assert!(!auth.0.contains("profile-service\",method"), "{}", auth.0);
    let profile = Scrape::of(&profile).await;
    profile.assert(&[(
        r#"customauth_grpc_requests_total{code="OK",method="CreateProfile",service="profile-service"}"#,
        1.0,
    )]);
    assert!(!profile.0.contains("customauth_http_"), "{}", profile.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_can_be_read_until_the_last_request_is_answered() {
    let data = tempfile::tempdir().unwrap();
    let mut slow = customauth(data.path());
    slow.arg(ON_A_FREE_PORT).env("AUTH_SMS_DELAY_MS", "4000");
    let mut process = Process::start(slow);
    let base = process.line_after("HTTP/JSON");
    let metrics = process.line_after("metrics ");
    ready(&base).await;
    assert_eq!(
        request("GET", &format!("{base}/metrics"), &[], "")
            .await
            .status,
        404
    );
    let auths = format!("{base}/api/v1/auths/");
    let waiting = tokio::spawn(async move {
        let body = json!({ "phone_number": "+77777777766" }).to_string();
        let json = [("content-type", "application/json")];
        request("POST", &auths, &json, body).await.status
    });
    let in_flight = "customauth_http_requests_in_flight";
    for _ in 0..200 {
        if Scrape::of(&metrics).await.value(in_flight) > 0.0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    process.signal("-TERM");
    let address = base.trim_start_matches("http://");
    for _ in 0..100 {
        if tokio::net::TcpStream::connect(address).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // The gateway is closed, and still at it.
    Scrape::of(&metrics).await.assert(&[(in_flight, 1.0)]);
    assert!(!waiting.is_finished());
    assert_eq!(waiting.await.unwrap(), 200);
    let (status, stderr) = process.end(END);
    assert_eq!(status, Some(0), "{stderr}");
    let address = metrics
        .trim_start_matches("http://")
        .trim_end_matches("/metrics");
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[test]
fn a_wrong_or_taken_address_is_one_clear_line() {
    let data = tempfile::tempdir().unwrap();
    let directory = format!("--data-dir={}", data.path().display());
    let line = complaint("customauth", &["--metrics-listen=9464", &directory]);
    assert!(line.contains("--metrics-listen"), "{line}");

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut gateway = command("gateway");
    gateway
        .args([
            "--gateway-listen=127.0.0.1:0",
            crate::common::processes::GATEWAY_KEY,
        ])
        .args([
            "--auth-url=http://127.0.0.1:1",
            "--profile-url=http://127.0.0.1:1",
        ])
        .arg(format!("--metrics-listen={address}"));
    for mut program in [customauth(data.path()), gateway] {
        program.env("METRICS_LISTEN", address.to_string());
        let output = program.output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        let start = format!("error: METRICS_LISTEN: cannot listen on {address}: ");
        assert!(stderr.starts_with(&start), "{stderr}");
    }
}
