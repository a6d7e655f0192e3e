//! A call of a service that answers by script.

use std::{fmt::Debug, sync::Mutex};

use tonic::{
    Request, Response, Status,
    metadata::{AsciiMetadataValue, MetadataMap},
};

/// A call that answers what it was told to and keeps what it was asked.
pub(crate) struct Scripted<Q, A> {
    answer: Mutex<Result<A, Status>>,
    /// For how long the caller is told to keep the answer back.
    wait_ms: Mutex<Option<&'static str>>,
    seen: Mutex<Vec<(MetadataMap, Q)>>,
}

impl<Q, A> Default for Scripted<Q, A> {
    fn default() -> Self {
        Self {
            answer: Mutex::new(Err(Status::internal("no answer was scripted"))),
            wait_ms: Mutex::default(),
            seen: Mutex::default(),
        }
    }
}

impl<Q: Clone + Debug, A: Clone> Scripted<Q, A> {
    /// Answers so from now on.
    pub(crate) fn answers(&self, answer: A) {
        *self.answer.lock().unwrap() = Ok(answer);
    }

    /// Leaves so long a wait to the caller from now on, in the callee's words.
    pub(crate) fn hands_over(&self, wait_ms: &'static str) {
        *self.wait_ms.lock().unwrap() = Some(wait_ms);
    }

    /// Refuses from now on.
    pub(crate) fn refuses(&self, status: impl Into<Status>) {
        *self.answer.lock().unwrap() = Err(status.into());
    }

    /// What was asked last, and that it was asked once since the last look.
    #[track_caller]
    pub(crate) fn asked(&self) -> (MetadataMap, Q) {
        let mut seen = self.seen.lock().unwrap();
        let last = seen.pop().expect("the service was asked");
        assert!(seen.is_empty(), "it was asked more than once: {seen:?}");
        last
    }

    /// Nothing was asked since the last look.
    #[track_caller]
    pub(crate) fn assert_not_asked(&self) {
        let seen = self.seen.lock().unwrap();
        assert!(seen.is_empty(), "{seen:?}");
    }

    /// Answers a call.
    pub(super) fn take(&self, request: Request<Q>) -> Result<Response<A>, Status> {
        let (metadata, _, message) = request.into_parts();
        self.seen.lock().unwrap().push((metadata, message));
        let mut answer = Response::new(self.answer.lock().unwrap().clone()?);
        if let Some(wait_ms) = *self.wait_ms.lock().unwrap() {
            let value = AsciiMetadataValue::from_static(wait_ms);
            answer.metadata_mut().insert("x-wait-ms", value);
        }
        Ok(answer)
    }
}
