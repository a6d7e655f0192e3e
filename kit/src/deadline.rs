//! Ends a request whose time is over, with the answer that its protocol owes.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use proto::{Reason, Refusal};
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
    S::Future: Send + 'static,
    F: Fn() -> Response<R> + Clone + Send + 'static,
    R: 'static,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, Infallible>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let answer = self.inner.call(request);
        let Some(deadline) = context::deadline() else {
            return Box::pin(answer);
        };
        let late = self.late.clone();
        Box::pin(async move {
            match tokio::time::timeout_at(deadline, answer).await {
                Ok(answer) => answer,
                Err(_) => Ok(late()),
            }
        })
    }
}
