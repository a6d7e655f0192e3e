//! An error on its way to becoming a gRPC status with details.

use std::{collections::HashMap, time::Duration};

use tonic::Status;
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::reason::{DOMAIN, Reason};

/// A refused call: the reason, a sentence for people, and what goes with it.
#[derive(Clone, Debug)]
pub struct Refusal {
    reason: Reason,
    message: String,
    field: Option<&'static str>,
    retry_after: Option<Duration>,
    metadata: HashMap<String, String>,
}

impl Refusal {
    /// A refusal for `reason`; `message` says in a sentence what is wrong.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self {
            reason,
            message: message.into(),
            field: None,
            retry_after: None,
            metadata: HashMap::new(),
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
    pub fn metadata(mut self, key: &str, value: impl Into<String>) -> Self {
        self.metadata.insert(key.to_owned(), value.into());
        self
    }

    /// The status, with the details encoded.
    pub fn into_status(self) -> Status {
        let mut details =
            ErrorDetails::with_error_info(self.reason.as_str(), DOMAIN, self.metadata);
        if let Some(field) = self.field {
            details.add_bad_request_violation(field, self.message.clone());
        }
        if let Some(delay) = self.retry_after {
            details.set_retry_info(Some(delay));
        }
        Status::with_error_details(self.reason.code(), self.message, details)
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Self {
        refusal.into_status()
    }
}
