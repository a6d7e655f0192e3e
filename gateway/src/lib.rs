//! The documented HTTP/JSON API, in front of auth-service and profile-service.
//!
//! It holds no state and knows no rule: a route turns JSON into a call and its
//! answer into JSON, and `problem` is the one place that turns a gRPC status
//! into an HTTP answer.

mod answer;
mod body;
mod client;
pub mod config;
mod file;
mod linger;
mod openapi;
mod problem;
mod readiness;
mod routes;
mod security;
mod services;
mod texts;

use std::{convert::Infallible, sync::Arc};

use axum::{
    BoxError,
    body::Bytes,
    http::Request,
    response::{IntoResponse as _, Response},
};
use http_body::Body;
use kit::{
    admission::{self, WithAdmission},
    clock::SystemClock,
    context::WithContext,
    deadline::{self, WithDeadline},
    listener,
    metrics::requests::{Requests, WithRequests},
    random::SystemRandom,
    stop::Stop,
    wait::WithWait,
};
use tokio::net::TcpListener;
use tower::{Service, ServiceBuilder};

pub use config::Config;
// For the benchmark that writes it.
pub use routes::personal_area::Profile;

use crate::{linger::Lingering, problem::Problem, services::Services};

/// Whether the gateway lives, and what it has to do, is told also when that is
/// more than enough.
const PROBES: &[&str] = &["/livez", "/readyz", routes::meta::METRICS];

/// Serves the API on `listener` until `stop`. The services behind it need not
/// be there yet.
///
/// # Errors
/// None so far; the signature is the one that all services have.
pub async fn serve(config: Config, listener: TcpListener, stop: Stop) -> anyhow::Result<()> {
    kit::crypto::install();
    let api = api(&config);
    listener::serve(listener, config.tls, api, stop).await;
    Ok(())
}

/// The routes, and what every request passes on its way to them.
fn api<B>(
    config: &Config,
) -> impl Service<Request<B>, Response = Response, Error = Infallible, Future: Send>
+ Clone
+ Send
+ use<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + Unpin + 'static,
{
    let services = Services::new(config, Arc::new(SystemClock));
    let random = Arc::new(SystemRandom::default());
    let templates = routes::templates(&services);
    let requests = Requests::http(&config.metrics, services::GATEWAY, templates);
    ServiceBuilder::new()
        .map_response(security::headers(config))
        .map_request(admit)
        .layer_fn(move |inner| WithContext::new(inner, random.clone()))
        .layer_fn(move |inner| WithRequests::new(inner, requests.clone()))
        .layer(config.cors.layer())
        .layer_fn(|inner| WithAdmission::new(inner, PROBES, too_busy))
        .layer_fn(|inner| WithDeadline::new(inner, too_late))
        .layer_fn(WithWait::new)
        .service(routes::router(services))
}

/// A request as it goes in. Its deadline is the gateway's alone: `grpc-timeout`
/// means nothing in this API.
fn admit<B: Body + Send + Unpin + 'static>(mut request: Request<B>) -> Request<Lingering<B>> {
    request.headers_mut().remove("grpc-timeout");
    let (head, body) = request.into_parts();
    let body = Lingering::new(&head.headers, body);
    Request::from_parts(head, body)
}

fn too_busy() -> Response {
    Problem::from(admission::overloaded().into_status()).into_response()
}

fn too_late() -> Response {
    Problem::from(deadline::exceeded().into_status()).into_response()
}

#[cfg(test)]
mod tests {
    use std::{
        pin::Pin,
        task::{Context, Poll},
    };

    use clap::Parser as _;
    use http_body::Frame;
    use kit::context::DEFAULT_DEADLINE;
    use tokio::time::Instant;
    use tower::ServiceExt as _;

    use super::*;

    /// A body of which nothing ever comes.
    struct Stalled;

    impl Body for Stalled {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Pending
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stalled_body_gets_its_answer_when_the_gateways_time_is_over() {
        kit::crypto::install();
        let flags = [
            "gateway",
            "--auth-url=http://127.0.0.1:1",
            "--profile-url=http://127.0.0.1:1",
            "--gateway-key=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        ];
        let cli = config::Cli::try_parse_from(flags).unwrap();
        let request = Request::post("/api/v1/auths/")
            .header("content-type", "application/json")
            .header("grpc-timeout", "1m")
            .body(Stalled)
            .unwrap();
        let config = Config::from_cli(&cli).unwrap();
        let begun = Instant::now();
        let response = api(&config).oneshot(request).await.unwrap();
        assert_eq!(response.status(), 504);
        assert_eq!(response.headers()["error-code"], "DEADLINE_EXCEEDED");
        assert!(response.headers().contains_key("request-id"));
        // To the millisecond, in which the timer counts.
        assert_eq!(begun.elapsed().as_secs(), DEFAULT_DEADLINE.as_secs());
        let told = config.metrics.render();
        for line in [
            r#"customauth_http_requests_total{method="POST",route="/api/v1/auths",status="504"} 1"#,
            r#"customauth_errors_total{reason="DEADLINE_EXCEEDED",service="gateway"} 1"#,
        ] {
            assert!(told.lines().any(|each| each == line), "{line}\n{told}");
        }
    }
}
