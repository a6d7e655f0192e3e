//! The service as hyper sees it on a connection of HTTP/1: what answers is not
//! hyper's, so that it outlives a connection of hyper's that was let go of.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};

use http::{Request, Response, header::EXPECT};
use http_body::Body as _;
use hyper::body::Incoming;

use super::progress::{Progress, Received, Sent};

/// A service for one connection of hyper's, and how far that has come.
pub(super) struct Exchange<C, F, B> {
    call: C,
    progress: Arc<Progress>,
    state: Arc<Mutex<State<F, B>>>,
}

struct State<F, B> {
    /// Requests that hyper has handed over.
    requests: u32,
    /// Answers the last of them.
    answering: Option<Pin<Box<F>>>,
    /// Whether it may be read once more, as far as its head tells.
    repeatable: bool,
    /// The answer to the first of them, which is read for the second time.
    kept: Option<Response<B>>,
}

/// What a connection waits for on which nothing moves.
pub(super) enum Rest<F> {
    /// The answer to its request.
    ForAnswer(Pin<Box<F>>),
    /// The next request.
    ForRequest,
}

impl<C: Clone, F, B> Clone for Exchange<C, F, B> {
    fn clone(&self) -> Self {
        Self {
            call: self.call.clone(),
            progress: self.progress.clone(),
            state: self.state.clone(),
        }
    }
}

impl<C, F, B> Exchange<C, F, B> {
    /// Requests are answered by `call`, except that `kept` is the answer to the
    /// first one, which was read before.
    pub(super) fn new(call: C, progress: Arc<Progress>, kept: Option<Response<B>>) -> Self {
        progress.begin_connection();
        let state = State {
            requests: 0,
            answering: None,
            repeatable: false,
            kept,
        };
        Self {
            call,
            progress,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Whether hyper has nothing to do, and nothing that could not be had again.
    pub(super) fn rests(&self) -> bool {
        let state = lock(&self.state);
        match &state.answering {
            // Its bytes are there from the first one on, so it has to be the first.
            Some(_) => state.requests == 1 && state.repeatable && self.progress.is_repeatable(),
            None => state.requests > 0 && self.progress.is_through(),
        }
    }

    /// What is waited for.
    pub(super) fn rest(&self) -> Rest<F> {
        match lock(&self.state).answering.take() {
            Some(answering) => Rest::ForAnswer(answering),
            None => Rest::ForRequest,
        }
    }
}

/// A panic in a service ends its connection's task, and nobody else has this.
fn lock<T>(state: &Mutex<T>) -> MutexGuard<'_, T> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<C, F, B> hyper::service::Service<Request<Incoming>> for Exchange<C, F, B>
where
    C: Fn(Request<Received>) -> F,
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Response = Response<Sent<B>>;
    type Error = Infallible;
    type Future = Answer<F, B>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.progress.begin_request();
        let mut state = lock(&self.state);
        state.requests += 1;
        let kept = state.kept.take();
        let from = if kept.is_some() {
            let body = request.into_body();
            From::Kept { body, kept }
        } else {
            // Who waits to be asked for the body would be asked twice.
            state.repeatable = !request.headers().contains_key(EXPECT);
            let request = request.map(|body| Received::noted(body, &self.progress));
            state.answering = Some(Box::pin((self.call)(request)));
            From::Service(self.state.clone())
        };
        let progress = self.progress.clone();
        Answer { from, progress }
    }
}

/// The answer to a request, when it is there.
pub(super) struct Answer<F, B> {
    from: From<F, B>,
    progress: Arc<Progress>,
}

enum From<F, B> {
    Service(Arc<Mutex<State<F, B>>>),
    /// The request's body is read, though nobody wants it: the next request comes
    /// after it.
    Kept {
        body: Incoming,
        kept: Option<Response<B>>,
    },
}

impl<F, B> Unpin for Answer<F, B> {}

impl<F, B> Future for Answer<F, B>
where
    F: Future<Output = Result<Response<B>, Infallible>>,
{
    type Output = Result<Response<Sent<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let response = match &mut this.from {
            From::Service(state) => {
                let mut state = lock(state);
                let Some(answering) = &mut state.answering else {
                    return Poll::Pending;
                };
                let Ok(response) = ready!(answering.as_mut().poll(cx));
                state.answering = None;
                response
            }
            From::Kept { body, kept } => {
                while let Some(Ok(_)) = ready!(Pin::new(&mut *body).poll_frame(cx)) {}
                this.progress.read();
                let Some(kept) = kept.take() else {
                    return Poll::Pending;
                };
                kept
            }
        };
        let progress = Some(this.progress.clone());
        Poll::Ready(Ok(response.map(|body| Sent::new(body, progress))))
    }
}
