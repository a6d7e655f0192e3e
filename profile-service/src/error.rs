//! What can go wrong, and the one mapping of it to a gRPC status.

use std::time::Duration;

use proto::{Reason, Refusal};
use tonic::Status;

/// When to repeat a call that met an outage.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Why a call was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// NOT_FOUND `INVITE_CODE_NOT_FOUND`.
    #[error("nobody has this invite code")]
    InviteCodeNotFound,
    /// FAILED_PRECONDITION `INVITE_CODE_OWN`.
    #[error("this is the caller's own invite code")]
    InviteCodeOwn,
    /// FAILED_PRECONDITION `INVITER_ALREADY_SET`.
    #[error("an invite code was entered before")]
    InviterAlreadySet,
    /// UNAUTHENTICATED `SESSION_ENDED`.
    #[error("the user is no more")]
    UserGone,
    /// INVALID_ARGUMENT `PAGE_TOKEN_INVALID`.
    #[error("the page token was not made by this service")]
    PageTokenInvalid,
    /// INVALID_ARGUMENT `FIELD_INVALID`.
    #[error("{field} {problem}")]
    FieldInvalid {
        field: &'static str,
        problem: &'static str,
    },
    /// INTERNAL `INTERNAL`: a chance of one in 10⁵⁰, or a broken generator.
    #[error("no free invite code was drawn")]
    NoFreeCode,
    /// UNAVAILABLE `DEPENDENCY_UNAVAILABLE`, or `OVERLOADED` when too many wait
    /// for it.
    #[error("the database cannot be used now")]
    Database(#[from] database::Error),
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        let said = error.to_string();
        let refusal = |reason| Refusal::new(reason, &*said);
        match error {
            Error::InviteCodeNotFound => refusal(Reason::InviteCodeNotFound),
            Error::InviteCodeOwn => refusal(Reason::InviteCodeOwn),
            Error::InviterAlreadySet => refusal(Reason::InviterAlreadySet),
            Error::UserGone => refusal(Reason::SessionEnded),
            Error::PageTokenInvalid => refusal(Reason::PageTokenInvalid).field("page_token"),
            Error::FieldInvalid { field, .. } => refusal(Reason::FieldInvalid).field(field),
            Error::NoFreeCode => {
                tracing::error!("{said}");
                refusal(Reason::Internal)
            }
            Error::Database(database::Error::Overloaded) => kit::admission::overloaded(),
            Error::Database(cause) => {
                tracing::error!(error = %cause, "{said}");
                refusal(Reason::DependencyUnavailable).retry_after(RETRY_AFTER)
            }
        }
        .into_status()
    }
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
