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
use kit::{client_address::PeerAddress, wait::handed_over};
use proto::{
    Reason,
    auth::v1::{RequestCodeRequest, RequestCodeResponse, VerifyCodeRequest},
    reason::CODE_LIFETIME_SECONDS,
    refusal::fact,
};
use tonic::Status;
use utoipa::ToSchema;

use crate::{
    answer::{self, Said},
    body::Object,
    client,
    openapi::refusals::{ANY, BODY, SERVICE, refused},
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

refused!(
    /// By what holds for every path.
    UsageRefused: ANY
);

/// What this path takes
///
/// Says so, and nothing else.
#[utoipa::path(
    get,
    path = "/api/v1/auths/",
    tag = "Sign-in",
    responses(
        (status = 200, description = "Always this sentence.", body = Said,
            example = json!({"response": texts::USE_POST_AND_PATCH})),
        UsageRefused,
    ),
)]
pub(crate) async fn usage() -> Response {
    answer::said(StatusCode::OK, texts::USE_POST_AND_PATCH)
}

/// Whom to send a code.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "it describes the body, whose keys are read one by one"
)]
struct CodeRequest {
    /// An international number in E.164: a plus and up to 15 ASCII digits.
    /// Spaces, hyphens, dots and brackets between them are dropped.
    #[schema(
        max_length = 64,
        pattern = r"^\+[1-9]([-. ()]*[0-9]){1,14}$",
        example = "+77777777766"
    )]
    phone_number: String,
    /// Somebody's invite code, for a first sign-in; an unknown one is ignored,
    /// null and the empty one are as absent.
    #[schema(max_length = 64, example = "HdGzEG")]
    invited_by: Option<String>,
}

refused!(
    /// By the number, or the limits on codes.
    CodeRequestRefused: ANY, BODY, SERVICE,
        &[
            Reason::PhoneNumberInvalid,
            Reason::TooManyCodes,
            Reason::SmsCountryNotAllowed,
            Reason::SmsBudgetExhausted,
            Reason::SmsSuspended,
        ]
);

/// Send a code to a phone number
///
/// Starts a challenge, which lives for two minutes, and answers when the message
/// is on its way: after 1 to 2 seconds where its delivery is simulated. The
/// answer's header `Challenge-Id`, or its cookie, names the challenge to the
/// `PATCH` that answers it.
#[utoipa::path(
    post,
    path = "/api/v1/auths/",
    tag = "Sign-in",
    params(
        ("Accept-Language" = Option<String>, Header, description = "The languages that the person reads: the message is in the first that there is a text in."),
    ),
    request_body(content = CodeRequest, examples(
        ("documented" = (value = json!({"phone_number": "+77777777766"}))),
        ("invited" = (summary = "A first sign-in, with an invite code",
            value = json!({"phone_number": "+77777777766", "invited_by": "HdGzEG"}))),
    )),
    responses(
        (status = 200, description = "The message is on its way. Only a simulated delivery tells the code here.",
            body = Said,
            headers(
                ("Challenge-Id" = String, description = "Names the challenge: 128 random bits and more."),
                ("Otp-Length" = u32, description = "How many digits the code has."),
                ("Otp-Expires-In" = u32, description = "For how many seconds it is accepted."),
                ("Resend-After" = u32, description = "In how many seconds the next one may be asked for."),
                ("Set-Cookie" = String, description = "`challenge=<id>; Path=/api/v1/auths; Max-Age=120; HttpOnly; SameSite=Strict`, and `Secure` over TLS."),
            ),
            examples(
                ("documented" = (summary = "A simulated delivery",
                    value = json!({"response": texts::code_sent(Some("3613"), 120)}))),
                ("real" = (summary = "A real message",
                    value = json!({"response": texts::code_sent(None, 120)}))),
            )),
        CodeRequestRefused,
    ),
)]
pub(crate) async fn request_code(
    State(services): State<Services>,
    request: Request,
) -> Result<Response, Problem> {
    // Each on the heap, and gone with its step: thousands wait for their turn at once,
    // with their message alone, and for their delivery with the answer.
    let message = Box::pin(code_request(&services, request)).await?;
    let turn = services.code_turns.next().await;
    let answer = Box::pin(ask_for_code(&services, message)).await;
    drop(turn);
    answer
}

/// The answer, and until when it is to be kept back.
async fn ask_for_code(
    services: &Services,
    message: RequestCodeRequest,
) -> Result<Response, Problem> {
    let mut call = tonic::Request::new(message);
    handed_over::offer(call.metadata_mut());
    let (metadata, challenge, _) = services.auth.clone().request_code(call).await?.into_parts();
    let mut response = code_sent(&challenge, services.over_tls)
        .map_err(|_| Problem::internal("a challenge's id does not fit into a header"))?;
    if let Some(delivered) = handed_over::handed_over(&metadata) {
        response.extensions_mut().insert(delivered);
    }
    Ok(response)
}

async fn code_request(
    services: &Services,
    request: Request,
) -> Result<RequestCodeRequest, Problem> {
    let (head, body) = request.into_parts();
    let body = Object::read(&head.headers, body).await?;
    Ok(RequestCodeRequest {
        phone_number: body.text("phone_number")?.to_owned(),
        invited_by: invite_code(body.optional_text("invited_by")?)?,
        client_address: Some(client_address(services, &head)),
        language: client::languages(&head.headers),
    })
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

/// The code that came by message.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "it describes the body, whose keys are read one by one"
)]
struct CodeAnswer {
    /// The code. Any string that is not the code of a live challenge gets the
    /// same answer.
    #[schema(example = "3613")]
    otp: String,
    /// The challenge that the code answers, for clients that keep it themselves;
    /// null is as absent. The header `Challenge-Id` goes before it.
    challenge_id: Option<String>,
}

refused!(
    /// By the code, or the limit on tries.
    CodeAnswerRefused: ANY, BODY, SERVICE,
        &[Reason::CodeNotAccepted, Reason::CodeMalformed, Reason::TooManyAttempts]
);

/// Sign in with the code
///
/// A first sign-in makes the user and their invite code. The challenge is the one
/// that `Challenge-Id` or the key `challenge_id` names; else the cookie's; else it
/// is looked for by the code among those that were started from the same address.
/// A challenge has five tries.
#[utoipa::path(
    patch,
    path = "/api/v1/auths/",
    tag = "Sign-in",
    params(
        ("Challenge-Id" = Option<String>, Header, description = "The challenge that the code answers: no other is looked for."),
        ("challenge" = Option<String>, Cookie, description = "The same, as a browser keeps it. It may be left over from an older challenge: then the code is looked for by the client's address."),
    ),
    request_body(content = CodeAnswer, examples(
        ("documented" = (value = json!({"otp": "3613"}))),
    )),
    responses(
        (status = 200, description = "Signed in.", body = Pair,
            example = json!({"access_token": "access token", "refresh_token": "refresh token"})),
        CodeAnswerRefused,
    ),
)]
pub(crate) async fn verify_code(
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
    let mut auth = services.auth.clone();
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
    fact(status, CODE_LIFETIME_SECONDS)?.parse().ok()
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
