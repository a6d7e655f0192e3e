//! How far hyper has come with a request and its answer on a connection of
//! HTTP/1: what it does not tell is seen from around it.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use hyper::body::{Bytes, Incoming};
use pin_project_lite::pin_project;

/// What has been done, one bit for each.
#[derive(Default)]
pub(super) struct Progress(AtomicU8);

/// The request's body was read to its end.
const READ: u8 = 1;
/// The answer's body was handed over to hyper.
const SAID: u8 = 2;
/// Hyper has written all that it had to write.
const FLUSHED: u8 = 4;
/// What was read from the client is not there any more to be read again.
const LOST: u8 = 8;
/// Hyper is closing the stream.
const CLOSING: u8 = 16;

impl Progress {
    /// A connection of hyper's begins.
    pub(super) fn begin_connection(&self) {
        self.0.store(0, Ordering::Release);
    }

    /// A request begins, and none before it is under way.
    pub(super) fn begin_request(&self) {
        self.0.fetch_and(!(READ | SAID), Ordering::AcqRel);
    }

    /// The request's body was read to its end.
    pub(super) fn read(&self) {
        self.set(READ);
    }

    /// Hyper writes.
    pub(super) fn writing(&self) {
        self.0.fetch_and(!FLUSHED, Ordering::AcqRel);
    }

    /// Hyper has no more to write.
    pub(super) fn flushed(&self) {
        self.set(FLUSHED);
    }

    /// The bytes of the request are not kept.
    pub(super) fn lost(&self) {
        self.set(LOST);
    }

    /// Hyper closes the stream.
    pub(super) fn closing(&self) {
        self.set(CLOSING);
    }

    fn set(&self, bits: u8) {
        self.0.fetch_or(bits, Ordering::AcqRel);
    }

    fn is(&self, done: u8, not: u8) -> bool {
        self.0.load(Ordering::Acquire) & (done | not) == done
    }

    /// Whether a request that is being answered could be read once more.
    pub(super) fn is_repeatable(&self) -> bool {
        self.is(READ, LOST | CLOSING)
    }

    /// Whether all of a request and its answer is through.
    pub(super) fn is_through(&self) -> bool {
        self.is(READ | SAID | FLUSHED, CLOSING)
    }
}

/// The body of a request, as it is received.
#[derive(Debug)]
pub struct Received {
    body: Incoming,
    /// Where it is noted that it was read to its end.
    noted: Option<Noted>,
}

struct Noted(Arc<Progress>);

impl std::fmt::Debug for Noted {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Noted")
    }
}

impl Received {
    /// A body of which nobody wants to know more.
    pub(super) fn new(body: Incoming) -> Self {
        Self { body, noted: None }
    }

    /// A body whose end is noted.
    pub(super) fn noted(body: Incoming, progress: &Arc<Progress>) -> Self {
        if body.is_end_stream() {
            progress.read();
        }
        let noted = Some(Noted(progress.clone()));
        Self { body, noted }
    }
}

impl Body for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let frame = Pin::new(&mut this.body).poll_frame(cx);
        let ended = match &frame {
            Poll::Ready(None) => true,
            Poll::Ready(Some(Ok(_))) => this.body.is_end_stream(),
            Poll::Ready(Some(Err(_))) | Poll::Pending => false,
        };
        if ended && let Some(Noted(progress)) = this.noted.take() {
            progress.read();
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

pin_project! {
    /// The body of an answer; that hyper has all of it is noted.
    pub(super) struct Sent<B> {
        #[pin]
        body: B,
        said: Said,
    }
}

/// Notes that an answer's body is gone: hyper drops it when it has it all.
struct Said(Option<Arc<Progress>>);

impl Drop for Said {
    fn drop(&mut self) {
        if let Some(progress) = &self.0 {
            progress.set(SAID);
        }
    }
}

impl<B> Sent<B> {
    /// Wraps a body.
    pub(super) fn new(body: B, progress: Option<Arc<Progress>>) -> Self {
        let said = Said(progress);
        Self { body, said }
    }
}

impl<B: Body> Body for Sent<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
