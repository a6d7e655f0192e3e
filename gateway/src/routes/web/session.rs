//! `/web/session`: how the page, and nothing else, stays signed in.
//!
//! The refresh token is in a cookie that scripts cannot read and other sites
//! cannot cause to be sent, and every request needs a header that a form cannot
//! send and that CORS does not open to other origins (`kit/src/cors.rs`): not
//! even a page of the same site, on another port or name, gets through.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, StatusCode, header::SET_COOKIE},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, post},
};
use proto::{
    Reason,
    auth::v1::{SignOutRequest, VerifyCodeRequest},
};
use serde::Serialize;
use tonic::metadata::AsciiMetadataValue;

use crate::{
    answer,
    body::Object,
    client,
    problem::Problem,
    routes::{
        as_user, auths,
        tokens::{self, Pair},
    },
    services::Services,
};

/// The path.
pub(super) const SESSION: &str = "/web/session";
/// The header that only the page itself sends.
const FROM_THE_PAGE: HeaderName = HeaderName::from_static("web-session");
/// The cookie with the refresh token.
const COOKIE: &str = "refresh";
/// In seconds: the 400 days that browsers keep a cookie at the most. When a
/// session ends, auth-service decides; its cookie must only not be gone before.
const COOKIE_LIFETIME: u32 = 400 * 24 * 60 * 60;

/// What the path does. The page refreshes by PUT, which CORS opens to nobody.
pub(super) fn methods() -> MethodRouter<Services> {
    post(sign_in).put(refresh).delete(sign_out)
}

/// Like `PATCH /api/v1/auths/`, of a challenge that is named.
async fn sign_in(State(services): State<Services>, request: Request) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    only_from_the_page(&head.headers)?;
    let body = Object::read(&head.headers, body).await?;
    let message = VerifyCodeRequest {
        code: body.text("otp")?.to_owned(),
        challenge_id: Some(body.text("challenge_id")?.to_owned()),
        client_address: Some(auths::client_address(&services, &head)),
        user_agent: client::user_agent(&head.headers),
        fall_back_to_address: false,
    };
    let mut auth = services.auth.clone();
    let signed_in = auth.verify_code(message).await.map_err(auths::refused)?;
    let signed_in = signed_in.into_inner();
    let pair = Pair {
        access_token: signed_in.access_token,
        refresh_token: signed_in.refresh_token,
    };
    handed_over(&services, pair)
}

/// Trades the cookie for an access token and the next cookie. 204 where there
/// is none: that nobody is signed in is no error.
async fn refresh(
    State(services): State<Services>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    only_from_the_page(&headers)?;
    let Some(refresh_token) = client::cookie(&headers, COOKIE) else {
        return Ok(answer::unstored(answer::done()));
    };
    match tokens::renewed(&services, refresh_token).await {
        Ok(pair) => handed_over(&services, pair),
        Err(problem) if is_over(&problem) => forgotten(&services, problem.into_response()),
        Err(problem) => Err(problem),
    }
}

/// Ends the session of the cookie. No access token is needed, which might have
/// expired: the cookie buys one. Should ending fail after that, the same cookie
/// buys the same one for 30 s, and later ends the session by being a replay.
async fn sign_out(
    State(services): State<Services>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    only_from_the_page(&headers)?;
    if let Some(refresh_token) = client::cookie(&headers, COOKIE) {
        match end(&services, refresh_token).await {
            Err(problem) if !is_over(&problem) => return Err(problem),
            _ => {}
        }
    }
    forgotten(&services, answer::done())
}

async fn end(services: &Services, refresh_token: String) -> Result<(), Problem> {
    let pair = tokens::renewed(services, refresh_token).await?;
    let user = AsciiMetadataValue::try_from(format!("Bearer {}", pair.access_token))
        .map_err(|_| Problem::internal("an access token does not fit into a header"))?;
    let mut auth = services.auth.clone();
    auth.sign_out(as_user(user, SignOutRequest { all: None }))
        .await?;
    Ok(())
}

/// Whether the cookie will never buy anything again.
fn is_over(problem: &Problem) -> bool {
    matches!(
        problem.reason(),
        Reason::SessionEnded | Reason::TokenInvalid
    )
}

fn only_from_the_page(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(FROM_THE_PAGE) {
        Some(value) if value == "1" => Ok(()),
        _ => Err(Problem::field(
            "the header Web-Session",
            "it must be 1, which pages of other origins cannot send",
        )),
    }
}

fn handed_over(services: &Services, pair: Pair) -> Result<Response, Problem> {
    #[derive(Serialize)]
    struct Access {
        access_token: String,
    }

    let access = Access {
        access_token: pair.access_token,
    };
    let response = answer::unstored(answer::json(StatusCode::OK, &access));
    with_cookie(services, &pair.refresh_token, COOKIE_LIFETIME, response)
}

/// With the order to forget the cookie.
fn forgotten(services: &Services, response: Response) -> Result<Response, Problem> {
    with_cookie(services, "", 0, answer::unstored(response))
}

fn with_cookie(
    services: &Services,
    value: &str,
    lifetime: u32,
    mut response: Response,
) -> Result<Response, Problem> {
    let secure = if services.over_tls { "; Secure" } else { "" };
    let cookie = format!(
        "{COOKIE}={value}; Path={SESSION}; Max-Age={lifetime}; HttpOnly; SameSite=Strict{secure}"
    );
    let cookie = cookie
        .parse()
        .map_err(|_| Problem::internal("a refresh token does not fit into a header"))?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}
