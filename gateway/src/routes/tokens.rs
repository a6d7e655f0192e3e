//! `/api/v1/auths/refresh/`: a refresh token for a new pair of tokens.

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
    routing::{MethodRouter, post},
};
use proto::{Reason, auth::v1::RefreshTokensRequest};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer,
    body::Object,
    openapi::refusals::{ANY, BODY, SERVICE, refused},
    problem::Problem,
    services::Services,
};

/// The path where tokens are refreshed.
pub(crate) const REFRESH: &str = "/api/v1/auths/refresh";
/// The longest refresh token that is passed on, in bytes. The real ones are
/// far shorter.
const REFRESH_TOKEN_LIMIT: usize = 4 * 1024;

/// A pair of tokens, as a sign-in and a refresh answer it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Pair {
    /// Says who the user is, in `Authorization: Bearer …`: a JWT for ten minutes,
    /// which any service can verify by the public keys.
    pub(crate) access_token: String,
    /// Good for one refresh.
    pub(crate) refresh_token: String,
}

impl Pair {
    /// The answer that hands it over.
    pub(crate) fn into_answer(self) -> Response {
        answer::unstored(answer::json(StatusCode::OK, &self))
    }
}

/// What the path does.
pub(crate) fn refresh_methods() -> MethodRouter<Services> {
    post(refresh)
}

/// A refresh token.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes the body, whose key is read by hand")]
struct Refresh {
    /// The newest one of the session.
    #[schema(example = "refresh token")]
    refresh_token: String,
}

refused!(
    /// By the token.
    RefreshRefused: ANY, BODY, SERVICE, &[Reason::TokenInvalid, Reason::SessionEnded]
);

/// New tokens for a refresh token
///
/// The old refresh token is spent by it. Sent again within 30 seconds, before its
/// successor was used, it gets the same successor: an answer may be lost. Any other
/// use of a spent one ends the session.
#[utoipa::path(
    post,
    path = "/api/v1/auths/refresh/",
    operation_id = "refresh_tokens",
    tag = "Sign-in",
    request_body = Refresh,
    responses(
        (status = 200, description = "The new pair.", body = Pair,
            example = json!({"access_token": "access token", "refresh_token": "refresh token"})),
        RefreshRefused,
    ),
)]
pub(crate) async fn refresh(
    State(services): State<Services>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let body = Object::read(&head.headers, body).await?;
    let refresh_token = body.text("refresh_token")?.to_owned();
    Ok(renewed(&services, refresh_token).await?.into_answer())
}

/// The pair that a refresh token buys.
pub(crate) async fn renewed(services: &Services, refresh_token: String) -> Result<Pair, Problem> {
    if refresh_token.len() > REFRESH_TOKEN_LIMIT {
        return Err(Problem::new(
            Reason::TokenInvalid,
            "the refresh token is not valid",
        ));
    }
    let mut auth = services.auth.clone();
    let message = RefreshTokensRequest { refresh_token };
    let refreshed = auth.refresh_tokens(message).await?.into_inner();
    Ok(Pair {
        access_token: refreshed.access_token,
        refresh_token: refreshed.refresh_token,
    })
}
