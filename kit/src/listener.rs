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
    time::{Instant, timeout, timeout_at},
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
/// For how long those are taken who connected just before the end: to close the
/// listener would reset them.
const LAST_ACCEPTS: Duration = Duration::from_millis(50);
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
    let end = Instant::now() + LAST_ACCEPTS;
    while let Ok(accepted) = timeout_at(end, accept(&listener, &places)).await {
        serve_one(accepted);
    }
    drop(listener);
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
mod tests {
    use tokio::{io::AsyncWriteExt as _, task::JoinHandle, time::Instant};

    use super::*;
    use crate::tls;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";

    /// A server that answers every request after a while.
    struct Server {
        address: SocketAddr,
        stop: Stop,
        task: JoinHandle<()>,
    }

    impl Server {
        async fn start(limits: Limits, work: Duration) -> Self {
            Self::on(None, limits, work).await
        }

        async fn over_tls(tls: &ServerTls, limits: Limits) -> Self {
            Self::on(Some(tls.clone()), limits, Duration::ZERO).await
        }

        async fn on(tls: Option<ServerTls>, limits: Limits, work: Duration) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let service = tower::service_fn(move |_: Request<Incoming>| async move {
                tokio::time::sleep(work).await;
                Ok::<_, Infallible>(Response::new("done".to_owned()))
            });
            let stop = Stop::default();
            let task = tokio::spawn(serve_within(listener, tls, service, stop.clone(), limits));
            Self {
                address,
                stop,
                task,
            }
        }

