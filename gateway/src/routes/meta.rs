//! What machines ask: whether the gateway is up, whether all behind it is, what
//! was counted, and the public keys.

use axum::{
    body::Body,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::Response,
    routing::{MethodRouter, get},
};
use kit::metrics;
use proto::{
    Reason,
    auth::v1::{GetJwksRequest, Jwk},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::{self, Said},
    openapi::refusals::{ANY, SERVICE, refused},
    problem::Problem,
    readiness,
    services::Services,
};

/// Where Prometheus looks.
pub(crate) const METRICS: &str = "/metrics";

/// What `/metrics` does.
pub(crate) fn metrics_methods() -> MethodRouter<Services> {
    get(metrics)
}

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

refused!(
    /// By the method alone: it is answered also when nothing else is.
    LivezRefused: &[Reason::MethodNotAllowed]
);

/// Whether the gateway lives
///
/// For whoever restarts it. It says nothing of the services behind it.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "For machines",
    responses(
        (status = 200, description = "It does.", body = Said, example = json!({"response": "ok"})),
        LivezRefused,
    ),
)]
pub(crate) async fn livez() -> Response {
    answer::said(StatusCode::OK, "ok")
}

refused!(
    /// While something that is needed cannot be used.
    ReadyzRefused: &[Reason::MethodNotAllowed, Reason::DeadlineExceeded], SERVICE
);

/// Whether everything can be used
///
/// For whoever sends requests here: the services, and their stores. The 503 says
/// which of them cannot be used.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "For machines",
    responses(
        (status = 200, description = "It can.", body = Said, example = json!({"response": "ready"})),
        ReadyzRefused,
    ),
)]
pub(crate) async fn readyz(State(services): State<Services>) -> Result<Response, Problem> {
    let complaints = readiness::complaints(&services).await;
    if complaints.is_empty() {
        return Ok(answer::said(StatusCode::OK, "ready"));
    }
    Err(Problem::new(
        Reason::DependencyUnavailable,
        complaints.join("; "),
    ))
}

refused!(
    /// By the method; or by a gateway that tells its metrics on another listener.
    MetricsRefused: &[
        Reason::MethodNotAllowed,
        Reason::PathNotFound,
        Reason::DeadlineExceeded
    ]
);

/// What the process has counted
///
/// For Prometheus, in its text format; docs/metrics.md has a list. With
/// `METRICS_LISTEN` set, it is there instead, and not here.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "get_metrics",
    tag = "For machines",
    responses(
        (status = 200, description = "The metrics.", content_type = "text/plain", body = String),
        MetricsRefused,
    ),
)]
pub(crate) async fn metrics(State(services): State<Services>) -> Result<Response, Problem> {
    let metrics = services.metrics.as_ref();
    let metrics = metrics.ok_or_else(Problem::path_not_found)?;
    let mut response = Response::new(Body::from(metrics.render()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, metrics::CONTENT_TYPE);
    Ok(response)
}

/// A public key (RFC 7517, RFC 8037).
#[derive(Serialize, ToSchema)]
struct Key {
    #[schema(example = "OKP")]
    kty: String,
    #[schema(example = "Ed25519")]
    crv: String,
    /// Names the key, in a token's head: its thumbprint (RFC 7638).
    kid: String,
    /// The key, in base64url.
    x: String,
    #[schema(example = "EdDSA")]
    alg: String,
    #[serde(rename = "use")]
    #[schema(example = "sig")]
    purpose: String,
}

/// The public keys. Any of them may have signed a token.
#[derive(Serialize, ToSchema)]
struct KeySet {
    keys: Vec<Key>,
}

refused!(
    /// While auth-service cannot be asked.
    JwksRefused: ANY, SERVICE
);

/// The public keys
///
/// By them any service verifies access tokens on its own.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    operation_id = "get_jwks",
    tag = "For machines",
    responses((status = 200, description = "A JWK Set.", body = KeySet), JwksRefused),
)]
pub(crate) async fn jwks(State(services): State<Services>) -> Result<Response, Problem> {
    let mut auth = services.auth.clone();
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
