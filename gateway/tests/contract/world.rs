//! The gateway in front of two services that answer by script.

mod scripted;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use gateway::Config;
use kit::{
    clock::SystemClock,
    cors::CorsOrigins,
    grpc::GrpcServer,
    health::{Dependency, Health},
    metrics::{Metrics, requests::Requests},
    random::SystemRandom,
    service_token::ServiceTokenVerifier,
    settings::SecretKey,
};
use proto::{
    auth::v1::{
        auth_service_server::AuthServiceServer, sandbox_service_server::SandboxServiceServer, *,
    },
    profile::v1::{profile_service_server::ProfileServiceServer, *},
};
use tokio::net::TcpListener;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Status, body::Body, server::NamedService, service::Routes};
use tower::Service;

use crate::http::{self, Answer};
use scripted::Scripted;

/// auth-service.
#[derive(Default)]
pub(crate) struct Auth {
    pub(crate) request_code: Scripted<RequestCodeRequest, RequestCodeResponse>,
    pub(crate) verify_code: Scripted<VerifyCodeRequest, VerifyCodeResponse>,
    pub(crate) refresh_tokens: Scripted<RefreshTokensRequest, RefreshTokensResponse>,
    pub(crate) sign_out: Scripted<SignOutRequest, SignOutResponse>,
    pub(crate) list_sessions: Scripted<ListSessionsRequest, ListSessionsResponse>,
    pub(crate) revoke_session: Scripted<RevokeSessionRequest, RevokeSessionResponse>,
    pub(crate) delete_user: Scripted<DeleteUserRequest, DeleteUserResponse>,
    pub(crate) get_jwks: Scripted<GetJwksRequest, GetJwksResponse>,
    pub(crate) list_messages: Scripted<ListMessagesRequest, ListMessagesResponse>,
    pub(crate) challenges: Switch,
}

/// profile-service.
#[derive(Default)]
pub(crate) struct Profile {
    pub(crate) get: Scripted<GetProfileRequest, GetProfileResponse>,
    pub(crate) activate_invite: Scripted<ActivateInviteRequest, ActivateInviteResponse>,
    pub(crate) list_followers: Scripted<ListFollowersRequest, ListFollowersResponse>,
    pub(crate) database: Switch,
}

/// How auth-service delivers codes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Not at all, and shows what it would have sent.
    Simulated,
    /// By a provider.
    Real,
}

/// A store that can be broken.
#[derive(Clone, Default)]
pub(crate) struct Switch(Arc<AtomicBool>);

impl Switch {
    /// Breaks the store.
    pub(crate) fn breaks(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[async_trait]
impl Dependency for Switch {
    async fn ping(&self) -> anyhow::Result<()> {
        anyhow::ensure!(!self.0.load(Ordering::SeqCst), "broken by the test");
        Ok(())
    }
}

struct Shared<T>(Arc<T>);

#[tonic::async_trait]
impl auth_service_server::AuthService for Shared<Auth> {
    async fn request_code(
        &self,
        request: Request<RequestCodeRequest>,
    ) -> Result<Response<RequestCodeResponse>, Status> {
        self.0.request_code.take(request)
    }

    async fn verify_code(
        &self,
        request: Request<VerifyCodeRequest>,
    ) -> Result<Response<VerifyCodeResponse>, Status> {
        self.0.verify_code.take(request)
    }

    async fn refresh_tokens(
        &self,
        request: Request<RefreshTokensRequest>,
    ) -> Result<Response<RefreshTokensResponse>, Status> {
        self.0.refresh_tokens.take(request)
    }

    async fn sign_out(
        &self,
        request: Request<SignOutRequest>,
    ) -> Result<Response<SignOutResponse>, Status> {
        self.0.sign_out.take(request)
    }

    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        self.0.list_sessions.take(request)
    }

    async fn revoke_session(
        &self,
        request: Request<RevokeSessionRequest>,
    ) -> Result<Response<RevokeSessionResponse>, Status> {
        self.0.revoke_session.take(request)
    }

    async fn delete_user(
        &self,
        request: Request<DeleteUserRequest>,
    ) -> Result<Response<DeleteUserResponse>, Status> {
        self.0.delete_user.take(request)
    }

    async fn get_jwks(
        &self,
        request: Request<GetJwksRequest>,
    ) -> Result<Response<GetJwksResponse>, Status> {
        self.0.get_jwks.take(request)
    }
}

#[tonic::async_trait]
impl sandbox_service_server::SandboxService for Shared<Auth> {
    async fn list_messages(
        &self,
        request: Request<ListMessagesRequest>,
    ) -> Result<Response<ListMessagesResponse>, Status> {
        self.0.list_messages.take(request)
    }
}

#[tonic::async_trait]
impl profile_service_server::ProfileService for Shared<Profile> {
    async fn get_profile(
        &self,
        request: Request<GetProfileRequest>,
    ) -> Result<Response<GetProfileResponse>, Status> {
        self.0.get.take(request)
    }