        async fn connect(&self, first: &[u8]) -> TcpStream {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(first).await.unwrap();
            stream
        }
    }

    fn limits(head: u64) -> Limits {
        Limits {
            connections: 2,
            head: Duration::from_millis(head),
            linger: Duration::from_millis(500),
            drain: Duration::from_secs(5),
        }
    }

    /// All that the server sends till it closes, and how long that took.
    async fn to_the_end(mut stream: TcpStream) -> (String, Duration) {
        let begun = Instant::now();
        let mut text = Vec::new();
        let read = timeout(Duration::from_secs(5), stream.read_to_end(&mut text)).await;
        // Closing in the middle of what a client sends is a reset.
        let _ = read.expect("the server closes the connection");
        (String::from_utf8_lossy(&text).into_owned(), begun.elapsed())
    }

    async fn one_answer(stream: &mut TcpStream) -> String {
        let mut text = Vec::new();
        while !text.ends_with(b"done") {
            let read = timeout(Duration::from_secs(5), stream.read_buf(&mut text)).await;
            assert_ne!(read.unwrap().unwrap(), 0, "no answer");
        }
        String::from_utf8(text).unwrap()
    }

    #[tokio::test]
    async fn who_does_not_send_a_head_loses_the_place() {
        let server = Server::start(limits(200), Duration::ZERO).await;
        let beginnings: [&[u8]; 5] = [
            b"",
            &PREFACE[..1],
            &PREFACE[..20],
            b"GET / HTTP/1.1\r\nHost:",
            // One request, and then nothing more.
            REQUEST,
        ];
        for beginning in beginnings {
            let stream = server.connect(beginning).await;
            let (answer, took) = to_the_end(stream).await;
            assert_eq!(answer.ends_with("done"), beginning == REQUEST, "{answer}");
            assert!(
                took >= Duration::from_millis(150),
                "{beginning:?}: {took:?}"
            );
        }
    }

    #[tokio::test]
    async fn who_does_not_shake_hands_loses_the_place() {
        let tls = tls::tests::server();
        let server = Server::over_tls(&tls, limits(200)).await;
        for beginning in [&b""[..], &[22, 3, 1], &[22, 3, 1, 2, 0, 1]] {
            let (answer, took) = to_the_end(server.connect(beginning).await).await;
            assert_eq!(answer, "");
            assert!(took >= Duration::from_millis(150), "{took:?}");
        }
        // And who is done with that and silent then.
        let stream = server.connect(b"").await;
        let mut stream = tls::tests::connect(&tls, stream, b"h2").await;
        let mut nothing = Vec::new();
        let read = stream.read_to_end(&mut nothing);
        let _ = timeout(Duration::from_secs(5), read).await.unwrap();
        // What is no TLS at all is not served.
        let (answer, _) = to_the_end(server.connect(REQUEST).await).await;
        assert!(!answer.contains("done"), "{answer}");
    }

    #[tokio::test]
    async fn the_protocol_is_agreed_upon_in_the_handshake() {
        let tls = tls::tests::server();
        let server = Server::over_tls(&tls, limits(2_000)).await;
        for protocol in [&b"h2"[..], b"http/1.1"] {
            let stream = server.connect(b"").await;
            let stream = tls::tests::connect(&tls, stream, protocol).await;
            assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
        }
    }

    #[tokio::test]
    async fn the_silent_do_not_keep_others_out() {
        let server = Server::start(limits(200), Duration::ZERO).await;
        let silent = [server.connect(b"").await, server.connect(b"PRI").await];
        // Both places are taken; this one waits for the first to be free again.
        let mut stream = server.connect(REQUEST).await;
        assert!(one_answer(&mut stream).await.starts_with("HTTP/1.1 200"));
        drop(silent);
    }

    #[tokio::test]
    async fn a_head_in_pieces_is_one_head() {
        let server = Server::start(limits(2_000), Duration::ZERO).await;
        // "P" may still become the preface of HTTP/2.
        let whole = b"PUT / HTTP/1.1\r\nHost: x\r\n\r\n";
        let mut stream = server.connect(b"").await;
        for byte in whole {
            stream.write_all(&[*byte]).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        assert!(one_answer(&mut stream).await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn a_closing_server_serves_the_connections_that_it_has() {
        let server = Server::start(limits(2_000), Duration::from_millis(100)).await;
        let mut old = server.connect(REQUEST).await;
        one_answer(&mut old).await;
        server.stop.closing.cancel();
        while TcpStream::connect(server.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        old.write_all(REQUEST).await.unwrap();
        assert!(one_answer(&mut old).await.starts_with("HTTP/1.1 200"));
        assert!(!server.task.is_finished());
        server.stop.ending.cancel();
        assert_eq!(to_the_end(old).await.0, "");
        server.task.await.unwrap();
    }

    #[tokio::test]
    async fn an_ending_server_answers_the_request_that_was_just_being_sent() {
        let server = Server::start(limits(4_000), Duration::ZERO).await;
        let mut kept = server.connect(REQUEST).await;
        assert!(!one_answer(&mut kept).await.contains("close"));
        let idle = server.connect(REQUEST).await;
        server.stop.at_once();
        tokio::time::sleep(Duration::from_millis(100)).await;
        kept.write_all(REQUEST).await.unwrap();
        let (answer, _) = to_the_end(kept).await;
        assert!(answer.ends_with("done"), "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        // And who sends nothing is not waited for much longer.
        let (_, took) = to_the_end(idle).await;
        assert!(took < Duration::from_secs(2), "{took:?}");
        server.task.await.unwrap();
    }

    #[tokio::test]
    async fn who_has_connected_before_the_end_is_served() {
        let server = Server::start(limits(4_000), Duration::ZERO).await;
        // Of these the server has accepted none when the end comes: it runs on
        // the same thread, and std's streams do not wait for it.
        let waiting: Vec<_> = (0..2)
            .map(|_| {
                let mut stream = std::net::TcpStream::connect(server.address).unwrap();
                std::io::Write::write_all(&mut stream, REQUEST).unwrap();
                stream.set_nonblocking(true).unwrap();
                TcpStream::from_std(stream).unwrap()
            })
            .collect();
        server.stop.at_once();
        for stream in waiting {
            let (answer, _) = to_the_end(stream).await;
            assert!(answer.ends_with("done"), "{answer}");
        }
        server.task.await.unwrap();
    }

    #[tokio::test]
    async fn an_ending_server_answers_what_it_has_taken_and_drops_the_silent() {
        let server = Server::start(limits(4_000), Duration::from_millis(300)).await;
        let silent = server.connect(b"").await;
        let busy = server.connect(REQUEST).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        let begun = Instant::now();
        server.stop.at_once();
        let (answer, _) = to_the_end(busy).await;
        assert!(answer.ends_with("done"), "{answer}");
        to_the_end(silent).await;
        server.task.await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
}
