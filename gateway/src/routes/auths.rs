//! `/api/v1/auths/`: sign-in by phone number, and out again.

use axum::{
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, StatusCode,
        header::{InvalidHeaderValue, SET_COOKIE},
        request::Parts,
    },
    response::Response,
    routing::{MethodRouter, get},
};
use kit::client_address::PeerAddress;
use proto::{
    Reason,
    auth::v1::{RequestCodeRequest, RequestCodeResponse, VerifyCodeRequest},
    reason::CODE_LIFETIME_SECONDS,
};
use tonic::Status;
use tonic_types::StatusExt as _;

use crate::{
    answer,
    body::Object,
    client,
    problem::Problem,
    routes::{invite_code, sessions, tokens::Pair},
    services::Services,
    texts,
};

/// Names a challenge, in a request as well as in an answer.
const CHALLENGE_ID: HeaderName = HeaderName::from_static("challenge-id");
const OTP_LENGTH: HeaderName = HeaderName::from_static("otp-length");
const OTP_EXPIRES_IN: HeaderName = HeaderName::from_static("otp-expires-in");
const RESEND_AFTER: HeaderName = HeaderName::from_static("resend-after");
/// The cookie that names a browser's last challenge.
const COOKIE: &str = "challenge";
/// How long codes live, in seconds, where a refusal does not say.
const DEFAULT_LIFETIME: u32 = 120;

/// What the path does.
pub(crate) fn methods() -> MethodRouter<Services> {
    get(usage)
        .post(request_code)
        .patch(verify_code)
        .delete(sessions::sign_out)
}

async fn usage() -> Response {
    answer::said(StatusCode::OK, texts::USE_POST_AND_PATCH)
}

async fn request_code(
    State(services): State<Services>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let body = Object::read(&head.headers, body).await?;
    let message = RequestCodeRequest {
        phone_number: body.text("phone_number")?.to_owned(),
        invited_by: invite_code(body.optional_text("invited_by")?)?,
        client_address: Some(client_address(&services, &head)),
    };
    let mut auth = services.auth;
    let challenge = auth.request_code(message).await?.into_inner();
    code_sent(&challenge, services.over_tls)
        .map_err(|_| Problem::internal("a challenge's id does not fit into a header"))
}

fn code_sent(
    challenge: &RequestCodeResponse,
    over_tls: bool,
) -> Result<Response, InvalidHeaderValue> {
    let RequestCodeResponse {
        challenge_id,
        lifetime_seconds,
        ..
    } = challenge;
    let text = texts::code_sent(challenge.simulated_code.as_deref(), *lifetime_seconds);
    let secure = if over_tls { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE}={challenge_id}; Path=/api/v1/auths; Max-Age={lifetime_seconds}; \
         HttpOnly; SameSite=Strict{secure}"
    );
    let mut response = answer::unstored(answer::said(StatusCode::OK, &text));
    let headers = response.headers_mut();
    headers.insert(CHALLENGE_ID, challenge_id.parse()?);
    headers.insert(OTP_LENGTH, challenge.code_length.into());
    headers.insert(OTP_EXPIRES_IN, challenge.lifetime_seconds.into());
    headers.insert(RESEND_AFTER, challenge.resend_after_seconds.into());
    headers.insert(SET_COOKIE, cookie.parse()?);
    Ok(response)
}

async fn verify_code(
    State(services): State<Services>,
    request: Request,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let body = Object::read(&head.headers, body).await?;
    let code = body.text("otp")?.to_owned();
    let challenge = Challenge::of(&head.headers, &body)?;
    let message = VerifyCodeRequest {
        code,
        client_address: Some(client_address(&services, &head)),
        user_agent: client::user_agent(&head.headers),
        fall_back_to_address: matches!(challenge, Challenge::InCookie(_)),
        challenge_id: challenge.id(),
    };
    let mut auth = services.auth;
    let signed_in = auth.verify_code(message).await.map_err(refused)?;
    let signed_in = signed_in.into_inner();
    let pair = Pair {
        access_token: signed_in.access_token,
        refresh_token: signed_in.refresh_token,
    };
    Ok(pair.into_answer())
}

/// The challenge that a code answers.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    /// This one and no other.
    Named(String),
    /// This one, or else one of the client's address: a cookie may be left
    /// over from an older challenge.
    InCookie(String),
    /// One of the client's address.
    Unnamed,
}

impl Challenge {
    fn of(headers: &HeaderMap, body: &Object) -> Result<Self, Problem> {
        let key = body.optional_text("challenge_id")?;
        if let Some(value) = headers.get(CHALLENGE_ID) {
            let id = String::from_utf8_lossy(value.as_bytes());
            return Ok(Self::Named(id.into_owned()));
        }
        if let Some(id) = key {
            return Ok(Self::Named(id.to_owned()));
        }
        Ok(client::cookie(headers, COOKIE).map_or(Self::Unnamed, Self::InCookie))
    }

    fn id(self) -> Option<String> {
        match self {
            Self::Named(id) | Self::InCookie(id) => Some(id),
            Self::Unnamed => None,
        }
    }
}

/// A code that is none gets the same answer as a wrong one.
pub(crate) fn refused(status: Status) -> Problem {
    let lifetime = lifetime(&status).unwrap_or(DEFAULT_LIFETIME);
    let problem = Problem::from(status);
    match problem.reason() {
        Reason::CodeNotAccepted | Reason::CodeMalformed => {
            problem.saying(texts::code_not_accepted(lifetime))
        }
        _ => problem,
    }
}

fn lifetime(status: &Status) -> Option<u32> {
    let info = status.get_details_error_info()?;
    info.metadata.get(CODE_LIFETIME_SECONDS)?.parse().ok()
}

/// The address of the client, which the limits of auth-service count by.
pub(crate) fn client_address(services: &Services, head: &Parts) -> String {
    services
        .trusted_proxies
        .client_address(PeerAddress::of(&head.extensions), &head.headers)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_secure_only_over_tls() {
        let challenge = RequestCodeResponse {
            challenge_id: "abc".to_owned(),
            lifetime_seconds: 90,
            ..RequestCodeResponse::default()
        };
        let cookie = |over_tls| {
            let response = code_sent(&challenge, over_tls).unwrap();
            let value = response.headers()[SET_COOKIE].to_str().unwrap();
            value.to_owned()
        };
        let plain = "challenge=abc; Path=/api/v1/auths; Max-Age=90; HttpOnly; SameSite=Strict";
        assert_eq!(cookie(false), plain);
        assert_eq!(cookie(true), format!("{plain}; Secure"));
    }

    #[test]
    fn an_id_that_would_break_the_head_is_not_sent() {
        let challenge = RequestCodeResponse {
            challenge_id: "a\r\nb: c".to_owned(),
            ..RequestCodeResponse::default()
        };
        assert!(code_sent(&challenge, false).is_err());
    }
}
