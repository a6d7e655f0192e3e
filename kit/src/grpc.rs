//! A gRPC server: the services on a listener, with health, reflection,
//! gRPC-Web, CORS, deadlines and request ids.

mod most_called;

use std::{convert::Infallible, sync::Arc};

use anyhow::Context as _;
use http::{Request, Response};
use tokio::net::TcpListener;
use tonic::{body::Body, server::NamedService, service::Routes};
use tonic_health::pb::health_server::HealthServer;
use tonic_web::GrpcWebLayer;
use tower::{Service, ServiceBuilder};

use crate::{
    admission::{self, WithAdmission},
    context::WithContext,
    cors::CorsOrigins,
    deadline,
    deadline::WithDeadline,
    health::Health,
    listener,
    metrics::requests::{Requests, WithRequests},
    random::Random,
    stop::Stop,
    tls::ServerTls,
    wait::WithWait,
};
use most_called::MostCalled;

/// The longest message that a service takes, in bytes: many times what the
/// longest one needs, and little to hold for each of many calls at once.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// Health is told also by a server that has more than enough to do.
const SPARED: &[&str] = &["/grpc.health.v1.Health/"];

/// What a server needs beside its services.
pub struct GrpcServer {
    /// Where to listen.
    pub listener: TcpListener,
    /// Speaks TLS there.
    pub tls: Option<ServerTls>,
    /// The full names of the services, for reflection's list.
    pub services: &'static [&'static str],
    /// Answers `grpc.health.v1`.
    pub health: Health,
    /// The web pages that may call by gRPC-Web.
    pub cors: CorsOrigins,
    /// Makes request ids.
    pub random: Arc<dyn Random>,
    /// Counts the calls.
    pub requests: Requests,
    /// Ends the server.
    pub stop: Stop,
}

impl GrpcServer {
    /// Serves `most_called` and the services of `others` until the stop.
    ///
    /// # Errors
    /// When the descriptors for reflection cannot be read: a fault of the build.
    pub async fn serve<S>(self, most_called: S, others: Routes) -> anyhow::Result<()>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        tokio::spawn(self.health.clone().wait_for_dependencies());
        let routes = others.add_service(HealthServer::new(self.health.clone()));
        let routes = add_reflection(routes, self.services)
            .context("the descriptors for reflection cannot be read")?
            .prepare();
        let late = || deadline::exceeded().into_status().into_http::<Body>();
        let busy = || admission::overloaded().into_status().into_http::<Body>();
        let service = ServiceBuilder::new()
            .layer_fn(|inner| WithContext::new(inner, self.random.clone()))
            .layer(self.cors.layer())
            .layer(GrpcWebLayer::new())
            .layer_fn(|inner| WithRequests::new(inner, self.requests.clone()))
            .layer_fn(|inner| WithAdmission::new(inner, SPARED, busy))
            .layer_fn(|inner| WithDeadline::new(inner, late))
            .layer_fn(WithWait::new)
            .service(MostCalled::new(most_called, routes));
        listener::serve(self.listener, self.tls, service, self.stop).await;
        Ok(())
    }
}

/// Both versions of reflection: grpcurl before 1.8.8 and Python's client ask by
/// v1alpha, buf by v1. The error details' messages are served too, so that a
/// client can print them.
fn add_reflection(
    routes: Routes,
    services: &'static [&'static str],
) -> Result<Routes, tonic_reflection::server::Error> {
    let builder = || {
        let names = services.iter().copied().chain(["grpc.health.v1.Health"]);
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(proto::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET);
        names.fold(
            builder,
            tonic_reflection::server::Builder::with_service_name,
        )
    };
    Ok(routes
        .add_service(builder().build_v1()?)
        .add_service(builder().build_v1alpha()?))
}
