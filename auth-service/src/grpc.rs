//! The calls: each is parsed, handed to the rules, and answered.

use std::{net::IpAddr, sync::Arc, time::Duration};

use kit::{
    access_token::AccessTokenVerifier,
    client_address::{PeerAddress, TrustedProxies, canonical},
    service_token::ServiceTokenVerifier,
    turns::Turns,
    wait::{NotBefore, handed_over},
};
use proto::auth::v1::{
    DeleteUserRequest, DeleteUserResponse, GetJwksRequest, GetJwksResponse, ListSessionsRequest,
    ListSessionsResponse, RefreshTokensRequest, RefreshTokensResponse, RequestCodeRequest,
    RequestCodeResponse, RevokeSessionRequest, RevokeSessionResponse, Session, SignOutRequest,
    SignOutResponse, VerifyCodeRequest, VerifyCodeResponse, auth_service_server::AuthService,
};
use tokio::time::Instant;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::{
    account::Account,
    auth::{Answer, Auth, CodeRequest},
    challenges::{Carrier, ChallengeId},
    counts::Counts,
    error::Error,
    key_ring::KeyRing,
    sessions,
};

/// The longest invite code that is passed on; a longer one is nobody's.
const MAX_INVITE_CODE: usize = 64;

/// Starts at once: enough to keep the processors and Redis busy, which may not answer.
pub(crate) const fn turns() -> Turns {
    Turns::new(128, Duration::from_secs(2))
}

/// `auth.v1.AuthService`.
pub(crate) struct AuthGrpc {
    pub(crate) auth: Auth,
    pub(crate) account: Arc<Account>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) verifier: AccessTokenVerifier,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) gateways: ServiceTokenVerifier,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) turns: Turns,
}

/// Who holds the answer back until the delivery is over, which is imitated.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waits {
    /// The caller, a service that has offered it.
    Caller,
    /// This process. A client's word is not relied on.
    Here,
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

    /// What is asked for, and who waits; nothing else of the request is kept.
    fn code_request(
        &self,
        request: Request<RequestCodeRequest>,
    ) -> Result<(CodeRequest, Waits), Status> {
        let caller = self.caller(&request)?;
        let waits = match caller {
            Caller::Service if handed_over::is_offered(request.metadata()) => Waits::Caller,
            Caller::Service | Caller::Client => Waits::Here,
        };
        let named = request.get_ref().client_address.as_deref();
        let client = self.client_address(&request, caller, named)?;
        let message = request.into_inner();
        let invited_by = message
            .invited_by
            .filter(|code| (1..=MAX_INVITE_CODE).contains(&code.len()));
        let asked = CodeRequest {
            phone: message.phone_number,
            invited_by,
            client,
            language: message.language,
        };
        Ok((asked, waits))
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
        let (asked, waits) = self.code_request(request)?;
        let turn = self.turns.next().await;
        // On the heap, and gone with the turn.
        let requested = Box::pin(self.auth.request_code(asked)).await;
        drop(turn);
        self.counts.code_requested(requested.as_ref());
        let requested = requested?;
        let rules = self.auth.challenges.rules();
        let seconds = |span: Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
        let delivery = requested.delivery;
        let mut response = Response::new(RequestCodeResponse {
            challenge_id: requested.challenge_id.to_string(),
            expires_at: Some(requested.expires_at.into()),
            code_length: u32::try_from(requested.code_length).unwrap_or(u32::MAX),
            simulated_code: requested
                .simulated_code
                .map(|code| code.digits().to_owned()),
            lifetime_seconds: seconds(rules.lifetime),
            resend_after_seconds: seconds(requested.resend_after),
        });
        match waits {
            _ if delivery.is_zero() => {}
            Waits::Caller => handed_over::hand_over(response.metadata_mut(), delivery),
            Waits::Here => {
                let delivered = NotBefore(Instant::now() + delivery);
                response.extensions_mut().insert(delivered);
            }
        }
        Ok(response)
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
            .await;
        self.counts.code_entered(sign_in.as_ref());
        let sign_in = sign_in?;
        Ok(Response::new(VerifyCodeResponse {
            access_token: sign_in.access.text,
            refresh_token: sign_in.refresh.to_text(),
            access_token_expires_at: Some(sign_in.access.expires_at.into()),
            user_id: sign_in.user_id.to_string(),
            new_user: sign_in.new_user,
        }))
    }

    async fn refresh_tokens(
        &self,
        request: Request<RefreshTokensRequest>,
    ) -> Result<Response<RefreshTokensResponse>, Status> {
        let refreshed = self.account.refresh(&request.get_ref().refresh_token).await;
        self.counts.refreshed(refreshed.as_ref());
        let refreshed = refreshed?;
        Ok(Response::new(RefreshTokensResponse {
            access_token: refreshed.access.text,
            refresh_token: refreshed.refresh.to_text(),
            access_token_expires_at: Some(refreshed.access.expires_at.into()),
        }))
    }

    async fn sign_out(
        &self,
        request: Request<SignOutRequest>,
    ) -> Result<Response<SignOutResponse>, Status> {
        let caller = self.verifier.caller(request.metadata()).await?;
        if request.get_ref().all() {
            self.account.sign_out_everywhere(&caller).await?;
        } else {
            self.account.sign_out(&caller).await?;
        }
        Ok(Response::new(SignOutResponse {}))
    }

    async fn list_sessions(
        &self,
        request: Request<ListSessionsRequest>,
    ) -> Result<Response<ListSessionsResponse>, Status> {
        let caller = self.verifier.caller(request.metadata()).await?;
        let sessions = self.account.list(&caller).await?;
        let as_message = |session: sessions::Session| Session {
            current: session.session_id == caller.sid,
            session_id: session.session_id.to_string(),
            created_at: Some(session.created_at.into()),
            last_used_at: Some(session.last_used_at.into()),
            user_agent: session.user_agent,
            client_address: session.client_address,
        };
        Ok(Response::new(ListSessionsResponse {
            sessions: sessions.into_iter().map(as_message).collect(),
        }))
    }

    async fn revoke_session(
        &self,
        request: Request<RevokeSessionRequest>,
    ) -> Result<Response<RevokeSessionResponse>, Status> {
        let caller = self.verifier.caller(request.metadata()).await?;
        let session_id =
            Uuid::parse_str(&request.get_ref().session_id).map_err(|_| Error::SessionNotFound)?;
        self.account.revoke(&caller, session_id).await?;
        Ok(Response::new(RevokeSessionResponse {}))
    }

    async fn delete_user(
        &self,
        request: Request<DeleteUserRequest>,
    ) -> Result<Response<DeleteUserResponse>, Status> {
        let caller = self.verifier.caller(request.metadata()).await?;
        self.account.erase(&caller).await?;
        Ok(Response::new(DeleteUserResponse {}))
    }

    async fn get_jwks(
        &self,
        _: Request<GetJwksRequest>,
    ) -> Result<Response<GetJwksResponse>, Status> {
        let keys = self.keys.current().jwks().to_vec();
        Ok(Response::new(GetJwksResponse { keys }))
    }
}
