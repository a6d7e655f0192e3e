//! The layer that counts what passes it.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll, ready},
};

use ::http::{Request, Response};
use pin_project_lite::pin_project;
use tower::Service;

use super::{Open, Requests};

/// Counts the requests to a service, and what came of them.
#[derive(Clone)]
pub struct WithRequests<S> {
    inner: S,
    requests: Requests,
}

impl<S> WithRequests<S> {
    /// Wraps a service.
    pub fn new(inner: S, requests: Requests) -> Self {
        Self { inner, requests }
    }
}

impl<S, B, R> Service<Request<B>> for WithRequests<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Counted<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let open = self.requests.begin(&request);
        let answer = self.inner.call(request);
        Counted { answer, open }
    }
}

pin_project! {
    /// The answer to a request that is counted when it is there, or given up.
    pub struct Counted<F> {
        #[pin]
        answer: F,
        open: Open,
    }
}

impl<F, R> Future for Counted<F>
where
    F: Future<Output = Result<Response<R>, Infallible>>,
{
    type Output = Result<Response<R>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let Ok(response) = ready!(this.answer.poll(cx));
        this.open.answered(&response);
        Poll::Ready(Ok(response))
    }
}
