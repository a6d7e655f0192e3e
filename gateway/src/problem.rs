//! The one mapping of a gRPC status to an HTTP answer.

use std::time::Duration;

use axum::{
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use proto::{Reason, refusal};
use tonic::{Code, Status};

use crate::answer;

const ERROR_CODE: HeaderName = HeaderName::from_static("error-code");
/// When to try again where nobody said it.
const DEFAULT_RETRY: Duration = Duration::from_secs(1);

/// A refused request. As an answer: the reason's status and the headers that
/// belong to it, `Error-Code`, and the body `{"response":"<text>"}`.
#[derive(Debug)]
pub(crate) struct Problem {
    reason: Reason,
    text: String,
    retry_after: Option<Duration>,
}

impl Problem {
    /// A refusal for `reason`; `text` says in a sentence what is wrong.
    pub(crate) fn new(reason: Reason, text: impl Into<String>) -> Self {
        Self {
            reason,
            text: text.into(),
            retry_after: None,
        }
    }

    /// Nothing is there.
    pub(crate) fn path_not_found() -> Self {
        Self::new(Reason::PathNotFound, "nothing is at this path")
    }

    /// A field of the request that is not as it has to be.
    pub(crate) fn field(name: &str, wanted: &str) -> Self {
        Self::new(Reason::FieldInvalid, format!("{name}: {wanted}"))
    }

    /// A fault of this product. What it is, is for the log alone.
    pub(crate) fn internal(fault: &str) -> Self {
        tracing::error!(fault, "a request failed");
        Self::new(Reason::Internal, plain(Reason::Internal))
    }

    /// Why it was refused.
    pub(crate) fn reason(&self) -> Reason {
        self.reason
    }

    /// The same in other words.
    #[must_use]
    pub(crate) fn saying(self, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            ..self
        }
    }
}

impl From<Status> for Problem {
    fn from(status: Status) -> Self {
        match Reason::of(&status) {
            Some(Reason::Internal) => Self::internal(status.message()),
            // The caller cannot help it: the gateway's key or clock is wrong.
            Some(Reason::ServiceTokenRequired) => {
                tracing::error!(
                    "the gateway's service token is not accepted: is GATEWAY_KEY the same on both sides?"
                );
                Self::new(
                    Reason::DependencyUnavailable,
                    plain(Reason::DependencyUnavailable),
                )
            }
            Some(reason) => Self {
                reason,
                text: match status.message() {
                    "" => plain(reason).to_owned(),
                    said => said.to_owned(),
                },
                retry_after: refusal::retry_after(&status),
            },
            None => Self::foreign(&status),
        }
    }
}

impl Problem {
    /// A status without a reason was not made by a rule of the services but on
    /// the way to them. Its words are for the log, not for the client.
    fn foreign(status: &Status) -> Self {
        let reason = nearest(status.code());
        tracing::error!(
            code = ?status.code(),
            message = status.message(),
            "a service answered with a status of no known reason"
        );
        Self::new(reason, plain(reason))
    }
}

/// Close to grpc-gateway's `HTTPStatusFromCode`. It differs where no status of
/// the API's fits: what a client could not have caused is a fault (500), and
/// what was broken off may be tried again (503).
fn nearest(code: Code) -> Reason {
    match code {
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => Reason::FieldInvalid,
        Code::Unauthenticated => Reason::TokenInvalid,
        Code::ResourceExhausted => Reason::TooManyAttempts,
        Code::Unavailable | Code::Cancelled | Code::Aborted => Reason::DependencyUnavailable,
        Code::DeadlineExceeded => Reason::DeadlineExceeded,
        Code::Ok
        | Code::Unknown
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss => Reason::Internal,
    }
}

/// A sentence for a reason that came without one of its own.
fn plain(reason: Reason) -> &'static str {
    match reason {
        Reason::TokenInvalid => "the access token is not valid",
        Reason::TooManyAttempts => "too many requests: try again later",
        Reason::DependencyUnavailable => "a service that is needed cannot be used now: try again",
        Reason::DeadlineExceeded => "the request was not answered in its time",
        Reason::Internal => "the request failed by a fault of the service",
        _ => "the request was refused",
    }
}

