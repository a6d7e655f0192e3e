//! The one accept loop: HTTP/1.1 and HTTP/2 on a listener, ended gently.
//!
//! Every process serves through it, gRPC as well as JSON, so that limits,
//! timeouts and the end of a connection are the same everywhere.
//!
//! A client that is slow or silent loses its place: before its first bytes and
//! in the middle of a head by the timeout of heads, between two requests of
//! HTTP/1 by the same, as an HTTP/2 peer that is gone by its missing answer to
//! a ping, and in the middle of a body by the request's deadline.
//!
//! The end loses no request. Who has connected already is served; an HTTP/2
//! client is told by GOAWAY which of its requests were taken; and an HTTP/1
//! client, which can only be told in an answer, is given a moment to send the
//! request that it may just be sending.

use std::{convert::Infallible, error::Error, io, net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONNECTION};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceExt as _};

use crate::{client_address::PeerAddress, stop::Stop, tls::ServerTls};

/// Requests at once on one HTTP/2 connection: the gateway's requests all share
/// one, and thousands of them may wait for a message to be delivered.
///
/// As many may be given up before they were begun. h2's own bound is 20, and
/// then the connection ends: a few hundred clients that hang up together would
/// end it for everybody. What each of them costs is bounded by the size of a
/// head, as for a request that is not given up.
const MAX_STREAMS: u32 = 20_000;
/// How often an idle HTTP/2 connection is asked whether it still lives.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How long to wait after an accept that failed for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// What an HTTP/2 client sends first (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How much a listener bears.
#[derive(Clone, Copy)]
struct Limits {
    /// Connections at once; further ones wait in the kernel's backlog.
    connections: usize,
    /// How long a client may take to shake hands and send its first bytes, to
    /// send the head of a request, or to send nothing between two requests of HTTP/1.
    head: Duration,
    /// How long a connection of HTTP/1 without a request is kept at the end. A
    /// request that comes on it meanwhile is answered, and told that it was the
    /// last.
    linger: Duration,
    /// How long requests in flight are waited for at the end.
    drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            head: Duration::from_secs(10),
            linger: Duration::from_secs(1),
            // A process ends within 10 seconds of the signal.
            drain: Duration::from_secs(8),
        }
    }
}

/// Serves `service` on `listener` until `stop`: takes no new connections when
/// that is closing, and when it is ending lets requests in flight finish, and
/// returns.
pub async fn serve<S, B>(listener: TcpListener, tls: Option<ServerTls>, service: S, stop: Stop)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    serve_within(listener, tls, service, stop, Limits::default()).await;
}

async fn serve_within<S, B>(
    listener: TcpListener,
    tls: Option<ServerTls>,
    service: S,
    stop: Stop,
    limits: Limits,
) where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let http = Arc::new(http(limits.head));
    let tls = tls.map(Arc::new);
    let connections = TaskTracker::new();
    let places = Arc::new(Semaphore::new(limits.connections));
    let serve_one = |(stream, peer, place): Accepted| {
        let connection = Connection {
            peer,
            tls: tls.clone(),
            http: http.clone(),
            stop: stop.clone(),
            limits,
        };
        let service = service.clone();
        connections.spawn(async move {
            // A client that goes away in the middle is no news.
            if let Err(error) = connection.serve(stream, service).await {
                tracing::debug!(%peer, error, "connection ended");
            }
            drop(place);
        });
    };
    loop {
        tokio::select! {
            () = stop.closing.cancelled() => break,
            accepted = accept(&listener, &places) => serve_one(accepted),
        }
    }
    take_the_waiting(listener, &places).for_each(serve_one);
    stop.ending.cancelled().await;
    connections.close();
    if timeout(limits.drain, connections.wait()).await.is_err() {
        tracing::warn!("some connections did not end in time and are cut off");
    }
}

