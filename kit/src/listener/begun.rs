//! How a connection begins: the handshake of TLS, and the bytes that tell HTTP/2
//! from HTTP/1.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Instant,
};
use tokio_rustls::server::TlsStream;
use tokio_util::either::Either;

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

/// Shakes hands if that is needed, and waits for the bytes that tell HTTP/2
/// from HTTP/1: hyper waits for them as long as it takes. Nothing is lost: they
/// are read again from the result.
pub(super) async fn begin(
    stream: TcpStream,
    tls: Option<&ServerTls>,
) -> io::Result<(Begun, Protocol)> {
    let mut io = match tls {
        Some(tls) => Io::Right(Box::new(Box::pin(tls.accept(stream)).await?)),
        None => Io::Left(stream),
    };
    let mut first = [0; PREFACE.len()];
    let mut count = 0;
    while count < PREFACE.len() && PREFACE.starts_with(&first[..count]) {
        match io.read(&mut first[count..]).await? {
            0 => break,
            read => count += read,
        }
    }
    let protocol = if &first == PREFACE {
        Protocol::Http2 {
            begun: Instant::now(),
        }
    } else {
        Protocol::Http1
    };
    let unread = 0..count;
    Ok((Begun { first, unread, io }, protocol))
}

/// A stream of which some bytes were read already; they come again.
pub(super) struct Begun {
    first: [u8; PREFACE.len()],
    /// Which of them are still to come.
    unread: std::ops::Range<usize>,
    io: Io,
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
        let io = Pin::new(&mut this.io);
        if this.unread.is_empty() {
            return io.poll_read(cx, buffer);
        }
        let fitting = this.unread.len().min(buffer.remaining());
        let start = this.unread.start;
        this.unread.start += fitting;
        buffer.put_slice(&this.first[start..this.unread.start]);
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        // After an error, as after the end, the next read tells that it is over.
        let _ = io.poll_read(cx, buffer);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Begun {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}
