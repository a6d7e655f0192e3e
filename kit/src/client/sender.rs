//! A connection that carries calls: HTTP/2 by the h2 crate itself.
//!
//! Hyper's client answers with the same error for a request that it did not
//! send and for one that it may have sent, when the peer goes away just then
//! (both are a GOAWAY); what may not be doubled could never be sent again.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use h2::{
    Reason, RecvStream,
    client::{Builder, Connection, SendRequest},
};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full, combinators::WithTrailers};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::oneshot,
    time::{sleep, timeout},
};

use crate::together::Together;

/// How often a connection is asked whether it still lives.
const ASK_EVERY: Duration = Duration::from_secs(2);
/// How long the answer may take. A process that has thousands of requests to
/// begin is late with it, and all of them would be lost with the connection.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// How much a callee may send before it is read, in bytes: on one stream, and
/// on all.
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;

/// Calls that were given up and whose answers may still come. An answer to one
/// that is forgotten counts as a fault of the peer, and after some of these h2
/// would end the connection for all.
const GIVEN_UP: usize = 20_000;

/// A whole answer, with the trailers in which gRPC tells how it went.
pub type Answer = Response<WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>>;

/// Why a call got no answer.
pub(super) struct Failure {
    /// The peer has not begun it, for sure.
    pub(super) unsent: bool,
    pub(super) error: h2::Error,
}

/// Sends calls over a connection. Clones send over the same one.
#[derive(Clone)]
pub(super) struct Sender {
    requests: SendRequest<Bytes>,
    ended: Arc<AtomicBool>,
}

impl Sender {
    /// Begins to speak over a stream. A peer that does not answer is no peer:
    /// the kernel takes connections for a process that hangs.
    pub(super) async fn over(
        stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    ) -> anyhow::Result<Self> {
        let (requests, connection) = Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_reset_streams(GIVEN_UP)
            .max_local_error_reset_streams(None)
            .handshake(Together::new(stream))
            .await?;
        let ended = Arc::new(AtomicBool::new(false));
        let end = ended.clone();
        let (answered, answer) = oneshot::channel();
        tokio::spawn(async move {
            carry(connection, answered).await;
            end.store(true, Ordering::Release);
        });
        answer.await.context("the peer does not answer")?;
        Ok(Self { requests, ended })
    }

    /// Whether nothing can be sent any more.
    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Sends a request and reads its answer to the end.
    pub(super) async fn send(self, head: Box<Request<()>>, body: Bytes) -> Result<Answer, Failure> {
        let unsent = |error| Failure {
            unsent: true,
            error,
        };
        let mut requests = self.requests.ready().await.map_err(unsent)?;
        let (answer, mut sending) = requests.send_request(*head, false).map_err(unsent)?;
        // What is not sent by then is told by the answer that does not come.
        let _ = sending.send_data(body, true);
        let begun = |error| Failure {
            unsent: is_refused(&error),
            error,
        };
        let (head, mut reading) = answer.await.map_err(begun)?.into_parts();
        let body = read(&mut reading).await.map_err(begun)?;
        let trailers = reading.trailers().await.map_err(begun)?;
        let body = Full::new(body).with_trailers(ready(trailers.map(Ok)));
        Ok(Response::from_parts(head, body))
    }
}

async fn read(body: &mut RecvStream) -> Result<Bytes, h2::Error> {
    // Most answers come in one piece.
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    while let Some(part) = body.data().await {
        let part = part?;
        body.flow_control().release_capacity(part.len())?;
        if first.is_empty() && whole.is_empty() {
            first = part;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&part);
        }
    }
    Ok(if whole.is_empty() {
        first
    } else {
        whole.freeze()
    })
}

/// Carries what is sent until the connection ends, or does not answer. Its first
/// answer is told.
async fn carry(
    mut connection: Connection<impl AsyncRead + AsyncWrite + Send + Unpin + 'static, Bytes>,
    answered: oneshot::Sender<()>,
) {
    let pings = connection.ping_pong();
    let lives = async {
        // There is one for each connection, and this is the first to take it.
        let Some(mut pings) = pings else {
            return std::future::pending().await;
        };
        let mut answered = Some(answered);
        while let Ok(Ok(_)) = timeout(ANSWER_WITHIN, pings.ping(h2::Ping::opaque())).await {
            if let Some(answered) = answered.take() {
                // Nobody listens if it took too long.
                let _ = answered.send(());
            }
            sleep(ASK_EVERY).await;
        }
    };
    tokio::select! {
        // What it broke with is told to the calls that it carried.
        ended = connection => {
            if let Err(error) = ended {
                tracing::debug!(%error, "connection ended");
            }
        }
        () = lives => tracing::debug!("a connection does not answer and is closed"),
    }
}

/// Whether the peer says that it has not begun the request: it refused the
/// stream, or it goes away and the stream came after the last one that it takes
/// (RFC 9113, sections 6.8 and 8.7).
fn is_refused(error: &h2::Error) -> bool {
    match error.reason() {
        Some(Reason::REFUSED_STREAM) => error.is_reset() && error.is_remote(),
        Some(Reason::NO_ERROR) => error.is_go_away() && error.is_remote(),
        _ => false,
    }
}
