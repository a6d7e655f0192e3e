//! Ends a request whose time is over, with the answer that its protocol owes.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use proto::{Reason, Refusal};
use tokio::time::{Timeout, timeout_at};
use tower::Service;

use crate::context;

/// Answers in place of the inner service when the request's deadline
/// ([`context::deadline`]) passes.
#[derive(Clone)]
pub struct WithDeadline<S, F> {
    inner: S,
    late: F,
}

impl<S, F> WithDeadline<S, F> {
    /// Wraps a service; `late` makes the answer for a request out of time.
    pub fn new(inner: S, late: F) -> Self {
        Self { inner, late }
    }
}

/// What is said when the time is over.
pub fn exceeded() -> Refusal {
    Refusal::new(
        Reason::DeadlineExceeded,
        "the request was not answered in its time",
    )
}

impl<S, B, R, F> Service<Request<B>> for WithDeadline<S, F>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
    F: Fn() -> Response<R> + Clone,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = InTime<S::Future, F>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let answer = self.inner.call(request);
        let time = match context::deadline() {
            Some(deadline) => Time::Limited {
                answer: timeout_at(deadline, answer),
            },
            None => Time::Unlimited { answer },
        };
        InTime {
            time,
            late: self.late.clone(),
        }
    }
}

pin_project! {
    /// The answer to a request, or the one that it is late.
    pub struct InTime<A, F> {
        #[pin]
        time: Time<A>,
        late: F,
    }
}

pin_project! {
    #[project = TimeProjection]
    enum Time<A> {
        Limited { #[pin] answer: Timeout<A> },
        Unlimited { #[pin] answer: A },
    }
}

impl<A, F, R> Future for InTime<A, F>
where
    A: Future<Output = Result<Response<R>, Infallible>>,
    F: Fn() -> Response<R>,
{
    type Output = A::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.time.project() {
            TimeProjection::Limited { answer } => {
                let answer = ready!(answer.poll(cx));
                Poll::Ready(answer.unwrap_or_else(|_| Ok((this.late)())))
            }
            TimeProjection::Unlimited { answer } => answer.poll(cx),
        }
    }
}
