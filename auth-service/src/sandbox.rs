//! `auth.v1.SandboxService`: shows what simulated delivery would have sent.

use std::sync::Arc;

use kit::clock::Clock;
use proto::auth::v1::{
    ListMessagesRequest, ListMessagesResponse, SandboxMessage,
    sandbox_service_server::SandboxService,
};
use tonic::{Request, Response, Status};

use crate::sms::outbox::{Outbox, Simulated};

/// The service. It asks nobody who he is: with simulated delivery, everybody is
/// told every code that he asks for.
pub(crate) struct SandboxGrpc {
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[tonic::async_trait]
impl SandboxService for SandboxGrpc {
    async fn list_messages(
        &self,
        _: Request<ListMessagesRequest>,
    ) -> Result<Response<ListMessagesResponse>, Status> {
        let delivered = self.outbox.delivered(self.clock.now());
        let message = |message: Simulated| SandboxMessage {
            phone_number: message.phone.as_str().to_owned(),
            text: message.text,
            segments: message.segments,
            sent_at: Some(message.sent_at.into()),
        };
        let messages = delivered.into_iter().map(message).collect();
        Ok(Response::new(ListMessagesResponse { messages }))
    }
}
