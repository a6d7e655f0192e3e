//! `/metrics` on a listener of its own, for a scraper alone.

use std::{convert::Infallible, net::SocketAddr};

use anyhow::Context as _;
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, CONTENT_TYPE as CONTENT_TYPE_HEADER},
};
use http_body_util::Full;
use tokio::net::TcpListener;

use super::Metrics;
use crate::{listener, stop::Stop};

/// Prometheus's text format.
pub const CONTENT_TYPE: HeaderValue =
    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// A listener for metrics, until this is dropped. It belongs at the end of the
/// work, not at its stop: the last scrape tells what was left.
#[derive(Debug)]
pub struct Listening {
    address: SocketAddr,
    stop: Stop,
}

impl Listening {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.stop.at_once();
    }
}

/// Serves the metrics where `METRICS_LISTEN` says; nowhere if it is not set.
///
/// # Errors
/// When the address cannot be had.
pub async fn listen(
    address: Option<SocketAddr>,
    metrics: &Metrics,
) -> anyhow::Result<Option<Listening>> {
    let Some(address) = address else {
        return Ok(None);
    };
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("METRICS_LISTEN: cannot listen on {address}"))?;
    let address = listener.local_addr()?;
    let stop = Stop::default();
    let metrics = metrics.clone();
    let page = tower::service_fn(move |request: Request<_>| {
        std::future::ready(Ok::<_, Infallible>(answer(&metrics, &request)))
    });
    tokio::spawn(listener::serve(listener, None, page, stop.clone()));
    Ok(Some(Listening { address, stop }))
}

fn answer<B>(metrics: &Metrics, request: &Request<B>) -> Response<Full<Bytes>> {
    if !matches!(request.uri().path(), "/metrics" | "/metrics/") {
        return said(StatusCode::NOT_FOUND, PLAIN, "there is /metrics\n".into());
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refused = said(StatusCode::METHOD_NOT_ALLOWED, PLAIN, Bytes::new());
        let allowed = HeaderValue::from_static("GET, HEAD");
        refused.headers_mut().insert(ALLOW, allowed);
        return refused;
    }
    said(StatusCode::OK, CONTENT_TYPE, metrics.render().into())
}

fn said(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE_HEADER, content_type);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_this_page_and_nothing_else() {
        let metrics = Metrics::default();
        metrics.counter("seen_total", "Seen.").inc();
        let rows = [
            ("GET", "/metrics", 200),
            ("GET", "/metrics/", 200),
            ("GET", "/metrics?name[]=x", 200),
            ("HEAD", "/metrics", 200),
            ("POST", "/metrics", 405),
            ("GET", "/", 404),
            ("POST", "/livez", 404),
            ("GET", "/metrics//", 404),
        ];
        for (method, path, status) in rows {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .body(())
                .unwrap();
            let answer = answer(&metrics, &request);
            assert_eq!(answer.status(), status, "{method} {path}");
            let allow = answer.headers().get(ALLOW).map(HeaderValue::as_bytes);
            let expected = (status == 405).then_some(&b"GET, HEAD"[..]);
            assert_eq!(allow, expected, "{method} {path}");
        }
    }

    #[tokio::test]
    async fn a_taken_address_is_told_by_the_settings_name() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = listen(Some(address), &Metrics::default())
            .await
            .unwrap_err();
        let line = format!("{error:#}");
        let start = format!("METRICS_LISTEN: cannot listen on {address}: ");
        assert!(line.starts_with(&start), "{line}");
        assert!(listen(None, &Metrics::default()).await.unwrap().is_none());
    }
}
