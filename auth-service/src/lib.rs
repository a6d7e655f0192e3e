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
mod counts;
mod error;
mod grpc;
pub mod key_ring;
pub mod mac;
pub mod phone;
mod profiles;
mod redis;
pub mod refresh_token;
mod sandbox;
pub mod sessions;
pub mod signing_keys;
pub mod sms;
pub mod stores;
pub mod test_numbers;
pub mod tokens;
mod upkeep;
pub mod users;

use std::sync::Arc;

use kit::{
    access_token::AccessTokenVerifier,
    client::{self as peer, Outgoing},
    clock::{Clock, SystemClock, UnixMillis},
    grpc::GrpcServer,
    health::{Dependency, Health},
    metrics::requests::Requests,
    random::{Random, SystemRandom},
    service_token::{ServiceTokenSigner, ServiceTokenVerifier},
    stop::Stop,
};
use proto::auth::v1::{
    auth_service_server::AuthServiceServer, sandbox_service_server::SandboxServiceServer,
};
use tokio::net::TcpListener;
use tonic::service::Routes;

use account::Account;
use auth::Auth;
use challenges::Challenges;
use key_ring::KeyRing;
use mac::Hasher;
use profiles::Profiles;
use sandbox::SandboxGrpc;
use sessions::Sessions;
use sms::{
    Sending,
    guards::{self, Guards},
    outbox::Outbox,
};
use stores::Stores;
use tokens::Tokens;
use users::Users;

pub use config::Config;
use config::SmsConfig;

/// This service's name, in service tokens and messages.
pub const NAME: &str = "auth-service";

const SERVICES: &[&str] = &["auth.v1.AuthService"];
/// With simulated delivery. The sandbox has no health of its own.
const SERVICES_AND_SANDBOX: &[&str] = &["auth.v1.AuthService", "auth.v1.SandboxService"];

/// Serves on `listener` until `stop`, and then ends what it began.
///
/// # Errors
/// When a SQLite file cannot be opened.
pub async fn serve(config: Config, listener: TcpListener, stop: Stop) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    say_what_is_sent(&config, clock.now());
    let random = Arc::new(SystemRandom::default());
    let users = Users::open(&config.database_url, stop.ending.clone()).await?;
    let database = users.database();
    let stores = Stores::open(&config.challenge_store_url)?;
    let counts = Arc::new(counts::Counts::new(&config.metrics));
    database.count(&config.metrics, NAME);
    stores.challenges.count(&config.metrics);
    let profiles = profiles(&config, clock.clone());
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
        counts: counts.clone(),
        clock: clock.clone(),
        random: random.clone(),
    });
    let sending = match config.sms {
        SmsConfig::Simulated(delay) => Sending::simulated(delay, random.clone()),
        SmsConfig::Real(real) => {
            let metrics = &config.metrics;
            let guards = Guards::new(config.guards, stores.guards, hasher.clone(), metrics);
            let guards = guards::start(guards, clock.clone(), stop.ending.clone());
            Sending::real(real, guards, &clock, metrics, stop.closing.clone())
        }
    };
    let challenges = Challenges::new(
        stores.challenges,
        hasher.clone(),
        config.challenge_rules,
        random.clone(),
    );
    let auth = Auth {
        challenges: Arc::new(challenges.never_drawing(config.test_numbers.codes())),
        users,
        profiles,
        sms: sending.sms.clone(),
        texts: Arc::new(config.texts),
        test_numbers: config.test_numbers,
        tokens,
        hasher,
        phone_check: config.phone_check,
        clock: clock.clone(),
        random: random.clone(),
    };
    in_the_background(&account, &keys, random.clone(), &stop);
    let service = AuthServiceServer::new(grpc::AuthGrpc {
        auth,
        account,
        counts,
        verifier,
        keys,
        gateways: ServiceTokenVerifier::new(&config.gateway_key, NAME, clock.clone()),
        trusted_proxies: config.trusted_proxies,
        turns: grpc::turns(),
    })
    .max_decoding_message_size(kit::grpc::MAX_MESSAGE);
    let (others, services) = sandbox(sending.sandbox.clone(), clock);
    let server = GrpcServer {
        listener,
        tls: config.tls,
        services,
        health: Health::new(SERVICES, dependencies, stop.closing.clone()),
        cors: config.cors,
        random,
        requests: Requests::grpc(&config.metrics, NAME),
        stop,
    };
    let served = server.serve(service, others).await;
    sending.end().await;
    served?;
    database.close().await;
    Ok(())
}

/// Tells the log what becomes of codes, and what their messages cost.
fn say_what_is_sent(config: &Config, now: UnixMillis) {
    config.texts.log(config.challenge_rules.lifetime);
    config.test_numbers.log(now);
}

/// The sandbox where it has something to show, and the names of all services for
/// reflection.
fn sandbox(
    outbox: Option<Arc<Outbox>>,
    clock: Arc<dyn Clock>,
) -> (Routes, &'static [&'static str]) {
    let Some(outbox) = outbox else {
        return (Routes::default(), SERVICES);
    };
    let sandbox = SandboxServiceServer::new(SandboxGrpc { outbox, clock })
        .max_decoding_message_size(kit::grpc::MAX_MESSAGE);
    (Routes::new(sandbox), SERVICES_AND_SANDBOX)
}

/// What goes on beside the calls, until the end.
fn in_the_background(
    account: &Arc<Account>,
    keys: &Arc<KeyRing>,
    random: Arc<dyn Random>,
    stop: &Stop,
) {
    let upkeep = upkeep::keep_up(account.clone(), random, stop.ending.clone());
    tokio::spawn(upkeep);
    let (watched, until) = (keys.clone(), stop.ending.clone());
    tokio::spawn(async move { watched.watch(until).await });
}

/// The way to profile-service.
fn profiles(config: &Config, clock: Arc<dyn Clock>) -> Profiles {
    let key = &config.service_key;
    let signer = ServiceTokenSigner::new(key, NAME, profiles::SERVICE, clock);
    Profiles::new(peer::counted_channel(
        NAME,
        profiles::SERVICE,
        &config.profile_url,
        Outgoing::signed(signer),
        &config.metrics,
    ))
}
