//! How many requests a process takes on at once. One more is told so at once,
//! before it costs anything; those that were admitted keep their time.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use proto::{Reason, Refusal};
use tower::Service;

/// Requests at once, in a process. Most of them only wait for a message to be
/// delivered: that costs their memory and nothing else. It is well above the
/// 10,000 that are promised, and what is short behind it has bounds of its own.
pub const MOST_IN_FLIGHT: usize = 15_000;
/// When to repeat a request that was not admitted.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// What is said to one too many.
pub fn overloaded() -> Refusal {
    let said = "too many requests at once: try again in a moment";
    Refusal::new(Reason::Overloaded, said).retry_after(RETRY_AFTER)
}

/// Answers in place of the inner service when too many requests are in flight.
#[derive(Clone)]
pub struct WithAdmission<S, F> {
    inner: S,
    in_flight: Arc<AtomicUsize>,
    most: usize,
    /// Beginnings of paths that are always admitted: who asks whether a process
    /// lives must not hear that it is busy.
    spared: &'static [&'static str],
    busy: F,
}

impl<S, F> WithAdmission<S, F> {
    /// Wraps a service; `busy` makes the answer for one request too many, and
    /// paths that begin with one of `spared` are always admitted.
    pub fn new(inner: S, spared: &'static [&'static str], busy: F) -> Self {
        Self {
            inner,
            in_flight: Arc::default(),
            most: MOST_IN_FLIGHT,
            spared,
            busy,
        }
    }
}

/// A request in flight, also if it is broken off.
struct InFlight(Arc<AtomicUsize>);

impl InFlight {
    /// The request, and how many there were before it.
    fn begin(count: &Arc<AtomicUsize>) -> (Self, usize) {
        let before = count.fetch_add(1, Ordering::Relaxed);
        (Self(count.clone()), before)
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<S, B, R, F> Service<Request<B>> for WithAdmission<S, F>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
    F: Fn() -> Response<R>,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Admitted<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let path = request.uri().path();
        let spared = self.spared.iter().any(|spared| path.starts_with(spared));
        let in_flight = (!spared).then(|| InFlight::begin(&self.in_flight));
        let state = match in_flight {
            Some((_, before)) if before >= self.most => State::Refused {
                answer: Some((self.busy)()),
            },
            in_flight => State::Admitted {
                answer: self.inner.call(request),
                in_flight: in_flight.map(|(in_flight, _)| in_flight),
            },
        };
        Admitted { state }
    }
}

pin_project! {
    /// The answer to a request, or that there are too many.
    pub struct Admitted<A, R> {
        #[pin]
        state: State<A, R>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<A, R> {
        Admitted { #[pin] answer: A, in_flight: Option<InFlight> },
        Refused { answer: Option<Response<R>> },
    }
}

impl<A, R> Future for Admitted<A, R>
where
    A: Future<Output = Result<Response<R>, Infallible>>,
{
    type Output = A::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Admitted { answer, in_flight } => {
                let answer = ready!(answer.poll(cx));
                *in_flight = None;
                Poll::Ready(answer)
            }
            StateProjection::Refused { answer } => match answer.take() {
                Some(answer) => Poll::Ready(Ok(answer)),
                None => Poll::Pending,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn one_too_many_is_told_at_once_and_a_probe_is_not_counted() {
        let go = Arc::new(Semaphore::new(0));
        let gate = go.clone();
        let service = tower::service_fn(move |request: Request<()>| {
            let gate = gate.clone();
            async move {
                if request.uri().path() == "/work" {
                    let _ = gate.acquire().await;
                }
                Ok(Response::new("done"))
            }
        });
        let mut service = WithAdmission::new(service, &["/live"], || Response::new("busy"));
        service.most = 2;
        let send = |path: &str| {
            let request = Request::get(path).body(()).unwrap();
            tokio::spawn(service.clone().oneshot(request))
        };
        let admitted = [send("/work"), send("/work")];
        tokio::task::yield_now().await;
        assert_eq!(send("/work").await.unwrap().unwrap().into_body(), "busy");
        let probe = send("/livez").await.unwrap().unwrap();
        assert_eq!(probe.into_body(), "done");
        admitted[0].abort();
        while service.in_flight.load(Ordering::Relaxed) > 1 {
            tokio::task::yield_now().await;
        }
        let third = send("/work");
        go.add_permits(3);
        assert_eq!(third.await.unwrap().unwrap().into_body(), "done");
        for one in admitted.into_iter().skip(1) {
            assert_eq!(one.await.unwrap().unwrap().into_body(), "done");
        }
        assert_eq!(service.in_flight.load(Ordering::Relaxed), 0);
    }
}
