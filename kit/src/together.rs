//! A stream that many write to, whose bytes go in few writes.
//!
//! A connection of HTTP/2 carries the calls of many tasks. As soon as one of them has
//! something to send, the task that drives the connection is the next to run, and it
//! would write at once: a write, and a wake-up of the peer, for each call. Here it
//! lets go once before it writes, until whoever is ready has run; what these have to
//! send goes along. When nobody else is ready, nothing waits.

use std::{
    future::Future,
    io,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    task::yield_now,
};

/// Lets others go first, once between two flushes.
pub(crate) struct Together<S> {
    stream: S,
    next: Next,
}

/// Who is to run before something is written.
#[derive(PartialEq, Eq)]
enum Next {
    Others,
    Nobody,
}

impl<S> Together<S> {
    /// Writes to this one.
    pub(crate) fn new(stream: S) -> Self {
        let next = Next::Others;
        Self { stream, next }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Together<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

/// It does not say that it takes several slices at once. To a stream that does, h2
/// writes each message of 256 bytes and more by itself, so as not to copy it; to
/// another one, only those of 1,024 and more.
impl<S: AsyncWrite + Unpin> AsyncWrite for Together<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.next == Next::Others {
            self.next = Next::Nobody;
            // Once polled it wakes this task when the others have run, also when it
            // is gone by then.
            ready!(pin!(yield_now()).poll(cx));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.next = Next::Others;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

    use super::*;

    /// What was done, in that order.
    #[derive(Clone, Default)]
    struct Done(Arc<Mutex<Vec<&'static str>>>);

    impl Done {
        fn note(&self, what: &'static str) {
            self.0.lock().unwrap().push(what);
        }

        fn is_ready(&self, what: &'static str) {
            let done = self.clone();
            tokio::spawn(async move { done.note(what) });
        }
    }

    #[tokio::test]
    async fn whoever_is_ready_runs_before_something_is_written() {
        let (stream, mut peer) = duplex(64);
        let (mut stream, done) = (Together::new(stream), Done::default());
        done.is_ready("another");
        stream.write_all(b"a").await.unwrap();
        done.note("written");
        // The rest of what is written goes right after it.
        done.is_ready("one more");
        stream.write_all(b"b").await.unwrap();
        done.note("written");
        stream.flush().await.unwrap();
        stream.write_all(b"c").await.unwrap();
        done.note("written");
        let expected = ["another", "written", "written", "one more", "written"];
        assert_eq!(*done.0.lock().unwrap(), expected);
        drop(stream);
        let mut read = String::new();
        peer.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "abc");
    }

    #[tokio::test]
    async fn nobody_is_needed_for_it_to_go_on() {
        let (stream, mut peer) = duplex(1);
        let mut stream = Together::new(stream);
        let writing = async {
            stream.write_all(b"longer than fits in").await.unwrap();
            stream.flush().await.unwrap();
            stream.shutdown().await.unwrap();
        };
        let mut read = String::new();
        let ((), outcome) = tokio::join!(writing, peer.read_to_string(&mut read));
        outcome.unwrap();
        assert_eq!(read, "longer than fits in");
        assert!(!stream.is_write_vectored());
    }
}
