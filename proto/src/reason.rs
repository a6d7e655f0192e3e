//! Why a call was refused: the `reason` of the `google.rpc.ErrorInfo` that
//! every error carries ([AIP-193](https://google.aip.dev/193)).

use tonic::{Code, Status};

use crate::details;

/// The `ErrorInfo` domain of every error of this product.
pub const DOMAIN: &str = "customauth";

/// Key of the `ErrorInfo` metadata that says, with a code that was not
/// accepted, how long codes live, in seconds.
pub const CODE_LIFETIME_SECONDS: &str = "code_lifetime_seconds";

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $code:ident;)*) => {
        /// A machine-readable reason of an error. Its name is part of the
        /// contract; the sentence beside it is not.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $variant,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The gRPC code that goes with it.
            pub const fn code(self) -> Code {
                match self { $(Self::$variant => Code::$code,)* }
            }
        }
    };
}

reasons! {
    /// Not an E.164 number, or none that its country can have.
    PhoneNumberInvalid = "PHONE_NUMBER_INVALID", InvalidArgument;
    /// Not a one-time code at all. Costs no try.
    CodeMalformed = "CODE_MALFORMED", InvalidArgument;
    /// Wrong, late, spent, or no such challenge: never told apart.
    CodeNotAccepted = "CODE_NOT_ACCEPTED", FailedPrecondition;
    /// Nobody has this invite code.
    InviteCodeNotFound = "INVITE_CODE_NOT_FOUND", NotFound;
    /// The invite code is the caller's own.
    InviteCodeOwn = "INVITE_CODE_OWN", FailedPrecondition;
    /// An invite code was entered before.
    InviterAlreadySet = "INVITER_ALREADY_SET", FailedPrecondition;
    /// No access token came with the call.
    TokenMissing = "TOKEN_MISSING", Unauthenticated;
    /// The token is malformed, forged, or meant for something else.
    TokenInvalid = "TOKEN_INVALID", Unauthenticated;
    /// The access token's time is over.
    TokenExpired = "TOKEN_EXPIRED", Unauthenticated;
    /// The session was ended, or its user is no more.
    SessionEnded = "SESSION_ENDED", Unauthenticated;
    /// The call is for services, and no good service token came with it.
    ServiceTokenRequired = "SERVICE_TOKEN_REQUIRED", Unauthenticated;
    /// A limit on codes.
    TooManyCodes = "TOO_MANY_CODES", ResourceExhausted;
    /// No messages are sent to the number's country.
    SmsCountryNotAllowed = "SMS_COUNTRY_NOT_ALLOWED", ResourceExhausted;
    /// The day's messages, or their cost, are used up, in all or for the number's prefix.
    SmsBudgetExhausted = "SMS_BUDGET_EXHAUSTED", ResourceExhausted;
    /// Too few of the codes that went there, or were asked for from there, were ever entered.
    SmsSuspended = "SMS_SUSPENDED", ResourceExhausted;
    /// A limit on attempts.
    TooManyAttempts = "TOO_MANY_ATTEMPTS", ResourceExhausted;
    /// A store or the other service cannot be reached. Nothing is spent.
    DependencyUnavailable = "DEPENDENCY_UNAVAILABLE", Unavailable;
    /// More at once than is admitted.
    Overloaded = "OVERLOADED", Unavailable;
    /// The call's time was over before it was done.
    DeadlineExceeded = "DEADLINE_EXCEEDED", DeadlineExceeded;
    /// The body cannot be read as what it should be.
    BodyMalformed = "BODY_MALFORMED", InvalidArgument;
    /// A field is missing, of the wrong type, or out of range.
    FieldInvalid = "FIELD_INVALID", InvalidArgument;
    /// The body is over the limit.
    BodyTooLarge = "BODY_TOO_LARGE", InvalidArgument;
    /// The body is not `application/json`.
    ContentTypeUnsupported = "CONTENT_TYPE_UNSUPPORTED", InvalidArgument;
    /// Nothing is at this path.
    PathNotFound = "PATH_NOT_FOUND", Unimplemented;
    /// The path does not take this method.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", Unimplemented;
    /// The page token was not made by this service.
    PageTokenInvalid = "PAGE_TOKEN_INVALID", InvalidArgument;
    /// The caller has no such session.
    SessionNotFound = "SESSION_NOT_FOUND", NotFound;
    /// A fault of the service.
    Internal = "INTERNAL", Internal;
}

impl Reason {
    /// The reason that a status carries, if it is one of this product.
    pub fn of(status: &Status) -> Option<Self> {
        let (name, domain) = details::reason(status.details())?;
        if domain != DOMAIN {
            return None;
        }
        Self::ALL
            .iter()
            .copied()
            .find(|reason| reason.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Refusal;

    #[test]
    fn every_reason_is_read_back_from_its_status() {
        for &reason in Reason::ALL {
            let status = Refusal::new(reason, "why").into_status();
            assert_eq!(status.code(), reason.code());
            assert_eq!(Reason::of(&status), Some(reason));
        }
    }

    #[test]
    fn a_foreign_status_has_no_reason() {
        assert_eq!(Reason::of(&Status::internal("x")), None);
    }
}
