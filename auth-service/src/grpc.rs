//! The calls: each is parsed, handed to the rules, and answered.

use std::{net::IpAddr, sync::Arc};

use kit::{
    client_address::{PeerAddress, TrustedProxies, canonical},
    service_token::ServiceTokenVerifier,
};
use proto::auth::v1::{
    GetJwksRequest, GetJwksResponse, RequestCodeRequest, RequestCodeResponse, VerifyCodeRequest,
    VerifyCodeResponse, auth_service_server::AuthService,
};
use tonic::{Request, Response, Status};

use crate::{
    auth::{Answer, Auth},
    challenges::{Carrier, ChallengeId},
    error::Error,
    signing_keys::SigningKeys,
};

/// The longest invite code that is passed on; a longer one is nobody's.
const MAX_INVITE_CODE: usize = 64;

/// `auth.v1.AuthService`.
pub(crate) struct AuthGrpc {
    pub(crate) auth: Auth,
    pub(crate) keys: Arc<SigningKeys>,
    pub(crate) gateways: ServiceTokenVerifier,
    pub(crate) trusted_proxies: TrustedProxies,
}

/// Who calls.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Caller {
    /// A service, which may speak for a client.
    Service,
    /// A client, which speaks for itself.
    Client,
}

impl AuthGrpc {
    fn caller<T>(&self, request: &Request<T>) -> Result<Caller, Status> {
        let service = self.gateways.check(request.metadata())?;
        Ok(match service {
            Some(_) => Caller::Service,
            None => Caller::Client,
        })
    }

    /// The client's address: what a service says it is, else the caller's own.
    fn client_address<T>(
        &self,
        request: &Request<T>,
        caller: Caller,
        named: Option<&str>,
    ) -> Result<IpAddr, Error> {
        match (named, caller) {
            (Some(_), Caller::Client) => {
                Err(Error::ServiceTokenRequired("name a client's address"))
            }
            (Some(named), Caller::Service) => {
                named
                    .parse()
                    .map(canonical)
                    .map_err(|_| Error::FieldInvalid {
                        field: "client_address",
                        problem: "is no IP address",
                    })
            }
            (None, _) => {
                let peer = PeerAddress::of(request.extensions());
                let headers = request.metadata().as_ref();
                Ok(self.trusted_proxies.client_address(peer, headers))
            }
        }
    }
}

/// How the request says which challenge it answers. `None` for a name that no
/// challenge can have, with nothing to fall back to.
fn carrier(request: &VerifyCodeRequest, caller: Caller) -> Result<Option<Carrier>, Error> {
    let named = request.challenge_id.as_deref();
    let bare = named.is_none() || request.fall_back_to_address;
    if bare && caller == Caller::Client {
        return Err(Error::ServiceTokenRequired(
            "leave out challenge_id or fall back to an address",
        ));
    }
    let id = named.and_then(ChallengeId::parse);
    Ok(match (id, bare) {
        (Some(id), true) => Some(Carrier::Cookie(id)),
        (Some(id), false) => Some(Carrier::Id(id)),
        (None, true) => Some(Carrier::Bare),
        (None, false) => None,
    })
}

#[tonic::async_trait]
impl AuthService for AuthGrpc {
    async fn request_code(
        &self,
        request: Request<RequestCodeRequest>,
    ) -> Result<Response<RequestCodeResponse>, Status> {
        let caller = self.caller(&request)?;
        let named = request.get_ref().client_address.as_deref();
        let client = self.client_address(&request, caller, named)?;
        let message = request.into_inner();
        let invited_by = message
            .invited_by
            .filter(|code| (1..=MAX_INVITE_CODE).contains(&code.len()));
        let requested = self
            .auth
            .request_code(&message.phone_number, invited_by, client)
            .await?;
        let lifetime = self.auth.challenges.rules().lifetime;
        Ok(Response::new(RequestCodeResponse {
            challenge_id: requested.challenge_id.to_string(),
            expires_at: Some(requested.expires_at.into()),
            code_length: u32::try_from(requested.code_length).unwrap_or(u32::MAX),
            simulated_code: requested
                .simulated_code
                .map(|code| code.digits().to_owned()),
            lifetime_seconds: u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX),
            resend_after_seconds: 0,
        }))
    }

    async fn verify_code(
        &self,
        request: Request<VerifyCodeRequest>,
    ) -> Result<Response<VerifyCodeResponse>, Status> {
        let caller = self.caller(&request)?;
        let named = request.get_ref().client_address.as_deref();
        let client = self.client_address(&request, caller, named)?;
        let carrier = carrier(request.get_ref(), caller)?;
        let message = request.into_inner();
        let sign_in = self
            .auth
            .verify_code(Answer {
                code: message.code,
                carrier,
                client,
                user_agent: message.user_agent.unwrap_or_default(),
            })
            .await?;
        Ok(Response::new(VerifyCodeResponse {
            access_token: sign_in.access.text,
            refresh_token: sign_in.refresh,
            access_token_expires_at: Some(sign_in.access.expires_at.into()),
            user_id: sign_in.user_id.to_string(),
            new_user: sign_in.new_user,
        }))
    }

    async fn get_jwks(
        &self,
        _: Request<GetJwksRequest>,
    ) -> Result<Response<GetJwksResponse>, Status> {
        let keys = self.keys.jwks().to_vec();
        Ok(Response::new(GetJwksResponse { keys }))
    }
}
