//! What goes along with a request through a process and on to the next one:
//! its id and its deadline.

mod ids;

use std::{
    convert::Infallible,
    future::Future,
    io::Write as _,
    pin::Pin,
    sync::Arc,
    task::{Context as Poll, Poll as Ready, ready},
    time::Duration,
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tokio::time::Instant;
use tower::Service;
use tracing::Level;

use crate::random::Random;
use ids::Ids;

/// The header (HTTP) and metadata key (gRPC) of the request id.
pub const REQUEST_ID: &str = "request-id";
/// The header by which gRPC says how long a call may take.
pub(crate) const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// The name of [`REQUEST_ID`] as it is written: a text would be copied each time.
pub(crate) const REQUEST_ID_NAME: HeaderName = HeaderName::from_static(REQUEST_ID);
/// How long a request may take that names no deadline of its own.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(15);
/// The longest id that is taken from a request.
const MAX_ID_LENGTH: usize = 128;

tokio::task_local! {
    static CURRENT: Current;
}

#[derive(Clone)]
struct Current {
    request_id: HeaderValue,
    /// `None` for what goes on when its request is over.
    deadline: Option<Instant>,
}

/// The id of the request that the running task serves, as a header has it. Every
/// line of the log that is written meanwhile tells it.
pub fn request_id() -> Option<HeaderValue> {
    CURRENT.try_with(|current| current.request_id.clone()).ok()
}

/// The same, to be looked at.
pub(crate) fn with_request_id<T>(look: impl FnOnce(&str) -> T) -> Option<T> {
    let look = |current: &Current| current.request_id.to_str().ok().map(look);
    CURRENT.try_with(look).ok().flatten()
}

/// When the request that the running task serves must be answered.
pub fn deadline() -> Option<Instant> {
    CURRENT.try_with(|current| current.deadline).ok().flatten()
}

/// Steps for the request that the running task serves, to be done by another task
/// and without its deadline: whatever they log and call has its id.
pub fn beyond<T>(steps: impl Future<Output = T>) -> impl Future<Output = T> {
    let id = request_id();
    async move {
        match id {
            Some(request_id) => {
                let current = Current {
                    request_id,
                    deadline: None,
                };
                CURRENT.scope(current, steps).await
            }
            None => steps.await,
        }
    }
}

/// Gives every request its context, an answer header with its id, and a log
/// line at level debug.
#[derive(Clone)]
pub struct WithContext<S> {
    inner: S,
    ids: Ids,
}

impl<S> WithContext<S> {
    /// Wraps a service; `random` makes the ids of requests that bring none.
    pub fn new(inner: S, random: Arc<dyn Random>) -> Self {
        let ids = Ids::new(random);
        Self { inner, ids }
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
        let id = sane_id(request.headers()).unwrap_or_else(|| self.ids.next());
        let started = Instant::now();
        let allowed = grpc_timeout(request.headers()).unwrap_or(DEFAULT_DEADLINE);
        let current = Current {
            request_id: id.clone(),
            deadline: Some(started + allowed.min(DEFAULT_DEADLINE)),
        };
        let told = tracing::enabled!(Level::DEBUG).then(|| Told {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            started,
        });
        // Layers may ask for the context before they make their future.
        let answer = CURRENT.sync_scope(current.clone(), || self.inner.call(request));
        let observed = Observed {
            answer,
            id: Some(id),
            told,
        };
        Box::pin(CURRENT.scope(current, observed))
    }
}

pin_project! {
    /// The answer to a request, with its id, once it is told to the log. What a
    /// block moves into an await has two places in it, so this is none.
    struct Observed<A> {
        #[pin]
        answer: A,
        id: Option<HeaderValue>,
        told: Option<Told>,
    }
}

/// What the log tells of a request at level debug.
struct Told {
    method: Method,
    path: String,
    started: Instant,
}

impl Told {
    fn answered(self, status: StatusCode) {
        let Self {
            method,
            path,
            started,
        } = self;
        let elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(%method, path, status = status.as_u16(), elapsed_ms, "answered");
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
        if let Some(told) = this.told.take() {
            told.answered(response.status());
        }
        if let Some(id) = this.id.take() {
            response.headers_mut().insert(REQUEST_ID_NAME, id);
        }
        Ready::Ready(Ok(response))
    }
}

/// The request's own id, if it is one that may go into headers and logs.
fn sane_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(REQUEST_ID)?.as_bytes();
    let sane = |byte: &u8| byte.is_ascii_alphanumeric() || b"._:=+/-".contains(byte);
    if !(1..=MAX_ID_LENGTH).contains(&id.len()) || !id.iter().all(sane) {
        return None;
    }
    // A copy: the value is a piece of what was read from the client, all of which
    // it would keep.
    HeaderValue::from_bytes(id).ok()
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
    let millis = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
    let mut text = [0; 9];
    let mut rest = &mut text[..];
    let written = write!(rest, "{}m", millis.min(99_999_999));
    let length = 9 - rest.len();
    let value = HeaderValue::from_bytes(&text[..length]).ok();
    let value = value.filter(|_| written.is_ok());
    value.unwrap_or_else(|| HeaderValue::from_static("0m"))
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
