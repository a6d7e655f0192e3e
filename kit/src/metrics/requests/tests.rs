use std::time::Duration;

use proto::Refusal;
use tonic::body::Body;
use tower::{Service, ServiceExt as _};

use super::*;

type Answered = Result<Response<Body>, std::convert::Infallible>;

fn requests(metrics: &Metrics) -> Requests {
    let templates = ["/live", "/item/{id}"];
    Requests::http(metrics, "gateway", templates.map(str::to_owned))
}

/// Answers as the path's last part says.
async fn by_path(request: Request<()>) -> Answered {
    let mut response = Response::new(Body::default());
    match request.uri().path().rsplit('/').next() {
        Some("refused") => {
            *response.status_mut() = ::http::StatusCode::NOT_FOUND;
            let headers = response.headers_mut();
            headers.insert("error-code", "SESSION_NOT_FOUND".parse().unwrap());
        }
        Some("never") => std::future::pending().await,
        Some("slow") => tokio::time::sleep(Duration::from_secs(3)).await,
        Some("DeleteUser") => {
            let refusal = Refusal::new(Reason::SessionEnded, "why");
            return Ok(refusal.into_status().into_http());
        }
        _ => {}
    }
    Ok(response)
}

fn service(requests: &Requests) -> impl Service<Request<()>, Response = Response<Body>> + use<> {
    WithRequests::new(tower::service_fn(by_path), requests.clone())
}

async fn send(requests: &Requests, method: &str, path: &str) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(())
        .unwrap();
    assert!(service(requests).oneshot(request).await.is_ok());
}

#[track_caller]
fn assert_tells(metrics: &Metrics, lines: &[&str]) {
    let text = metrics.render();
    for line in lines {
        assert!(text.lines().any(|each| each == *line), "{line}\n{text}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_counts_with_its_route_method_status_and_time() {
    let metrics = Metrics::default();
    let requests = requests(&metrics);
    send(&requests, "GET", "/live").await;
    send(&requests, "GET", "/live/").await;
    send(&requests, "POST", "/item/slow").await;
    send(&requests, "GET", "/item/refused").await;
    send(&requests, "GET", "/item/refused/x").await;
    assert_tells(
        &metrics,
        &[
            r#"customauth_http_requests_total{method="GET",route="/live",status="200"} 2"#,
            r#"customauth_http_requests_total{method="GET",route="/item/{id}",status="404"} 1"#,
            r#"customauth_http_requests_total{method="GET",route="unmatched",status="200"} 1"#,
            r#"customauth_http_request_duration_seconds_bucket{method="POST",route="/item/{id}",le="2.5"} 0"#,
            r#"customauth_http_request_duration_seconds_bucket{method="POST",route="/item/{id}",le="5"} 1"#,
            r#"customauth_errors_total{reason="SESSION_NOT_FOUND",service="gateway"} 1"#,
            "customauth_http_requests_in_flight 0",
        ],
    );
}

#[tokio::test]
async fn who_goes_away_is_counted_and_not_in_flight_any_more() {
    let metrics = Metrics::default();
    let requests = requests(&metrics);
    let request = Request::get("/item/never").body(()).unwrap();
    let mut waiting = Box::pin(service(&requests).oneshot(request));
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(waiting.as_mut().poll(cx)));
    assert!(polled.await.is_pending());
    assert_tells(&metrics, &["customauth_http_requests_in_flight 1"]);
    drop(waiting);
    assert_tells(
        &metrics,
        &[
            "customauth_http_requests_in_flight 0",
            r#"customauth_http_requests_total{method="GET",route="/item/{id}",status="aborted"} 1"#,
        ],
    );
}

#[tokio::test]
async fn a_call_counts_with_its_method_and_code() {
    let metrics = Metrics::default();
    let requests = Requests::grpc(&metrics, "auth-service");
    send(&requests, "POST", "/auth.v1.AuthService/GetJwks").await;
    send(&requests, "POST", "/auth.v1.AuthService/DeleteUser").await;
    send(&requests, "POST", "/auth.v1.AuthService/Nothing").await;
    assert_tells(
        &metrics,
        &[
            r#"customauth_grpc_requests_total{code="OK",method="GetJwks",service="auth-service"} 1"#,
            r#"customauth_grpc_requests_total{code="UNAUTHENTICATED",method="DeleteUser",service="auth-service"} 1"#,
            r#"customauth_grpc_requests_total{code="OK",method="unknown",service="auth-service"} 1"#,
            r#"customauth_errors_total{reason="SESSION_ENDED",service="auth-service"} 1"#,
        ],
    );
}

#[tokio::test]
async fn no_path_and_no_method_makes_a_series_of_its_own() {
    let metrics = Metrics::default();
    let requests = requests(&metrics);
    let (mut before, mut sent) = (0, 0);
    for round in 0..2 {
        for each in 0..500 {
            send(
                &requests,
                &format!("M{each}"),
                &format!("/x/{round}/{each}"),
            )
            .await;
            send(&requests, "GET", &format!("/item/{round}{each}")).await;
            sent += 2;
        }
        let series = metrics.render().lines().count();
        assert!(before == 0 || series == before, "{series}, were {before}");
        before = series;
    }
    let counted =
        r#"customauth_http_requests_total{method="other",route="unmatched",status="200"} "#;
    assert_tells(&metrics, &[&format!("{counted}{}", sent / 2)]);
}

/// `cargo test --release -p kit next_to_nothing -- --nocapture` prints how much.
/// Here it only has to be far from what a request costs.
#[tokio::test]
async fn it_costs_next_to_nothing() {
    const MANY: u32 = 2_000;
    let metrics = Metrics::default();
    let requests = requests(&metrics);
    let request = Request::get("/item/0190").body(()).unwrap();
    let rounds = (0..10).map(|_| {
        let begun = std::time::Instant::now();
        for _ in 0..MANY {
            let mut open = requests.begin(&request);
            open.answered(&Response::new(()));
        }
        begun.elapsed() / MANY
    });
    // The best one, since others use the machine too.
    let each = rounds.min().unwrap();
    println!("a request's count takes {each:?}");
    assert!(each < Duration::from_micros(50), "{each:?}");
}
