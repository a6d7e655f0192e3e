//! An error on its way to becoming a gRPC status with details.

use std::time::Duration;

use tonic::Status;

use crate::{
    details::{self, Said},
    reason::{DOMAIN, Reason},
};

/// A refused call: the reason, a sentence for people, and what goes with it.
#[derive(Clone, Debug)]
pub struct Refusal {
    reason: Reason,
    message: String,
    field: Option<&'static str>,
    retry_after: Option<Duration>,
    metadata: Vec<(&'static str, String)>,
}

impl Refusal {
    /// A refusal for `reason`; `message` says in a sentence what is wrong.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            field: None,
            retry_after: None,
            metadata: Vec::new(),
        }
    }

    /// Names the request's field that is wrong (`google.rpc.BadRequest`).
    #[must_use]
    pub fn field(mut self, field: &'static str) -> Self {
        self.field = Some(field);
        self
    }

    /// Says when to try again (`google.rpc.RetryInfo`).
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Adds a fact to the `ErrorInfo`.
    #[must_use]
    pub fn metadata(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.metadata.push((key, value.into()));
        self
    }

    /// The status, with the details encoded.
    pub fn into_status(self) -> Status {
        let said = Said {
            code: self.reason.code(),
            message: &self.message,
            reason: self.reason.as_str(),
            domain: DOMAIN,
            metadata: &self.metadata,
            retry_after: self.retry_after,
            field: self.field,
        };
        let details = said.encode().into();
        Status::with_details(self.reason.code(), self.message, details)
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        refusal.into_status()
    }
}

/// When to try again, as a refused call's status tells it.
pub fn retry_after(status: &Status) -> Option<Duration> {
    details::retry_after(status.details())
}

/// A fact that a refused call's status tells beside its reason.
pub fn fact<'a>(status: &'a Status, key: &str) -> Option<&'a str> {
    details::fact(status.details(), key)
}
