//! Answers with nothing behind it: JSON by axum, messages by tonic.

use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
};

use anyhow::Context as _;
use axum::{
    Extension, Router,
    body::Body,
    extract::Path,
    http::{HeaderValue, header::CONTENT_TYPE},
    response::Response,
    routing::{get, post},
};
use bytes::Bytes;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use proto::{
    auth::v1::auth_service_server::AuthServiceServer,
    profile::v1::profile_service_server::ProfileServiceServer,
};
use serde_json::json;
use tokio::net::TcpListener;
use tonic::service::Routes;

use super::{front, orders::orders, server_calls::Calls};
use crate::load::grpc::Channel;

/// Long as an access token and a refresh token of the product are.
pub(super) const ACCESS_TOKEN: usize = 440;
pub(super) const REFRESH_TOKEN: usize = 86;

/// Serves on two free ports, which it prints, until its input ends. The first
/// line of the input is where the stores' calls are.
pub(crate) async fn serve() -> anyhow::Result<()> {
    let http = TcpListener::bind("127.0.0.1:0").await?;
    println!("http {}", http.local_addr()?);
    println!("grpc {}", serve_calls(Calls(None)).await?);
    let mut orders = orders();
    let behind = orders.recv().await.context("where are the stores?")?;
    let channel = Channel::connect(Ipv4Addr::LOCALHOST, behind.parse()?).await?;
    let router = Router::new()
        .route("/small", post(small))
        .route("/profile/{followers}", get(profile))
        .merge(front::router(&channel));
    tokio::spawn(async move {
        while let Ok((stream, peer)) = accept(&http).await {
            let service = TowerToHyperService::new(router.clone().layer(Extension(peer)));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    while orders.recv().await.is_some() {}
    Ok(())
}

/// Answers calls on a free port, which is told.
pub(super) async fn serve_calls(calls: Calls) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let routes = Routes::new(AuthServiceServer::new(calls.clone()))
        .add_service(ProfileServiceServer::new(calls))
        .prepare();
    tokio::spawn(async move {
        while let Ok((stream, _)) = accept(&listener).await {
            let service = TowerToHyperService::new(routes.clone());
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service);
            tokio::spawn(connection);
        }
    });
    Ok(address)
}

async fn accept(listener: &TcpListener) -> std::io::Result<(tokio::net::TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok((stream, peer))
}

/// A JSON object in, a pair of tokens out.
async fn small(body: Bytes) -> Result<Response, Infallible> {
    let taken: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    Ok(json(&json!({
        "access_token": "a".repeat(ACCESS_TOKEN),
        "refresh_token": "r".repeat(REFRESH_TOKEN),
        "is_object": taken.is_object(),
    })))
}

async fn profile(Path(followers): Path<usize>) -> Result<Response, Infallible> {
    Ok(json(&json!({
        "phone_number": "+77777777766",
        "invite_code": "l87zwp",
        "invited_by": null,
        "followers": vec!["+77777777766"; followers],
    })))
}

pub(super) fn json(value: &serde_json::Value) -> Response {
    let mut response = Response::new(Body::from(value.to_string()));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}
