//! The contract's services: fixed answers, or those of the stores with nothing
//! around them.

use proto::{
    auth::v1::{
        DeleteUserRequest, DeleteUserResponse, GetJwksRequest, GetJwksResponse,
        ListSessionsRequest, ListSessionsResponse, RefreshTokensRequest, RefreshTokensResponse,
        RequestCodeRequest, RequestCodeResponse, RevokeSessionRequest, RevokeSessionResponse,
        SignOutRequest, SignOutResponse, VerifyCodeRequest, VerifyCodeResponse,
        auth_service_server::AuthService,
    },
    profile::v1::{
        ActivateInviteRequest, ActivateInviteResponse, GetProfileRequest, GetProfileResponse,
        ListFollowersRequest, ListFollowersResponse, profile_service_server::ProfileService,
    },
};
use tonic::{Request, Response, Status};

use std::sync::Arc;

use super::{
    server::{ACCESS_TOKEN, REFRESH_TOKEN},
    way::Way,
};

const USER_ID: &str = "0198c5a0-0000-7000-8000-000000000000";

/// Knows two answers; with something behind it, the whole way.
#[derive(Clone)]
pub(super) struct Calls(pub(super) Option<Arc<Way>>);

type Answer<T> = Result<Response<T>, Status>;

fn not_here<T>() -> Answer<T> {
    Err(Status::unimplemented("nobody asks for it here"))
}

#[tonic::async_trait]
impl AuthService for Calls {
    async fn verify_code(&self, request: Request<VerifyCodeRequest>) -> Answer<VerifyCodeResponse> {
        if let Some(way) = &self.0 {
            way.sign_in(request.into_inner()).await?;
        }
        Ok(Response::new(VerifyCodeResponse {
            access_token: "a".repeat(ACCESS_TOKEN),
            refresh_token: "r".repeat(REFRESH_TOKEN),
            access_token_expires_at: None,
            user_id: USER_ID.to_owned(),
            new_user: false,
        }))
    }

    async fn request_code(
        &self,
        request: Request<RequestCodeRequest>,
    ) -> Answer<RequestCodeResponse> {
        match &self.0 {
            Some(way) => Ok(Response::new(way.ask(request.into_inner()).await?)),
            None => not_here(),
        }
    }

    async fn refresh_tokens(
        &self,
        _: Request<RefreshTokensRequest>,
    ) -> Answer<RefreshTokensResponse> {
        not_here()
    }

    async fn sign_out(&self, _: Request<SignOutRequest>) -> Answer<SignOutResponse> {
        not_here()
    }

    async fn list_sessions(&self, _: Request<ListSessionsRequest>) -> Answer<ListSessionsResponse> {
        not_here()
    }

    async fn revoke_session(
        &self,
        _: Request<RevokeSessionRequest>,
    ) -> Answer<RevokeSessionResponse> {
        not_here()
    }

    async fn delete_user(&self, _: Request<DeleteUserRequest>) -> Answer<DeleteUserResponse> {
        not_here()
    }

    async fn get_jwks(&self, _: Request<GetJwksRequest>) -> Answer<GetJwksResponse> {
        not_here()
    }
}

#[tonic::async_trait]
impl ProfileService for Calls {
    /// As many followers as the page has.
    async fn get_profile(&self, request: Request<GetProfileRequest>) -> Answer<GetProfileResponse> {
        let followers = request.get_ref().followers_page_size.unwrap_or(0);
        if let Some(way) = &self.0 {
            way.profile(followers).await?;
        }
        Ok(Response::new(GetProfileResponse {
            user_id: USER_ID.to_owned(),
            phone_number: "+77777777766".to_owned(),
            invite_code: "l87zwp".to_owned(),
            followers: (0..followers).map(|_| "+77777777766".to_owned()).collect(),
            ..Default::default()
        }))
    }

    async fn activate_invite(
        &self,
        _: Request<ActivateInviteRequest>,
    ) -> Answer<ActivateInviteResponse> {
        not_here()
    }

    async fn list_followers(
        &self,
        _: Request<ListFollowersRequest>,
    ) -> Answer<ListFollowersResponse> {
        not_here()
    }
}
