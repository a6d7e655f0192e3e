//! Profiles: invite codes, inviters and followers.
//!
//! [`serve`] is the only wiring. A call goes `grpc` (parse) → `profiles` (the
//! rules) → the store, and back; an error becomes a status in `error`.

pub mod config;
mod counts;
mod error;
mod grpc;
pub mod invite_code;
mod keys;
pub mod page_token;
mod profiles;
pub mod store;

use std::sync::Arc;

use kit::{
    access_token::AccessTokenVerifier,
    client::{self as peer, Outgoing},
    clock::SystemClock,
    grpc::GrpcServer,
    health::{Dependency, Health},
    jwks::JwksCache,
    metrics::requests::Requests,
    random::SystemRandom,
    service_token::ServiceTokenVerifier,
    stop::Stop,
};
use proto::profile::v1::{
    profile_service_server::ProfileServiceServer,
    provisioning_service_server::ProvisioningServiceServer,
};
use tokio::net::TcpListener;
use tonic::service::Routes;

use keys::AuthServiceKeys;
use profiles::Profiles;
use store::ProfileStore;

pub use config::Config;

/// This service's name, in service tokens and messages.
pub const NAME: &str = "profile-service";

const SERVICES: &[&str] = &[
    "profile.v1.ProfileService",
    "profile.v1.ProvisioningService",
];

/// Serves on `listener` until `stop`, and then ends what it began.
///
/// # Errors
/// When a SQLite file cannot be opened.
pub async fn serve(config: Config, listener: TcpListener, stop: Stop) -> anyhow::Result<()> {
    let clock = Arc::new(SystemClock);
    let random = Arc::new(SystemRandom::default());
    let store = ProfileStore::open(&config.database_url, stop.ending.clone()).await?;
    let database = store.database();
    database.count(&config.metrics, NAME);
    let source = AuthServiceKeys::new(peer::counted_channel(
        NAME,
        "auth-service",
        &config.auth_url,
        Outgoing::default(),
        &config.metrics,
    ));
    let keys = Arc::new(JwksCache::new(Arc::new(source)));
    let fresh = keys.clone();
    let until = stop.ending.clone();
    tokio::spawn(async move { fresh.keep_fresh(until).await });
    let dependencies: [(&str, Arc<dyn Dependency>); 1] = [("database", store.database())];
    let service = Arc::new(grpc::ProfileGrpc {
        profiles: Profiles {
            store,
            clock: clock.clone(),
            random: random.clone(),
        },
        users: AccessTokenVerifier::new(keys, &config.issuer, &config.audience, clock.clone()),
        invites: counts::Invites::new(&config.metrics),
        services: ServiceTokenVerifier::new(&config.service_key, NAME, clock),
    });
    let profiles = ProfileServiceServer::from_arc(service.clone())
        .max_decoding_message_size(kit::grpc::MAX_MESSAGE);
    let provisioning = ProvisioningServiceServer::from_arc(service)
        .max_decoding_message_size(kit::grpc::MAX_MESSAGE);
    let server = GrpcServer {
        listener,
        tls: config.tls,
        services: SERVICES,
        health: Health::new(SERVICES, dependencies, stop.closing.clone()),
        cors: config.cors,
        random,
        requests: Requests::grpc(&config.metrics, NAME),
        stop,
    };
    server.serve(profiles, Routes::new(provisioning)).await?;
    database.close().await;
    Ok(())
}
