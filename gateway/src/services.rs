//! The services behind the gateway.

use std::{ops::Deref, sync::Arc, time::Duration};

use kit::{
    client::{Outgoing, ServiceChannel, ServiceUrls, counted_channel},
    client_address::TrustedProxies,
    clock::Clock,
    metrics::Metrics,
    service_token::ServiceTokenSigner,
    turns::Turns,
};
use proto::{
    auth::v1::{
        auth_service_client::AuthServiceClient, sandbox_service_client::SandboxServiceClient,
    },
    profile::v1::profile_service_client::ProfileServiceClient,
};
use tonic_health::pb::health_client::HealthClient;

use crate::config::Config;

/// The gateway itself, as callees and metrics name it.
pub(crate) const GATEWAY: &str = "gateway";
/// auth-service, as callees and log lines name it.
pub(crate) const AUTH: &str = "auth-service";
/// profile-service, as callees and log lines name it.
pub(crate) const PROFILE: &str = "profile-service";

/// Codes that are asked for at once: several auth-services have enough to do with them,
/// and what waits there and on the way holds more than what waits here. None of them may
/// answer, so nobody waits for a third of his time.
const CODES_AT_ONCE: usize = 256;
const PATIENCE: Duration = Duration::from_secs(5);

/// What every route has at hand. Cloning is cheap: clones share connections.
#[derive(Clone)]
pub(crate) struct Services(Arc<Shared>);

/// What they share.
pub(crate) struct Shared {
    /// Calls auth-service, as the gateway.
    pub(crate) auth: AuthServiceClient<ServiceChannel>,
    /// Whose turn it is to ask auth-service for a code.
    pub(crate) code_turns: Turns,
    /// Asks auth-service what it would have sent.
    pub(crate) sandbox: SandboxServiceClient<ServiceChannel>,
    /// Asks auth-service for its health.
    pub(crate) auth_health: HealthClient<ServiceChannel>,
    /// Calls profile-service, as nobody: the user's own token speaks there.
    pub(crate) profile: ProfileServiceClient<ServiceChannel>,
    /// Asks profile-service for its health.
    pub(crate) profile_health: HealthClient<ServiceChannel>,
    /// The proxies whose `X-Forwarded-For` counts.
    pub(crate) trusted_proxies: TrustedProxies,
    /// Whether clients come by TLS.
    pub(crate) over_tls: bool,
    /// What `/metrics` tells, where it is one of the paths.
    pub(crate) metrics: Option<Metrics>,
}

impl Services {
    /// Connects to nothing yet: the first call does.
    pub(crate) fn new(config: &Config, clock: Arc<dyn Clock>) -> Self {
        let signer = ServiceTokenSigner::new(&config.key, GATEWAY, AUTH, clock);
        let channel = |service, urls: &ServiceUrls, outgoing| {
            counted_channel(GATEWAY, service, urls, outgoing, &config.metrics)
        };
        let auth = channel(AUTH, &config.auth, Outgoing::signed(signer));
        let profile = channel(PROFILE, &config.profile, Outgoing::default());
        Self(Arc::new(Shared {
            auth: AuthServiceClient::new(auth.clone()),
            code_turns: Turns::new(CODES_AT_ONCE, PATIENCE),
            sandbox: SandboxServiceClient::new(auth.clone()),
            auth_health: HealthClient::new(auth),
            profile: ProfileServiceClient::new(profile.clone()),
            profile_health: HealthClient::new(profile),
            trusted_proxies: config.trusted_proxies.clone(),
            over_tls: config.over_tls,
            metrics: config
                .metrics_listen
                .is_none()
                .then(|| config.metrics.clone()),
        }))
    }
}

impl Deref for Services {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
