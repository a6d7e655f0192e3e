//! What goes along with a request through a process and on to the next one:
//! its id and its deadline.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context as Poll, Poll as Ready, ready},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower::Service;
use tracing::Instrument as _;

use crate::random::{Random, bytes};

/// The header (HTTP) and metadata key (gRPC) of the request id.
pub const REQUEST_ID: &str = "request-id";
/// The header by which gRPC says how long a call may take.
pub(crate) const GRPC_TIMEOUT: &str = "grpc-timeout";
/// How long a request may take that names no deadline of its own.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(15);
/// The longest id that is taken from a request.
const MAX_ID_LENGTH: usize = 128;

tokio::task_local! {
    static CURRENT: Current;
}

#[derive(Clone)]
struct Current {
    request_id: Arc<str>,
    deadline: Instant,
}

/// The id of the request that the running task serves.
pub fn request_id() -> Option<Arc<str>> {
    CURRENT.try_with(|current| current.request_id.clone()).ok()
}

/// When the request that the running task serves must be answered.
pub fn deadline() -> Option<Instant> {
    CURRENT.try_with(|current| current.deadline).ok()
}

/// Gives every request its context, an answer header with its id, and a log
/// line at level debug.
#[derive(Clone)]
pub struct WithContext<S> {
    inner: S,
    random: Arc<dyn Random>,
}

impl<S> WithContext<S> {
    /// Wraps a service; `random` makes the ids of requests that bring none.
    pub fn new(inner: S, random: Arc<dyn Random>) -> Self {
        Self { inner, random }
    }
}

impl<S, B, R> Service<Request<B>> for WithContext<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
    S::Future: Send + 'static,
    R: 'static,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Poll<'_>) -> Ready<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (id, header) = sane_id(request.headers()).unwrap_or_else(|| fresh_id(&*self.random));
        let span = tracing::info_span!("request", id = %id);
        let started = Instant::now();
        let allowed = grpc_timeout(request.headers()).unwrap_or(DEFAULT_DEADLINE);
        let current = Current {
            request_id: id,
            deadline: started + allowed.min(DEFAULT_DEADLINE),
        };
        let method = request.method().clone();
        let path = request.uri().path().to_owned();
        // Layers may ask for the context before they make their future.
        let answer = CURRENT.sync_scope(current.clone(), || self.inner.call(request));
        let observed = Observed {
            answer,
            seen: Some((header, method, path)),
            started,
        };
        Box::pin(CURRENT.scope(current, observed.instrument(span)))
    }
}

pin_project! {
    /// The answer to a request, with its id, once it is told to the log. What a
    /// block moves into an await has two places in it, so this is none.
    struct Observed<A> {
        #[pin]
        answer: A,
        seen: Option<(HeaderValue, Method, String)>,
        started: Instant,
    }
}

impl<A, R> Future for Observed<A>
where
    A: Future<Output = Result<Response<R>, Infallible>>,
{
    type Output = A::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Poll<'_>) -> Ready<Self::Output> {
        let this = self.project();
        let Ok(mut response) = ready!(this.answer.poll(cx));
        if let Some((header, method, path)) = this.seen.take() {
            let elapsed_ms = u64::try_from(this.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            tracing::debug!(%method, path, status = response.status().as_u16(), elapsed_ms, "answered");
            response
                .headers_mut()
                .insert(HeaderName::from_static(REQUEST_ID), header);
        }
        Ready::Ready(Ok(response))
    }
}

/// The request's own id, if it is one that may go into headers and logs.
fn sane_id(headers: &HeaderMap) -> Option<(Arc<str>, HeaderValue)> {
    let value = headers.get(REQUEST_ID)?;
    let id = value.to_str().ok()?;
    let sane = |byte: u8| byte.is_ascii_alphanumeric() || b"._:=+/-".contains(&byte);
    let fits = (1..=MAX_ID_LENGTH).contains(&id.len()) && id.bytes().all(sane);
    // A copy: the value is a piece of what was read from the client, all of which
    // it would keep.
    let copied = HeaderValue::from_str(id).ok()?;
    fits.then(|| (id.into(), copied))
}

fn fresh_id(random: &dyn Random) -> (Arc<str>, HeaderValue) {
    let id = format!("{:032x}", u128::from_be_bytes(bytes(random)));
    let header = HeaderValue::from_str(&id).unwrap_or_else(|_| HeaderValue::from_static("-"));
    (id.into(), header)
}

/// The deadline in a gRPC request's `grpc-timeout`: up to eight digits and a
/// unit. Anything else is no deadline.
fn grpc_timeout(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(GRPC_TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = value.split_at_checked(value.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(count * 3600),
        "M" => Duration::from_secs(count * 60),
        "S" => Duration::from_secs(count),
        "m" => Duration::from_millis(count),
        "u" => Duration::from_micros(count),
        "n" => Duration::from_nanos(count),
        _ => return None,
    })
}

/// A time as `grpc-timeout` says it: in milliseconds, of which eight digits are
/// more than a day.
pub(crate) fn grpc_timeout_of(left: Duration) -> HeaderValue {
    let millis = left.as_millis().min(99_999_999);
    let written = HeaderValue::from_str(&format!("{millis}m"));
    written.unwrap_or_else(|_| HeaderValue::from_static("0m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        let mut map = HeaderMap::new();
        map.insert(name, value.parse().unwrap());
        map
    }

    #[test]
    fn an_id_is_taken_only_if_it_can_do_no_harm() {
        let taken = |id: &str| sane_id(&headers("request-id", id)).is_some();
        assert!(taken("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert!(taken("Root=1-67891233-abcdef012345678912345678"));
        assert!(!taken(""));
        assert!(!taken("a b"));
        assert!(!taken("\"x\""));
        assert!(!taken(&"a".repeat(129)));
    }

    #[test]
    fn timeouts_are_read_as_grpc_writes_them() {
        let read = |value: &str| grpc_timeout(&headers("grpc-timeout", value));
        assert_eq!(read("100m"), Some(Duration::from_millis(100)));
        assert_eq!(read("3S"), Some(Duration::from_secs(3)));
        assert_eq!(
            read("99999999H"),
            Some(Duration::from_secs(99_999_999 * 3600))
        );
        let written = grpc_timeout_of(Duration::from_micros(1_999_999));
        assert_eq!(
            read(written.to_str().unwrap()),
            Some(Duration::from_millis(1_999))
        );
        for bad in ["", "S", "1", "-1S", "1.5S", "123456789S", "1x"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
