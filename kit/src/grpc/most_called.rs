//! The service that is called the most, without the way through a router: that
//! makes a text of the path's rest, wraps each body twice and clones what answers.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tonic::{body::Body, server::NamedService, service::Routes};
use tower::Service;

type Routed = <Routes as Service<Request<Body>>>::Future;

/// A service and the routes to the others.
#[derive(Clone)]
pub(super) struct MostCalled<S> {
    service: S,
    others: Routes,
}

impl<S: NamedService> MostCalled<S> {
    pub(super) fn new(service: S, others: Routes) -> Self {
        Self { service, others }
    }

    /// Whether a path is one of the service's, as the router would say.
    fn has(path: &str) -> bool {
        let rest = path
            .strip_prefix('/')
            .and_then(|path| path.strip_prefix(S::NAME))
            .and_then(|path| path.strip_prefix('/'));
        rest.is_some_and(|rest| !rest.is_empty())
    }
}

impl<S> Service<Request<Body>> for MostCalled<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible> + NamedService,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer<S::Future>;

    /// It is always ready, as are all services of gRPC.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if Self::has(request.uri().path()) {
            let answer = self.service.call(request);
            Answer::Direct { answer }
        } else {
            let answer = self.others.call(request);
            Answer::Routed { answer }
        }
    }
}

pin_project! {
    /// The answer to a call.
    #[project = AnswerProjection]
    pub(super) enum Answer<F> {
        Direct { #[pin] answer: F },
        Routed { #[pin] answer: Routed },
    }
}

impl<F> Future for Answer<F>
where
    F: Future<Output = Result<Response<Body>, Infallible>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            AnswerProjection::Direct { answer } => answer.poll(cx),
            AnswerProjection::Routed { answer } => answer.poll(cx),
        }
    }
}

#[cfg(test)]
mod tests;
