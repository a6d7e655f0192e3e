//! Reads on, for a while, what a client still sends of a body that nobody
//! wants.
//!
//! A request is often answered before its body was read: it is too large, or
//! the path is wrong. To close the connection then would reset it, and a client
//! in the middle of sending would see the reset instead of the answer (RFC
//! 9112, section 9.6).

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use axum::http::{HeaderMap, header::EXPECT};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::runtime::Handle;

/// How long an unwanted body is read.
const PATIENCE: Duration = Duration::from_secs(5);

/// A body that is read on when it is dropped before its end.
pub(crate) struct Lingering<B: Body + Send + Unpin + 'static> {
    /// `None` when nothing more is to be read.
    body: Option<B>,
    /// The client expects "100 Continue" before it sends anything, and reading
    /// would give it.
    waits: bool,
}

impl<B: Body + Send + Unpin + 'static> Lingering<B> {
    /// Wraps the body of a request with these headers.
    pub(crate) fn new(headers: &HeaderMap, body: B) -> Self {
        Self {
            body: Some(body),
            waits: headers.contains_key(EXPECT),
        }
    }
}

impl<B: Body + Send + Unpin + 'static> Body for Lingering<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.get_mut();
        this.waits = false;
        let Some(body) = &mut this.body else {
            return Poll::Ready(None);
        };
        let frame = Pin::new(body).poll_frame(cx);
        if matches!(frame, Poll::Ready(None | Some(Err(_)))) {
            this.body = None;
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        match &self.body {
            Some(body) => body.size_hint(),
            None => SizeHint::with_exact(0),
        }
    }
}

impl<B: Body + Send + Unpin + 'static> Drop for Lingering<B> {
    fn drop(&mut self) {
        let (false, Some(body), Ok(runtime)) =
            (self.waits, self.body.take(), Handle::try_current())
        else {
            return;
        };
        if !body.is_end_stream() {
            runtime.spawn(tokio::time::timeout(PATIENCE, discard(body)));
        }
    }
}

async fn discard<B: Body + Unpin>(mut body: B) {
    while let Some(Ok(_)) = body.frame().await {}
}

#[cfg(test)]
mod tests {
    use std::{
        convert::Infallible,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use axum::body::Bytes;

    use super::*;

    /// A body of three frames that counts how many were read.
    struct Counted(Arc<AtomicUsize>);

    impl Body for Counted {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            let frame = Frame::data(Bytes::from_static(b"x"));
            Poll::Ready((self.0.fetch_add(1, Ordering::SeqCst) < 3).then_some(Ok(frame)))
        }
    }

    async fn reads_after_a_drop(headers: &HeaderMap, frames: usize) -> usize {
        let reads = Arc::new(AtomicUsize::new(0));
        let mut body = Lingering::new(headers, Counted(reads.clone()));
        for _ in 0..frames {
            body.frame().await;
        }
        drop(body);
        tokio::task::yield_now().await;
        reads.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn what_is_left_is_read_unless_the_client_waits_to_be_asked() {
        let plain = HeaderMap::new();
        let mut expecting = HeaderMap::new();
        expecting.insert(EXPECT, "100-continue".parse().unwrap());
        // Three frames and the end.
        assert_eq!(reads_after_a_drop(&plain, 0).await, 4);
        assert_eq!(reads_after_a_drop(&plain, 1).await, 4);
        assert_eq!(reads_after_a_drop(&plain, 4).await, 4);
        assert_eq!(reads_after_a_drop(&expecting, 0).await, 0);
        assert_eq!(reads_after_a_drop(&expecting, 1).await, 4);
    }
}
