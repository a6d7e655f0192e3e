//! What can go wrong, and the one mapping of it to a gRPC status.

use std::time::Duration;

use proto::{Reason, Refusal, reason::CODE_LIFETIME_SECONDS};
use tonic::Status;

use crate::{
    challenges::store::Unavailable,
    sms::{
        QueueFull,
        guards::{Guard, GuardRefusal},
    },
};

/// When to repeat a call that met an outage.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a call was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// INVALID_ARGUMENT `PHONE_NUMBER_INVALID`.
    #[error("phone_number is no phone number in international form (E.164), such as +77777777766")]
    PhoneNumberInvalid,
    /// INVALID_ARGUMENT `CODE_MALFORMED`.
    #[error("a code is 4 to 10 digits")]
    CodeMalformed { lifetime: Duration },
    /// FAILED_PRECONDITION `CODE_NOT_ACCEPTED`.
    #[error("the code is not accepted: it is wrong, too old or used, or was never sent")]
    CodeNotAccepted { lifetime: Duration },
    /// INVALID_ARGUMENT `FIELD_INVALID`.
    #[error("{field} {problem}")]
    FieldInvalid {
        field: &'static str,
        problem: &'static str,
    },
    /// UNAUTHENTICATED `SERVICE_TOKEN_REQUIRED`.
    #[error("only a caller with a service token may {0}")]
    ServiceTokenRequired(&'static str),
    /// RESOURCE_EXHAUSTED `TOO_MANY_CODES`.
    #[error("too many codes were asked for: try again later")]
    TooManyCodes { retry_after: Duration },
    /// RESOURCE_EXHAUSTED `SMS_COUNTRY_NOT_ALLOWED`, `SMS_BUDGET_EXHAUSTED` or
    /// `SMS_SUSPENDED`.
    #[error("{}", guarded(.0))]
    SmsGuarded(GuardRefusal),
    /// UNAVAILABLE `DEPENDENCY_UNAVAILABLE`.
    #[error("no more messages can be sent now: try again")]
    SmsQueueFull(QueueFull),
    /// RESOURCE_EXHAUSTED `TOO_MANY_ATTEMPTS`.
    #[error("too many wrong codes came from this address: try again later")]
    TooManyAttempts { retry_after: Duration },
    /// UNAUTHENTICATED `TOKEN_INVALID`.
    #[error("the refresh token is not valid")]
    RefreshTokenInvalid,
    /// UNAUTHENTICATED `SESSION_ENDED`.
    #[error("the session has ended")]
    SessionEnded,
    /// UNAUTHENTICATED `SESSION_ENDED`, of which it is the cause.
    #[error("the session has ended")]
    RefreshTokenReplayed,
    /// NOT_FOUND `SESSION_NOT_FOUND`.
    #[error("there is no such session")]
    SessionNotFound,
    /// UNAVAILABLE `DEPENDENCY_UNAVAILABLE`, or `OVERLOADED` when too many wait
    /// for it.
    #[error("the database cannot be used now")]
    Database(#[from] database::Error),
    /// UNAVAILABLE `DEPENDENCY_UNAVAILABLE`.
    #[error("the challenge store cannot be used now")]
    Challenges(#[from] Unavailable),
    /// What profile-service answered.
    #[error("profile-service did not do it: {0}")]
    Profiles(Status),
    /// INTERNAL `INTERNAL`.
    #[error("the access token could not be signed")]
    Signing(#[from] serde_json::Error),
}

/// What a guard tells whoever it does not let pass.
fn guarded(refusal: &GuardRefusal) -> &'static str {
    match refusal.guard {
        Guard::Countries => "no messages are sent to the country of this phone number",
        Guard::Budget => "no more messages are sent today: try again tomorrow",
        Guard::Breaker => {
            "messages are held back for now, since too few of their codes were entered: try again later"
        }
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let said = error.to_string();
        let refusal = |reason| Refusal::new(reason, &*said);
        let outage = |cause: &dyn std::error::Error| {
            tracing::error!(error = %cause, "{said}");
            refusal(Reason::DependencyUnavailable).retry_after(RETRY_AFTER)
        };
        let code = |reason, lifetime: Duration| {
            refusal(reason).metadata(CODE_LIFETIME_SECONDS, lifetime.as_secs().to_string())
        };
        match error {
            Error::PhoneNumberInvalid => refusal(Reason::PhoneNumberInvalid).field("phone_number"),
            Error::CodeMalformed { lifetime } => {
                code(Reason::CodeMalformed, lifetime).field("code")
            }
            Error::CodeNotAccepted { lifetime } => code(Reason::CodeNotAccepted, lifetime),
            Error::FieldInvalid { field, .. } => refusal(Reason::FieldInvalid).field(field),
            Error::ServiceTokenRequired(_) => refusal(Reason::ServiceTokenRequired),
            Error::TooManyCodes { retry_after } => {
                refusal(Reason::TooManyCodes).retry_after(retry_after)
            }
            Error::SmsGuarded(GuardRefusal { guard, retry_after }) => {
                let reason = match guard {
                    Guard::Countries => Reason::SmsCountryNotAllowed,
                    Guard::Budget => Reason::SmsBudgetExhausted,
                    Guard::Breaker => Reason::SmsSuspended,
                };
                refusal(reason).retry_after(retry_after)
            }
            Error::SmsQueueFull(cause) => outage(&cause),
            Error::TooManyAttempts { retry_after } => {
                refusal(Reason::TooManyAttempts).retry_after(retry_after)
            }
            Error::RefreshTokenInvalid => refusal(Reason::TokenInvalid),
            Error::SessionEnded | Error::RefreshTokenReplayed => refusal(Reason::SessionEnded),
            Error::SessionNotFound => refusal(Reason::SessionNotFound).field("session_id"),
            Error::Database(database::Error::Overloaded) => kit::admission::overloaded(),
            Error::Database(cause) => outage(&cause),
            Error::Challenges(cause) => outage(&cause),
            Error::Profiles(status) => return from_profile_service(status),
            Error::Signing(cause) => {
                tracing::error!(error = %cause, "{said}");
                refusal(Reason::Internal)
            }
        }
        .into_status()
    }
}

/// An outage or a passed deadline there is one here. Anything else is a fault
/// between the two services, and none of the caller's business.
fn from_profile_service(status: Status) -> Status {
    if let Some(Reason::DependencyUnavailable | Reason::Overloaded | Reason::DeadlineExceeded) =
        Reason::of(&status)
    {
        return status;
    }
    tracing::error!(error = ?status, "profile-service refused a call");
    Refusal::new(
        Reason::DependencyUnavailable,
        "profile-service cannot be used now",
    )
    .retry_after(RETRY_AFTER)
    .into_status()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_at_once_are_told_apart_from_an_outage() {
        let told = |error: database::Error| Reason::of(&Status::from(Error::from(error)));
        assert_eq!(told(database::Error::Overloaded), Some(Reason::Overloaded));
        let gone = Some(Reason::DependencyUnavailable);
        assert_eq!(told(database::Error::Gone), gone);
    }
}
