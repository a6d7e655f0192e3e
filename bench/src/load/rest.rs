//! A client of the JSON API, on one connection.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpSocket, TcpStream};

/// A connection that stays open.
pub(crate) struct Rest {
    sender: SendRequest<Full<Bytes>>,
    from: Ipv4Addr,
    to: SocketAddr,
    host: String,
    used: Instant,
}

/// A server may close a connection that was idle for ten seconds, also while the next
/// request is on its way.
const FRESH: Duration = Duration::from_secs(5);

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// Connects from this address of the loopback interface.
pub(crate) async fn stream(from: Ipv4Addr, to: SocketAddr) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::new(IpAddr::V4(from), 0))?;
    let stream = socket
        .connect(to)
        .await
        .with_context(|| format!("no connection from {from} to {to}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Rest {
    /// Connects.
    pub(crate) async fn connect(from: Ipv4Addr, to: SocketAddr) -> anyhow::Result<Self> {
        let io = TokioIo::new(stream(from, to).await?);
        let (sender, connection) = handshake(io).await?;
        // What it ends with is told to the request that it breaks.
        tokio::spawn(connection);
        Ok(Self {
            sender,
            from,
            to,
            host: to.to_string(),
            used: Instant::now(),
        })
    }

    /// Connects again if the server has closed the connection, or may be about to.
    pub(crate) async fn reconnect(&mut self) -> anyhow::Result<()> {
        if self.sender.is_closed() || self.used.elapsed() > FRESH {
            *self = Self::connect(self.from, self.to).await?;
        }
        Ok(())
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(header::HeaderName, &str)],
        body: String,
    ) -> anyhow::Result<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &*self.host)
            .header(header::USER_AGENT, "bench/1 (Linux)");
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        self.sender.ready().await?;
        let answer = self
            .sender
            .send_request(request.body(Full::new(body.into()))?)
            .await?;
        self.used = Instant::now();
        let (head, body) = answer.into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: body.collect().await?.to_bytes(),
        })
    }
}

impl Answer {
    /// Refuses another status.
    pub(crate) fn expect(self, status: StatusCode) -> anyhow::Result<Self> {
        if self.status != status {
            let body = String::from_utf8_lossy(&self.body);
            bail!("{} in place of {status}: {body}", self.status);
        }
        Ok(self)
    }

    /// What stands between two texts of the body.
    pub(crate) fn between(&self, before: &str, after: &str) -> anyhow::Result<&str> {
        let text = str::from_utf8(&self.body)?;
        let found = text
            .split_once(before)
            .and_then(|(_, rest)| rest.split_once(after));
        let (found, _) = found.with_context(|| format!("no {before}… in {text}"))?;
        Ok(found)
    }
}
