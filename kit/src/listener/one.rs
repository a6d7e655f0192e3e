//! A connection of HTTP/1, on which hyper is only as long as something moves.
//!
//! Hyper has two buffers of 8 KiB for each connection, also while a request waits
//! for its answer and between two requests. When there are many, they are let go
//! of there: the bytes of the request are kept and, once its answer is there, read
//! by hyper for the second time, which then writes the answer as that request wants
//! it.

use std::{
    convert::Infallible,
    error::Error,
    future::poll_fn,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::time::timeout;

use super::{
    begun::Begun,
    exchange::{Exchange, Rest},
    progress::Received,
};

/// How HTTP/1 is spoken on all connections of a listener.
pub(super) struct One {
    builder: http1::Builder,
    /// How long the head of a request may take, and the time between two requests.
    head: Duration,
    /// Connections of hyper's, and how many of them may wait for something.
    held: Arc<AtomicUsize>,
    most: usize,
}

/// One of hyper's connections.
struct Held(Arc<AtomicUsize>);

impl Held {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl One {
    pub(super) fn new(head: Duration, most: usize) -> Self {
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(head);
        Self {
            builder,
            head,
            held: Arc::default(),
            most,
        }
    }

    /// Serves a client until it is gone, or some time after `ending`.
    pub(super) async fn serve<C, F, B>(
        &self,
        mut stream: Begun,
        call: C,
        mut ending: Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> Result<(), Box<dyn Error + Send + Sync>>
    where
        C: Fn(Request<Received>) -> F + Clone,
        F: Future<Output = Result<Response<B>, Infallible>> + Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let mut ended = false;
        let mut kept = None;
        loop {
            let exchange = Exchange::new(call.clone(), stream.progress().clone(), kept.take());
            let held = Held::begin(&self.held);
            // On the heap: it is not there all the time.
            let connection = self
                .builder
                .serve_connection(TokioIo::new(stream), exchange.clone());
            let mut connection = Box::new(connection);
            let mut once_more = true;
            let served = poll_fn(|cx| {
                loop {
                    if let Poll::Ready(served) = Pin::new(&mut *connection).poll(cx) {
                        return Poll::Ready(Some(served));
                    }
                    if !ended && ending.as_mut().poll(cx).is_ready() {
                        ended = true;
                        Pin::new(&mut *connection).graceful_shutdown();
                        continue;
                    }
                    if self.held.load(Ordering::Relaxed) <= self.most {
                        return Poll::Pending;
                    }
                    if exchange.rests() {
                        return Poll::Ready(None);
                    }
                    // Hyper gives a body out when it is asked for it once more, for
                    // which it would wait behind all others that have just come.
                    if !std::mem::take(&mut once_more) {
                        return Poll::Pending;
                    }
                }
            });
            if let Some(served) = served.await {
                return Ok(served?);
            }
            let rest = exchange.rest();
            // All of it goes before the wait.
            let parts = connection.into_parts();
            stream = parts.io.into_inner();
            match &rest {
                Rest::ForAnswer(_) => stream.again(),
                Rest::ForRequest => stream.go_on(&parts.read_buf),
            }
            drop((parts.read_buf, parts.service, exchange, held));
            match rest {
                Rest::ForAnswer(answering) => tokio::select! {
                    biased;
                    Ok(answer) = answering => kept = Some(answer),
                    () = stream.gone() => return Ok(()),
                },
                Rest::ForRequest => tokio::select! {
                    biased;
                    () = ending.as_mut(), if !ended => return Ok(()),
                    next = self.next_request(&mut stream) => if !next? { return Ok(()) },
                },
            }
        }
    }

    async fn next_request(&self, stream: &mut Begun) -> io::Result<bool> {
        timeout(self.head, stream.next_request()).await?
    }
}

#[cfg(test)]
mod tests;