/// The HTTP status of every reason.
pub(crate) fn status(reason: Reason) -> StatusCode {
    match reason {
        Reason::PhoneNumberInvalid
        | Reason::CodeMalformed
        | Reason::CodeNotAccepted
        | Reason::InviteCodeNotFound
        | Reason::InviteCodeOwn
        | Reason::InviterAlreadySet
        | Reason::BodyMalformed
        | Reason::FieldInvalid
        | Reason::PageTokenInvalid => StatusCode::BAD_REQUEST,
        Reason::TokenMissing
        | Reason::TokenInvalid
        | Reason::TokenExpired
        | Reason::SessionEnded => StatusCode::UNAUTHORIZED,
        Reason::PathNotFound | Reason::SessionNotFound => StatusCode::NOT_FOUND,
        Reason::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        Reason::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Reason::ContentTypeUnsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Reason::TooManyCodes
        | Reason::TooManyAttempts
        | Reason::SmsCountryNotAllowed
        | Reason::SmsBudgetExhausted
        | Reason::SmsSuspended => StatusCode::TOO_MANY_REQUESTS,
        Reason::DependencyUnavailable | Reason::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
        Reason::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Reason::ServiceTokenRequired | Reason::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// Whole seconds, rounded up and never 0: nobody comes back too early.
fn whole_seconds(delay: Duration) -> u64 {
    let begun = u64::from(delay.subsec_nanos() > 0);
    delay.as_secs().saturating_add(begun).max(1)
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = status(self.reason);
        let mut response = answer::said(status, &self.text);
        let headers = response.headers_mut();
        headers.insert(ERROR_CODE, HeaderValue::from_static(self.reason.as_str()));
        match status {
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                let delay = self.retry_after.unwrap_or(DEFAULT_RETRY);
                headers.insert(RETRY_AFTER, whole_seconds(delay).into());
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use proto::Refusal;

    use super::*;

    fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
        response
            .headers()
            .get(name)
            .map(|value| value.to_str().unwrap())
    }

    #[test]
    fn a_reason_decides_the_status_and_the_headers() {
        let bearer = Some("Bearer");
        let rows = [
            (Reason::PhoneNumberInvalid, 400, None, None),
            (Reason::CodeNotAccepted, 400, None, None),
            (Reason::InviteCodeNotFound, 400, None, None),
            (Reason::TokenMissing, 401, bearer, None),
            (Reason::TokenInvalid, 401, bearer, None),
            (Reason::TokenExpired, 401, bearer, None),
            (Reason::SessionEnded, 401, bearer, None),
            (Reason::TooManyCodes, 429, None, Some("1")),
            (Reason::DependencyUnavailable, 503, None, Some("1")),
            (Reason::Overloaded, 503, None, Some("1")),
            (Reason::Overloaded, 503, None, Some("1")),
            (Reason::DeadlineExceeded, 504, None, None),
            (Reason::SessionNotFound, 404, None, None),
        ];
        for (reason, status, challenge, retry) in rows {
            let problem = Problem::from(Refusal::new(reason, "why").into_status());
            assert_eq!(problem.text, "why");
            let response = problem.into_response();
            assert_eq!(response.status().as_u16(), status, "{reason:?}");
            assert_eq!(header(&response, "error-code"), Some(reason.as_str()));
            assert_eq!(
                header(&response, "www-authenticate"),
                challenge,
                "{reason:?}"
            );
            assert_eq!(header(&response, "retry-after"), retry, "{reason:?}");
        }
    }

    #[test]
    fn no_reason_but_a_fault_is_a_500() {
        for &reason in Reason::ALL {
            let problem = Problem::from(Refusal::new(reason, "why").into_status());
            let status = problem.into_response().status();
            assert_eq!(
                status == StatusCode::INTERNAL_SERVER_ERROR,
                reason == Reason::Internal,
                "{reason:?}"
            );
        }
    }

    #[test]
    fn a_delay_is_told_in_whole_seconds_rounded_up() {
        let rows = [(0, "1"), (1, "1"), (1000, "1"), (1001, "2"), (59_500, "60")];
        for (millis, told) in rows {
            let delay = Duration::from_millis(millis);
            let refusal = Refusal::new(Reason::TooManyCodes, "why").retry_after(delay);
            let response = Problem::from(refusal.into_status()).into_response();
            assert_eq!(header(&response, "retry-after"), Some(told), "{millis} ms");
        }
    }

    #[test]
    fn a_status_without_a_reason_keeps_its_words_to_itself() {
        let rows = [
            (Code::InvalidArgument, 400, "FIELD_INVALID"),
            (Code::Unauthenticated, 401, "TOKEN_INVALID"),
            (Code::ResourceExhausted, 429, "TOO_MANY_ATTEMPTS"),
            (Code::Unavailable, 503, "DEPENDENCY_UNAVAILABLE"),
            (Code::Cancelled, 503, "DEPENDENCY_UNAVAILABLE"),
            (Code::DeadlineExceeded, 504, "DEADLINE_EXCEEDED"),
            (Code::NotFound, 500, "INTERNAL"),
            (Code::Unimplemented, 500, "INTERNAL"),
            (Code::Internal, 500, "INTERNAL"),
            (Code::Unknown, 500, "INTERNAL"),
        ];
        for (code, status, reason) in rows {
            let problem = Problem::from(Status::new(code, "secret"));
            assert!(!problem.text.contains("secret") && !problem.text.is_empty());
            let response = problem.into_response();
            assert_eq!(response.status().as_u16(), status, "{code:?}");
            assert_eq!(header(&response, "error-code"), Some(reason));
        }
        let own = Refusal::new(Reason::Internal, "secret").into_status();
        assert!(!Problem::from(own).text.contains("secret"));
    }
}
