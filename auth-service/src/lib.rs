//! Sign-in by phone number: one-time codes, users, sessions and tokens.
//!
//! [`serve`] is the only wiring. A call goes `grpc` (parse) → `auth` (the
//! rules) → the stores and profile-service, and back; an error becomes a
//! status in `error`.

pub mod account;
mod auth;
pub mod challenges;
pub mod code;
pub mod config;
mod error;
mod grpc;
pub mod key_ring;
pub mod mac;
pub mod phone;
mod profiles;
mod redis;
pub mod refresh_token;
pub mod sessions;
pub mod signing_keys;
pub mod sms;
pub mod stores;
pub mod tokens;
mod upkeep;
pub mod users;

use std::sync::Arc;

use kit::{
    access_token::AccessTokenVerifier,
    client::{self as peer, Outgoing},
    clock::SystemClock,
    grpc::GrpcServer,
    health::{Dependency, Health},
    random::SystemRandom,
    service_token::{ServiceTokenSigner, ServiceTokenVerifier},
    stop::Stop,
};
use proto::auth::v1::auth_service_server::AuthServiceServer;
use tokio::net::TcpListener;
use tonic::service::Routes;

use account::Account;
use auth::Auth;
use challenges::Challenges;
use mac::Hasher;
use profiles::Profiles;
use sessions::Sessions;
use sms::{
    SimulatedSms, SmsSender,
    guards::{self, Guards},
};
use stores::Stores;
use tokens::Tokens;
use users::Users;

pub use config::Config;
use config::SmsConfig;

/// This service's name, in service tokens and messages.
pub const NAME: &str = "auth-service";

const SERVICES: &[&str] = &["auth.v1.AuthService"];

/// Serves on `listener` until `stop`, and then ends what it began.
///
/// # Errors
/// When a SQLite file cannot be opened.
pub async fn serve(config: Config, listener: TcpListener, stop: Stop) -> anyhow::Result<()> {
    warn_of_simulated(&config.sms);
    let clock = Arc::new(SystemClock);
    let random = Arc::new(SystemRandom::default());
    let users = Users::open(&config.database_url, stop.ending.clone()).await?;
    let database = users.database();
    let stores = Stores::open(&config.challenge_store_url)?;
    let signer =
        ServiceTokenSigner::new(&config.service_key, NAME, profiles::SERVICE, clock.clone());
    let outgoing = Outgoing::signed(signer);
    let profiles = Profiles::new(peer::channel(
        profiles::SERVICE,
        &config.profile_url,
        outgoing,
    ));
    let keys = Arc::new(config.signing_keys);
    let hasher = Arc::new(Hasher::new(&config.code_pepper));
    let verifier = AccessTokenVerifier::new(
        keys.clone(),
        &config.token_rules.issuer,
        &config.token_rules.audience,
        clock.clone(),
    );
    let tokens = Arc::new(Tokens::new(
        keys.clone(),
        config.token_rules,
        random.clone(),
    ));
    let dependencies: [(&str, Arc<dyn Dependency>); 2] = [
        ("database", users.database()),
        (
            "challenges",
            Arc::new(challenges::Ping(stores.challenges.clone())),
        ),
    ];
    let account = Arc::new(Account {
        sessions: Sessions::new(users.database()),
        users: users.clone(),
        profiles: profiles.clone(),
        tokens: tokens.clone(),
        hasher: hasher.clone(),
        rules: config.session_rules,
        clock: clock.clone(),
        random: random.clone(),
    });
    let sms: Arc<dyn SmsSender> = match config.sms {
        SmsConfig::Simulated(delay) => Arc::new(SimulatedSms::new(delay, random.clone())),
        SmsConfig::Real(_) => {
            let metrics = &config.metrics;
            let guards = Guards::new(config.guards, stores.guards, hasher.clone(), metrics);
            let _guards = guards::start(guards, clock.clone(), stop.ending.clone());
            todo!()
        }
    };
    let auth = Auth {
        challenges: Arc::new(Challenges::new(
            stores.challenges,
            hasher.clone(),
            config.challenge_rules,
            random.clone(),
        )),
        users,
        profiles,
        sms,
        texts: Arc::new(config.texts),
        tokens,
        hasher,
        phone_check: config.phone_check,
        clock: clock.clone(),
        random: random.clone(),
    };
    let upkeep = upkeep::keep_up(account.clone(), random.clone(), stop.ending.clone());
    tokio::spawn(upkeep);
    let (watched, until) = (keys.clone(), stop.ending.clone());
    tokio::spawn(async move { watched.watch(until).await });
    let service = grpc::AuthGrpc {
        auth,
        account,
        verifier,
        keys,
        gateways: ServiceTokenVerifier::new(&config.gateway_key, NAME, clock),
        trusted_proxies: config.trusted_proxies,
    };
    let routes = Routes::new(
        AuthServiceServer::new(service).max_decoding_message_size(kit::grpc::MAX_MESSAGE),
    );
    let server = GrpcServer {
        listener,
        tls: config.tls,
        services: SERVICES,
        health: Health::new(SERVICES, dependencies, stop.closing.clone()),
        cors: config.cors,
        random,
        stop,
    };
    server.serve(routes).await?;
    database.close().await;
    Ok(())
}

fn warn_of_simulated(sms: &SmsConfig) {
    if matches!(sms, SmsConfig::Simulated(_)) {
        tracing::warn!(
            "AUTH_SMS=simulated: no code is sent and every answer shows it, \
             so anybody can sign in as anybody"
        );
    }
}
