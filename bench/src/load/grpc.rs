//! A gRPC connection, as bare as can be: hyper's HTTP/2 under tonic's clients.

use std::{
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
};

use http::{Request, Response, uri::PathAndQuery};
use hyper::{
    body::Incoming,
    client::conn::http2::{Builder, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tonic::body::Body;
use tower::Service;

use super::rest::stream;

/// A connection. Clones use the same one.
#[derive(Clone)]
pub(crate) struct Channel {
    sender: SendRequest<Body>,
    authority: String,
}

impl Channel {
    /// Connects from this address of the loopback interface.
    pub(crate) async fn connect(from: Ipv4Addr, to: SocketAddr) -> anyhow::Result<Self> {
        let io = TokioIo::new(stream(from, to).await?);
        let (sender, connection) = Builder::new(TokioExecutor::new()).handshake(io).await?;
        // What it ends with is told to the calls that it breaks.
        tokio::spawn(connection);
        Ok(Self {
            sender,
            authority: to.to_string(),
        })
    }
}

impl Service<Request<Body>> for Channel {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), hyper::Error>> {
        self.sender.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let root = || PathAndQuery::from_static("/");
        let path = request.uri().path_and_query().cloned();
        let uri = http::Uri::builder()
            .scheme("http")
            .authority(&*self.authority)
            .path_and_query(path.unwrap_or_else(root))
            .build();
        if let Ok(uri) = uri {
            *request.uri_mut() = uri;
        }
        Box::pin(self.sender.send_request(request))
    }
}
