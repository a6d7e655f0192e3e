//! `/api/v1/auths/refresh/`: a refresh token for a new pair of tokens.

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
    routing::{MethodRouter, post},
};
use proto::{Reason, auth::v1::RefreshTokensRequest};
use serde::Serialize;

use crate::{answer, body::Object, problem::Problem, services::Services};

/// The path where tokens are refreshed.
pub(crate) const REFRESH: &str = "/api/v1/auths/refresh";
/// The longest refresh token that is passed on, in bytes. The real ones are
/// far shorter.
const REFRESH_TOKEN_LIMIT: usize = 4 * 1024;

/// A pair of tokens, as a sign-in and a refresh answer it.
#[derive(Serialize)]
pub(crate) struct Pair {
    pub(crate) access_token: String,
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

async fn refresh(State(services): State<Services>, request: Request) -> Result<Response, Problem> {
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
