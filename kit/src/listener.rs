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

mod begun;
mod exchange;
mod one;
mod progress;

use std::{
    convert::Infallible,
    error::Error,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header::CONNECTION};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http2};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use socket2::SockRef;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::coop::unconstrained,
    time::timeout,
};
use tokio_util::task::TaskTracker;
use tower::Service;

use begun::{Protocol, begin};
use one::One;

pub use progress::Received;

use crate::{client_address::PeerAddress, stop::Stop, tls::ServerTls, together::Together};

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
/// How many clients may wait to be accepted; the kernel takes no more than its
/// own bound (`net.core.somaxconn`). Whoever does not fit in tries again after a
/// second, and then after ever more: thousands come at one moment.
const BACKLOG: i32 = 16_384;
/// How long to wait after an accept that failed for want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How much a listener bears.
#[derive(Clone, Copy)]
struct Limits {
    /// Connections at once; further ones wait in the kernel's backlog.
    connections: usize,
    /// How long a client may take to shake hands and send its first bytes, to
    /// send the head of a request, or to send nothing between two requests of HTTP/1.
    head: Duration,
    /// Connections of HTTP/1 on which hyper may be while nothing moves there; on
    /// further ones, only as long as something does.
    held: usize,
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
            held: 256,
            linger: Duration::from_secs(1),
            // A process ends within 10 seconds of the signal.
            drain: Duration::from_secs(8),
        }
    }
}

/// Serves `service` on `listener` until `stop`: takes no new connections when
/// that is closing, and when it is ending lets requests in flight finish, and
/// returns.
///
/// `service` must be ready always: it is not asked whether it is.
pub async fn serve<S, B>(listener: TcpListener, tls: Option<ServerTls>, service: S, stop: Stop)
where
    S: Service<Request<Received>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + Sync
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
    S: Service<Request<Received>, Response = Response<B>, Error = Infallible>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    if let Err(error) = SockRef::from(&listener).listen(BACKLOG) {
        tracing::warn!(%error, "the queue of clients stays short");
    }
    let http = Arc::new(Http::new(&limits));
    let tls = tls.map(Arc::new);
    // A service is some hundred bytes, for which each connection would have three
    // places.
    let service = Arc::new(service);
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
            // As long as there are some: a client in the kernel's queue holds less
            // than one that has begun, and the queue is not long.
            accepted = unconstrained(accept(&listener, &places)) => serve_one(accepted),
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
    http: Arc<Http>,
    stop: Stop,
    limits: Limits,
}

impl Connection {
    async fn serve<S, B>(
        self,
        stream: TcpStream,
        service: Arc<S>,
    ) -> Result<(), Box<dyn Error + Send + Sync>>
    where
        S: Service<Request<Received>, Response = Response<B>, Error = Infallible>
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (io, protocol) = tokio::select! {
            () = self.is_to_end(Protocol::Unknown) => return Ok(()),
            begun = timeout(self.limits.head, begin(stream, self.tls.as_deref())) => begun??,
        };
        let (peer, closing) = (self.peer, self.stop.closing.clone());
        let answer = move |mut request: Request<Received>| {
            request.extensions_mut().insert(PeerAddress(peer));
            let last = closing.clone();
            let answer = S::clone(&service).call(request);
            async move {
                let mut response = answer.await?;
                if protocol == Protocol::Http1 && last.is_cancelled() {
                    let close = HeaderValue::from_static("close");
                    response.headers_mut().insert(CONNECTION, close);
                }
                Ok::<_, Infallible>(response)
            }
        };
        let (http, ending) = (&self.http, pin!(self.is_to_end(protocol)));
        match protocol {
            Protocol::Unknown | Protocol::Http1 => http.one.serve(io, answer, ending).await,
            Protocol::Http2 { .. } => {
                let answer = move |request: Request<Incoming>| answer(request.map(Received::new));
                let service = hyper::service::service_fn(answer);
                // There are few of them, and they are large.
                let connection = http
                    .two
                    .serve_connection(TokioIo::new(Together::new(io)), service);
                carry(Box::pin(connection).as_mut(), ending).await
            }
        }
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

/// Carries a connection to its end, which is made gentle when it is to end.
async fn carry<C>(
    mut connection: Pin<&mut C>,
    ending: impl Future<Output = ()>,
) -> Result<(), Box<dyn Error + Send + Sync>>
where
    C: GracefulConnection<Error = hyper::Error>,
{
    tokio::select! {
        ended = connection.as_mut() => return Ok(ended?),
        () = ending => connection.as_mut().graceful_shutdown(),
    }
    Ok(connection.await?)
}

/// How the two versions of HTTP are spoken.
struct Http {
    one: One,
    two: http2::Builder<TokioExecutor>,
}

impl Http {
    fn new(limits: &Limits) -> Self {
        let one = One::new(limits.head, limits.held);
        let mut two = http2::Builder::new(TokioExecutor::new());
        two.timer(TokioTimer::new())
            .max_concurrent_streams(MAX_STREAMS)
            .max_pending_accept_reset_streams(MAX_STREAMS as usize)
            .keep_alive_interval(KEEP_ALIVE)
            .max_header_list_size(16 * 1024);
        Self { one, two }
    }
}

#[cfg(test)]
mod tests;