    async fn activate_invite(
        &self,
        request: Request<ActivateInviteRequest>,
    ) -> Result<Response<ActivateInviteResponse>, Status> {
        self.0.activate_invite.take(request)
    }

    async fn list_followers(
        &self,
        request: Request<ListFollowersRequest>,
    ) -> Result<Response<ListFollowersResponse>, Status> {
        self.0.list_followers.take(request)
    }
}

/// Everything, until it is dropped.
pub(crate) struct World {
    pub(crate) gateway: SocketAddr,
    pub(crate) auth: Arc<Auth>,
    pub(crate) profile: Arc<Profile>,
    _stop: DropGuard,
}

impl World {
    /// A gateway as it is by default, on a port of its own.
    pub(crate) async fn start() -> Self {
        Self::configured(|_| {}).await
    }

    /// A gateway with other settings.
    pub(crate) async fn configured(change: impl FnOnce(&mut Config)) -> Self {
        Self::before(Delivery::Simulated, change).await
    }

    /// A gateway before an auth-service that really sends messages, or does not.
    pub(crate) async fn before(delivery: Delivery, change: impl FnOnce(&mut Config)) -> Self {
        kit::crypto::install();
        let stop = CancellationToken::new();
        let auth = Arc::<Auth>::default();
        auth.list_messages.answers(ListMessagesResponse::default());
        let profile = Arc::<Profile>::default();
        let mut beside_auth = Routes::default();
        if delivery == Delivery::Simulated {
            let sandbox = SandboxServiceServer::new(Shared(auth.clone()));
            beside_auth = beside_auth.add_service(sandbox);
        }
        let auth_address = serve(
            &["auth.v1.AuthService"],
            vec![
                ("database", Arc::new(Switch::default())),
                ("challenges", Arc::new(auth.challenges.clone())),
            ],
            (AuthServiceServer::new(Shared(auth.clone())), beside_auth),
            &stop,
        );
        let profile_address = serve(
            &["profile.v1.ProfileService"],
            vec![("database", Arc::new(profile.database.clone()))],
            (
                ProfileServiceServer::new(Shared(profile.clone())),
                Routes::default(),
            ),
            &stop,
        );
        let mut config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            auth: format!("http://{}", auth_address.await).parse().unwrap(),
            profile: format!("http://{}", profile_address.await).parse().unwrap(),
            key: key(),
            trusted_proxies: "".parse().unwrap(),
            cors: CorsOrigins::Any,
            tls: None,
            over_tls: false,
            metrics: Metrics::of_process(),
            metrics_listen: None,
        };
        change(&mut config);
        let listener = TcpListener::bind(config.listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(gateway::serve(config, listener, stop.clone().into()));
        Self {
            gateway: address,
            auth,
            profile,
            _stop: stop.drop_guard(),
        }
    }

    /// Sends a request, `line` being its method and target.
    pub(crate) async fn send(&self, line: &str, headers: &[(&str, &str)]) -> Answer {
        http::send(self.gateway, line, headers, None).await
    }

    /// Sends a request with a JSON body.
    pub(crate) async fn send_json(
        &self,
        line: &str,
        headers: &[(&str, &str)],
        body: impl AsRef<[u8]>,
    ) -> Answer {
        http::send(self.gateway, line, headers, Some(body.as_ref())).await
    }
}

/// Checks the service token of the gateway.
pub(crate) fn verifier() -> ServiceTokenVerifier {
    ServiceTokenVerifier::new(&key(), "auth-service", Arc::new(SystemClock))
}

fn key() -> SecretKey {
    SecretKey::new([1; 32])
}

async fn serve<S>(
    services: &'static [&'static str],
    stores: Vec<(&'static str, Arc<dyn Dependency>)>,
    (service, others): (S, Routes),
    stop: &CancellationToken,
) -> SocketAddr
where
    S: Service<
            axum::http::Request<Body>,
            Response = axum::http::Response<Body>,
            Error = Infallible,
        > + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = GrpcServer {
        listener,
        tls: None,
        services,
        health: Health::new(services, stores, stop.clone()),
        cors: CorsOrigins::List(vec![]),
        random: Arc::new(SystemRandom::default()),
        requests: Requests::grpc(&Metrics::default(), "a service"),
        stop: stop.clone().into(),
    };
    tokio::spawn(server.serve(service, others));
    address
}
