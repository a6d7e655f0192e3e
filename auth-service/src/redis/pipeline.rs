//! Questions of several callers in one write (Redis calls it pipelining).
//!
//! The library's task that writes to a connection is the next to run when a question
//! is handed to it. So when a dozen callers go on at the same moment, because one
//! answer has woken them all, each question would have a write of its own, and Redis
//! would wake up for each. Here the first of them lets go once, until whoever is ready
//! has run, and then hands over the questions of all.

use std::{
    pin::Pin,
    sync::{Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use tokio::{sync::oneshot, task::yield_now};

/// A question and the wait for its answer; it is handed over when it is first polled.
pub(super) type Asking<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Questions that are not handed over yet.
pub(super) struct Pipeline<T>(Mutex<Vec<Waiting<T>>>);

struct Waiting<T> {
    asking: Asking<T>,
    /// Where its caller takes it back.
    handed_over: oneshot::Sender<Begun<T>>,
}

/// A question that was handed over.
enum Begun<T> {
    Asking(Asking<T>),
    Answered(T),
}

/// Hands everything over when it ends, however it does: the others rely on it.
struct First<'a, T>(&'a Pipeline<T>);

impl<T> Pipeline<T> {
    /// One for all that go over a connection.
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Asks, along with whoever else is about to. None if it was not handed over,
    /// because that of another one has panicked.
    pub(super) async fn ask(&self, asking: Asking<T>) -> Option<T> {
        let (handed_over, back) = oneshot::channel();
        let waiting = Waiting {
            asking,
            handed_over,
        };
        let first = (self.put(waiting) == 1).then(|| First(self));
        // So it goes before that one: whoever gives up meanwhile does not ask.
        let back = back;
        if first.is_some() {
            yield_now().await;
        }
        drop(first);
        match back.await.ok()? {
            Begun::Asking(asking) => Some(asking.await),
            Begun::Answered(answer) => Some(answer),
        }
    }

    /// How many wait, this one included.
    fn put(&self, waiting: Waiting<T>) -> usize {
        let mut all = self.all();
        all.push(waiting);
        all.len()
    }

    fn all(&self) -> MutexGuard<'_, Vec<Waiting<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for First<'_, T> {
    fn drop(&mut self) {
        let all = std::mem::take(&mut *self.0.all());
        // Whoever takes one back polls it as well, and is the one to be woken.
        let mut nobody = Context::from_waker(Waker::noop());
        for mut waiting in all {
            if waiting.handed_over.is_closed() {
                continue;
            }
            let begun = match waiting.asking.as_mut().poll(&mut nobody) {
                Poll::Ready(answer) => Begun::Answered(answer),
                Poll::Pending => Begun::Asking(waiting.asking),
            };
            let _ = waiting.handed_over.send(begun);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinHandle;

    use super::*;

    /// What was done, in that order.
    type Done = Arc<Mutex<Vec<u32>>>;

    /// Asks with a question that notes when it is handed over, and has its answer at
    /// the next poll.
    fn ask(pipeline: &Arc<Pipeline<u32>>, done: &Done, number: u32) -> JoinHandle<Option<u32>> {
        let (pipeline, done) = (pipeline.clone(), done.clone());
        tokio::spawn(async move {
            let asking = async move {
                done.lock().unwrap().push(number);
                yield_now().await;
                number
            };
            pipeline.ask(Box::pin(asking)).await
        })
    }

    #[tokio::test]
    async fn those_who_ask_at_one_moment_are_handed_over_in_one_go() {
        let (pipeline, done) = (Arc::new(Pipeline::new()), Done::default());
        let first = ask(&pipeline, &done, 1);
        let ready = done.clone();
        tokio::spawn(async move { ready.lock().unwrap().push(0) });
        let second = ask(&pipeline, &done, 2);
        assert_eq!(first.await.unwrap(), Some(1));
        assert_eq!(second.await.unwrap(), Some(2));
        assert_eq!(*done.lock().unwrap(), [0, 1, 2]);
        assert_eq!(ask(&pipeline, &done, 3).await.unwrap(), Some(3));
    }

    #[tokio::test]
    async fn the_others_are_handed_over_though_the_first_gives_up() {
        let pipeline = Pipeline::new();
        let done = Done::default();
        let ask = |number| {
            let done = done.clone();
            Box::pin(pipeline.ask(Box::pin(async move {
                done.lock().unwrap().push(number);
                yield_now().await;
                number
            })))
        };
        let mut asking = [1, 2, 3].map(ask);
        let mut nobody = Context::from_waker(Waker::noop());
        for each in &mut asking {
            assert!(each.as_mut().poll(&mut nobody).is_pending());
        }
        let [first, second, third] = asking;
        drop(second);
        assert!(done.lock().unwrap().is_empty());
        drop(first);
        assert_eq!(third.await, Some(3));
        assert_eq!(ask(4).await, Some(4));
        // Whoever has gone away before does not ask.
        assert_eq!(*done.lock().unwrap(), [3, 4]);
    }

    #[tokio::test]
    async fn a_question_that_is_answered_at_once_is_told() {
        let pipeline = Pipeline::new();
        let answer = pipeline.ask(Box::pin(std::future::ready(7))).await;
        assert_eq!(answer, Some(7));
    }
}
