//! What machines ask: whether the gateway is up, whether all behind it is, and
//! the public keys.

use axum::{
    extract::State,
    http::StatusCode,
    response::Response,
    routing::{MethodRouter, get},
};
use proto::{
    Reason,
    auth::v1::{GetJwksRequest, Jwk},
};
use serde::Serialize;

use crate::{answer, problem::Problem, readiness, services::Services};

/// What `/livez` does.
pub(crate) fn livez_methods() -> MethodRouter<Services> {
    get(livez)
}

/// What `/readyz` does.
pub(crate) fn readyz_methods() -> MethodRouter<Services> {
    get(readyz)
}

/// What `/.well-known/jwks.json` does.
pub(crate) fn jwks_methods() -> MethodRouter<Services> {
    get(jwks)
}

async fn livez() -> Response {
    answer::said(StatusCode::OK, "ok")
}

async fn readyz(State(services): State<Services>) -> Result<Response, Problem> {
    let complaints = readiness::complaints(&services).await;
    if complaints.is_empty() {
        return Ok(answer::said(StatusCode::OK, "ready"));
    }
    Err(Problem::new(
        Reason::DependencyUnavailable,
        complaints.join("; "),
    ))
}

async fn jwks(State(services): State<Services>) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Key {
        kty: String,
        crv: String,
        kid: String,
        x: String,
        alg: String,
        #[serde(rename = "use")]
        purpose: String,
    }
    #[derive(Serialize)]
    struct KeySet {
        keys: Vec<Key>,
    }

    let mut auth = services.auth;
    let published = auth.get_jwks(GetJwksRequest {}).await?.into_inner().keys;
    let key = |key: Jwk| Key {
        kty: key.kty,
        crv: key.crv,
        kid: key.kid,
        x: key.x,
        alg: key.alg,
        purpose: key.r#use,
    };
    let keys = published.into_iter().map(key).collect();
    Ok(answer::json(StatusCode::OK, &KeySet { keys }))
}
