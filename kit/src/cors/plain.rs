//! Requests that no web page sent: the headers that their answers get are the same
//! for all, and are made once.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, Waker, ready},
};

use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Response,
    header::{ORIGIN, VARY},
};
use pin_project_lite::pin_project;
use tower::{Layer, Service, service_fn};
use tower_http::cors::{Cors, CorsLayer, ResponseFuture};

/// Makes services answer by the rules of CORS.
#[derive(Clone)]
pub struct WithCorsLayer {
    full: CorsLayer,
    plain: Arc<[(HeaderName, HeaderValue)]>,
}

impl WithCorsLayer {
    pub(super) fn new(full: CorsLayer) -> Self {
        let plain = headers_without_origin(&full);
        let plain = plain.iter();
        Self {
            plain: plain
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            full,
        }
    }
}

/// What an answer to a request without an origin gets.
fn headers_without_origin(full: &CorsLayer) -> HeaderMap {
    let empty = |_: Request<()>| -> Ready<Result<_, Infallible>> { ready(Ok(Response::new(()))) };
    let answer = full.layer(service_fn(empty)).call(Request::new(()));
    // It waits for nothing: the origins are a list, or all.
    match pin!(answer).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(response)) => response.into_parts().0.headers,
        Poll::Pending => HeaderMap::new(),
    }
}

impl<S> Layer<S> for WithCorsLayer {
    type Service = WithCors<S>;

    fn layer(&self, inner: S) -> WithCors<S> {
        WithCors {
            full: self.full.layer(inner),
            plain: self.plain.clone(),
        }
    }
}

/// A service that answers by the rules of CORS.
#[derive(Clone)]
pub struct WithCors<S> {
    full: Cors<S>,
    plain: Arc<[(HeaderName, HeaderValue)]>,
}

impl<S, B, R> Service<Request<B>> for WithCors<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
    R: Default,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Answer<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.full.get_mut().poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let plain = request.method() != Method::OPTIONS && !request.headers().contains_key(ORIGIN);
        let state = if plain {
            State::Plain {
                answer: self.full.get_mut().call(request),
                headers: self.plain.clone(),
            }
        } else {
            State::Full {
                answer: self.full.call(request),
            }
        };
        Answer { state }
    }
}

pin_project! {
    /// An answer and its headers.
    pub struct Answer<F> {
        #[pin]
        state: State<F>,
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<F> {
        Full { #[pin] answer: ResponseFuture<F> },
        Plain { #[pin] answer: F, headers: Arc<[(HeaderName, HeaderValue)]> },
    }
}

impl<F, R> Future for Answer<F>
where
    F: Future<Output = Result<Response<R>, Infallible>>,
    R: Default,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().state.project() {
            StateProjection::Full { answer } => answer.poll(cx),
            StateProjection::Plain { answer, headers } => {
                let Ok(mut response) = ready!(answer.poll(cx));
                let answered = response.headers_mut();
                for (name, value) in headers.iter() {
                    let (name, value) = (name.clone(), value.clone());
                    // The answer may vary by more than what is said here.
                    if name == VARY {
                        answered.append(name, value);
                    } else {
                        answered.insert(name, value);
                    }
                }
                Poll::Ready(Ok(response))
            }
        }
    }
}

#[cfg(test)]
mod tests;
