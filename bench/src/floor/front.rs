//! The whole way's first part: three requests of HTTP, each with one call behind
//! it, and nothing else.

use std::net::SocketAddr;

use axum::{
    Extension, Router,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header::AUTHORIZATION},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use bytes::Bytes;
use proto::{
    auth::v1::{RequestCodeRequest, VerifyCodeRequest, auth_service_client::AuthServiceClient},
    profile::v1::{GetProfileRequest, profile_service_client::ProfileServiceClient},
};
use serde_json::{Value, json};
use tonic::{Request, Status};

use super::server::json;
use crate::load::grpc::Channel;

const CHALLENGE_ID: &str = "challenge-id";

/// Who is behind it.
#[derive(Clone)]
pub(super) struct Behind {
    auth: AuthServiceClient<Channel>,
    profile: ProfileServiceClient<Channel>,
}

/// The three requests. `user` is `new` or something else.
pub(super) fn router(channel: &Channel) -> Router {
    Router::new()
        .route("/way/auths/{user}", post(ask).patch(sign_in))
        .route("/way/profile/{followers}", get(profile))
        .with_state(Behind {
            auth: AuthServiceClient::new(channel.clone()),
            profile: ProfileServiceClient::new(channel.clone()),
        })
}

fn text(body: &Bytes, key: &str) -> String {
    let object: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = object.get(key).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn refused(status: &Status) -> Response {
    let body = json(&json!({"response": status.message()}));
    (StatusCode::BAD_REQUEST, body).into_response()
}

async fn ask(
    State(mut behind): State<Behind>,
    Extension(peer): Extension<SocketAddr>,
    body: Bytes,
) -> Response {
    let message = RequestCodeRequest {
        phone_number: text(&body, "phone_number"),
        invited_by: None,
        client_address: Some(peer.ip().to_string()),
        language: None,
    };
    let asked = match behind.auth.request_code(message).await {
        Ok(asked) => asked.into_inner(),
        Err(status) => return refused(&status),
    };
    let code = asked.simulated_code.unwrap_or_default();
    let mut response = json(&json!({"response": format!("(use {code})")}));
    if let Ok(id) = HeaderValue::from_str(&asked.challenge_id) {
        response.headers_mut().insert(CHALLENGE_ID, id);
    }
    response
}

async fn sign_in(
    State(mut behind): State<Behind>,
    Extension(peer): Extension<SocketAddr>,
    Path(user): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let named = headers.get(CHALLENGE_ID).and_then(|id| id.to_str().ok());
    let message = VerifyCodeRequest {
        challenge_id: named.map(str::to_owned),
        code: text(&body, "otp"),
        client_address: Some(peer.ip().to_string()),
        user_agent: Some(user),
        fall_back_to_address: false,
    };
    match behind.auth.verify_code(message).await {
        Ok(signed_in) => {
            let pair = signed_in.into_inner();
            json(&json!({
                "access_token": pair.access_token,
                "refresh_token": pair.refresh_token,
            }))
        }
        Err(status) => refused(&status),
    }
}

async fn profile(
    State(mut behind): State<Behind>,
    Path(followers): Path<u32>,
    headers: HeaderMap,
) -> Response {
    let mut request = Request::new(GetProfileRequest {
        followers_page_size: Some(followers),
    });
    let bearer = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
    if let Some(bearer) = bearer.and_then(|bearer| bearer.parse().ok()) {
        request.metadata_mut().insert("authorization", bearer);
    }
    match behind.profile.get_profile(request).await {
        Ok(found) => {
            let found = found.into_inner();
            json(&json!({
                "phone_number": found.phone_number,
                "invite_code": found.invite_code,
                "invited_by": found.invited_by,
                "followers": found.followers,
            }))
        }
        Err(status) => refused(&status),
    }
}
