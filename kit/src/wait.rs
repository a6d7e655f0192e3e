//! Answers that are there before their time: a service that has nothing left to
//! do but to wait says until when, and is let go of.
//!
//! Thousands of requests wait for an imitated delivery at once. What waits inside
//! of a handler keeps all that is around it; here it is the answer alone that is
//! kept. It waits in the process that is nearest to the client ([`handed_over`]).

pub mod handed_over;

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use tokio::time::{Instant, Sleep, sleep_until};
use tower::Service;

/// Among an answer's extensions: when it may be given.
#[derive(Clone, Copy, Debug)]
pub struct NotBefore(pub Instant);

/// Keeps answers back until their time ([`NotBefore`]).
#[derive(Clone)]
pub struct WithWait<S>(S);

impl<S> WithWait<S> {
    /// Wraps a service.
    pub fn new(inner: S) -> Self {
        Self(inner)
    }
}

impl<S, B, R> Service<Request<B>> for WithWait<S>
where
    S: Service<Request<B>, Response = Response<R>, Error = Infallible>,
{
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Waiting<S::Future, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let answer = self.0.call(request);
        Waiting {
            state: State::Answering { answer },
        }
    }
}

pin_project! {
    /// The answer to a request, when it is time.
    pub struct Waiting<F, R> {
        #[pin]
        state: State<F, R>,
    }
}

pin_project! {
    /// One in the place of the other: what answered is dropped before the wait.
    #[project = StateProjection]
    enum State<F, R> {
        Answering { #[pin] answer: F },
        Waiting { #[pin] sleep: Sleep, response: Option<Response<R>> },
    }
}

impl<F, R> Future for Waiting<F, R>
where
    F: Future<Output = Result<Response<R>, Infallible>>,
{
    type Output = Result<Response<R>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.project().state;
        loop {
            match state.as_mut().project() {
                StateProjection::Answering { answer } => {
                    let Ok(mut response) = ready!(answer.poll(cx));
                    let Some(NotBefore(time)) = response.extensions_mut().remove() else {
                        return Poll::Ready(Ok(response));
                    };
                    state.set(State::Waiting {
                        sleep: sleep_until(time),
                        response: Some(response),
                    });
                }
                StateProjection::Waiting { sleep, response } => {
                    ready!(sleep.poll(cx));
                    // A future that is polled after its end may do as it likes.
                    return response
                        .take()
                        .map_or(Poll::Pending, |response| Poll::Ready(Ok(response)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tower::ServiceExt as _;

    use super::*;
    use crate::{
        context::{DEFAULT_DEADLINE, WithContext},
        deadline::WithDeadline,
        random::SystemRandom,
    };

    #[tokio::test(start_paused = true)]
    async fn a_wait_ends_with_the_requests_time() {
        let service = tower::service_fn(|_: Request<()>| async {
            let mut response = Response::new("done");
            let far = NotBefore(Instant::now() + Duration::from_hours(24));
            response.extensions_mut().insert(far);
            Ok(response)
        });
        let service = WithDeadline::new(WithWait::new(service), || Response::new("late"));
        let service = WithContext::new(service, Arc::new(SystemRandom::default()));
        let begun = Instant::now();
        let response = service.oneshot(Request::new(())).await.unwrap();
        assert_eq!(response.into_body(), "late");
        assert_eq!(begun.elapsed().as_secs(), DEFAULT_DEADLINE.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_until_its_time_and_nothing_else_is() {
        let held = Arc::new(());
        let seen = Arc::downgrade(&held);
        let begun = Instant::now();
        let service = tower::service_fn(move |request: Request<Duration>| {
            let held = held.clone();
            async move {
                tokio::task::yield_now().await;
                let mut response = Response::new("done");
                let delay = request.into_body();
                if !delay.is_zero() {
                    response.extensions_mut().insert(NotBefore(begun + delay));
                }
                drop(held);
                Ok(response)
            }
        });
        let service = WithWait::new(service);
        let at_once = service.clone().oneshot(Request::new(Duration::ZERO));
        assert_eq!(at_once.await.unwrap().into_body(), "done");
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let later = tokio::spawn(service.oneshot(Request::new(Duration::from_secs(2))));
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!later.is_finished());
        // The service went with its only caller; the answer waits without it.
        assert_eq!(seen.strong_count(), 0);
        let response = later.await.unwrap().unwrap();
        assert!(response.extensions().get::<NotBefore>().is_none());
        assert_eq!(begun.elapsed(), Duration::from_secs(2));
    }
}