type Accepted = (TcpStream, SocketAddr, Option<OwnedSemaphorePermit>);

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> Accepted {
    // Never closed, so a place always comes.
    let place = places.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Only a latency matter; a socket that refuses it still works.
                let _ = stream.set_nodelay(true);
                return (stream, peer, place);
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Those who have connected and were not accepted yet: to close the listener,
/// which is done right after the last of them, would reset them.
fn take_the_waiting(
    listener: TcpListener,
    places: &Arc<Semaphore>,
) -> impl Iterator<Item = Accepted> {
    let listener = listener.into_std();
    std::iter::from_fn(move || {
        // It does not block, and there is an end of those who wait.
        let (stream, peer) = listener.as_ref().ok()?.accept().ok()?;
        stream.set_nonblocking(true).ok()?;
        let stream = TcpStream::from_std(stream).ok()?;
        Some((stream, peer, places.clone().try_acquire_owned().ok()))
    })
}

/// What a connection needs beside its stream and its service.
struct Connection {
    peer: SocketAddr,
    tls: Option<Arc<ServerTls>>,
    http: Arc<Builder<TokioExecutor>>,
    stop: Stop,
    limits: Limits,
}

impl Connection {
    async fn serve<S, B>(
        self,
        stream: TcpStream,
        service: S,
    ) -> Result<(), Box<dyn Error + Send + Sync>>
    where
        S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (io, protocol) = tokio::select! {
            () = self.is_to_end(Protocol::Unknown) => return Ok(()),
            begun = timeout(self.limits.head, begun(stream, self.tls.as_deref())) => begun??,
        };
        let (peer, closing) = (self.peer, self.stop.closing.clone());
        let answer = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(PeerAddress(peer));
            let last = closing.clone();
            let answer = service.clone().oneshot(request);
            async move {
                let mut response = answer.await?;
                if protocol == Protocol::Http1 && last.is_cancelled() {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                Ok::<_, Infallible>(response)
            }
        });
        let connection = self.http.serve_connection(TokioIo::new(io), answer);
        tokio::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = self.is_to_end(protocol) => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    }

    async fn is_to_end(&self, protocol: Protocol) {
        self.stop.ending.cancelled().await;
        let linger = self.limits.linger;
        match protocol {
            // Who has said nothing may be about to.
            Protocol::Unknown | Protocol::Http1 => tokio::time::sleep(linger).await,
            // Hyper drops a connection that has not exchanged its settings yet,
            // and with it the request that came along with them.
            Protocol::Http2 { begun } => tokio::time::sleep_until(begun + linger).await,
        }
    }
}

/// How a client speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// Not at all so far.
    Unknown,
    Http1,
    Http2 {
        /// Since when.
        begun: Instant,
    },
}

/// A plain stream or one over TLS, as one type: hyper is compiled once.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<I: AsyncRead + AsyncWrite + Send + Unpin> Io for I {}

/// Shakes hands if that is needed, and waits for the bytes that tell HTTP/2
/// from HTTP/1: hyper waits for them as long as it takes. Nothing is lost: they
/// are read again from the result.
async fn begun(
    stream: TcpStream,
    tls: Option<&ServerTls>,
) -> io::Result<(
    impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    Protocol,
)> {
    let io: Box<dyn Io> = match tls {
        Some(tls) => Box::new(tls.accept(stream).await?),
        None => Box::new(stream),
    };
    let (mut reader, writer) = tokio::io::split(io);
    let mut first = Vec::with_capacity(PREFACE.len());
    while first.len() < PREFACE.len() && PREFACE.starts_with(&first) {
        let left = (PREFACE.len() - first.len()) as u64;
        if (&mut reader).take(left).read_buf(&mut first).await? == 0 {
            break;
        }
    }
    let protocol = if first == PREFACE {
        Protocol::Http2 {
            begun: Instant::now(),
        }
    } else {
        Protocol::Http1
    };
    let reader = io::Cursor::new(first).chain(reader);
    Ok((tokio::io::join(reader, writer), protocol))
}

fn http(head: Duration) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(head);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_STREAMS as usize)
        .keep_alive_interval(KEEP_ALIVE)
        .max_header_list_size(16 * 1024);
    builder
}

#[cfg(test)]
mod tests;
