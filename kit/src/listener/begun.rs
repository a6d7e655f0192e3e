//! How a connection begins: the handshake of TLS, and the bytes that tell HTTP/2
//! from HTTP/1.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

use super::progress::Progress;
use crate::tls::ServerTls;

/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How a client speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Not at all so far.
    Unknown,
    Http1,
    Http2 {
        /// Since when.
        begun: Instant,
    },
}

/// A plain stream or one over TLS, as one type: hyper is compiled once. What TLS
/// needs is on the heap, so that a plain one does not pay for it.
type Io = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// The most that is kept of what was read, in bytes: more than most requests have.
const KEPT: usize = 2 * 1024;
/// How much is read to learn whether a client is still there.
const TASTE: usize = 32;

/// Shakes hands if that is needed, and waits for the bytes that tell HTTP/2
/// from HTTP/1: hyper waits for them as long as it takes. Nothing is lost: they
/// are read again from the result.
pub(super) async fn begin(
    stream: TcpStream,
    tls: Option<&ServerTls>,
) -> io::Result<(Begun, Protocol)> {
    let io = match tls {
        Some(tls) => Io::Right(Box::new(Box::pin(tls.accept(stream)).await?)),
        None => Io::Left(stream),
    };
    let mut begun = Begun {
        io,
        seen: Vec::new(),
        told: 0,
        keeping: true,
        progress: Arc::default(),
    };
    while begun.seen.len() < PREFACE.len() && PREFACE.starts_with(&begun.seen) {
        if begun.read_on(PREFACE.len() - begun.seen.len()).await? == 0 {
            break;
        }
    }
    let protocol = if begun.seen == PREFACE {
        begun.keeping = false;
        Protocol::Http2 {
            begun: Instant::now(),
        }
    } else {
        Protocol::Http1
    };
    Ok((begun, protocol))
}

/// A stream of which some bytes were read already; they come again.
pub(super) struct Begun {
    io: Io,
    /// What was read: as long as it is kept, all since hyper was given the stream.
    seen: Vec<u8>,
    /// How much of that hyper was told.
    told: usize,
    keeping: bool,
    progress: Arc<Progress>,
}

impl Begun {
    /// What hyper makes of it.
    pub(super) fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Reads some bytes that hyper is going to be told; 0 at the end.
    async fn read_on(&mut self, most: usize) -> io::Result<usize> {
        let mut bytes = [0; TASTE];
        let fitting = most.min(bytes.len());
        let read = self.io.read(&mut bytes[..fitting]).await?;
        self.seen.extend_from_slice(&bytes[..read]);
        Ok(read)
    }

    /// Hyper let go of it: all that was read comes again.
    pub(super) fn again(&mut self) {
        self.seen.shrink_to_fit();
        self.told = 0;
    }

    /// Hyper let go of it between two requests, of which it has read these bytes
    /// of the next one.
    pub(super) fn go_on(&mut self, unread: &[u8]) {
        self.seen = unread.to_vec();
        self.told = 0;
        self.keeping = true;
    }

    /// Waits for the first bytes of the next request. False if there is none.
    pub(super) async fn next_request(&mut self) -> io::Result<bool> {
        Ok(!self.seen.is_empty() || self.read_on(TASTE).await? > 0)
    }

    /// Waits until the client is gone. That is not seen of a client that sends
    /// the next request before it has the answer to this one.
    pub(super) async fn gone(&mut self) {
        if let Ok(1..) = self.read_on(TASTE).await {
            std::future::pending::<()>().await;
        }
    }

    /// Keeps what hyper is told from here on.
    fn keep(&mut self, bytes: &[u8]) {
        if !self.keeping {
            return;
        }
        if self.seen.len() + bytes.len() > KEPT {
            self.keeping = false;
            self.seen = Vec::new();
            self.told = 0;
            self.progress.lost();
        } else {
            self.seen.extend_from_slice(bytes);
            self.told = self.seen.len();
        }
    }
}

impl AsyncRead for Begun {
    /// The first bytes and what comes after them are read at once: hyper doubles
    /// its buffer when a head comes in two pieces.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let fitting = (this.seen.len() - this.told).min(buffer.remaining());
        if fitting > 0 {
            buffer.put_slice(&this.seen[this.told..this.told + fitting]);
            this.told += fitting;
            if this.told < this.seen.len() || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
        }
        let told = buffer.filled().len();
        let read = Pin::new(&mut this.io).poll_read(cx, buffer);
        this.keep(&buffer.filled()[told..]);
        // After an error, as after the end, the next read tells that it is over.
        if fitting > 0 {
            Poll::Ready(Ok(()))
        } else {
            read
        }
    }
}

impl AsyncWrite for Begun {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.progress.writing();
        Pin::new(&mut this.io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.progress.writing();
        Pin::new(&mut this.io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.io).poll_flush(cx);
        if let Poll::Ready(Ok(())) = flushed {
            this.progress.flushed();
        }
        flushed
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.progress.closing();
        Pin::new(&mut this.io).poll_shutdown(cx)
    }
}
