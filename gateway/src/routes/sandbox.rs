//! `/dev/messages` and the page `/dev/`: what simulated delivery would have sent.
//! Where messages are really sent, nothing is at these paths.

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header::ALLOW},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, any},
};
use proto::{
    Reason,
    auth::v1::{ListMessagesRequest, SandboxMessage},
};
use serde::Serialize;
use tonic::Code;
use utoipa::ToSchema;

use super::{no_such_method, sessions::rfc_3339, web};
use crate::{
    answer,
    file::File,
    openapi::{
        page::Page,
        refusals::{ANY, SERVICE, refused},
    },
    problem::Problem,
    services::Services,
};

/// The list, the page, and the page's parts.
pub(crate) fn paths() -> [(&'static str, MethodRouter<Services>); 4] {
    let file = |media_type, text: &'static str| {
        let file = File::new(media_type, text).with_policy(web::POLICY);
        any(
            async move |services: State<Services>, method: Method, headers: HeaderMap| {
                page(services, method, headers, file).await
            },
        )
    };
    [
        ("/dev/messages", any(messages)),
        (
            "/dev",
            file(
                "text/html; charset=utf-8",
                include_str!("sandbox/page.html"),
            ),
        ),
        (
            "/dev/sandbox.css",
            file(
                "text/css; charset=utf-8",
                include_str!("sandbox/sandbox.css"),
            ),
        ),
        (
            "/dev/sandbox.js",
            file(
                "text/javascript; charset=utf-8",
                include_str!("sandbox/sandbox.js"),
            ),
        ),
    ]
}

/// A message that would have been sent.
#[derive(Serialize, ToSchema)]
struct Message {
    #[schema(example = "+77777777766")]
    phone_number: String,
    /// What it says, with the code in it.
    #[schema(example = "Your code is 3613. It is good for 2 min. Tell it to nobody.")]
    text: String,
    /// In how many segments it would have been sent: each is paid.
    #[schema(minimum = 1, example = 1)]
    segments: u32,
    /// When it would have arrived.
    #[schema(format = DateTime, example = "2026-11-22T20:24:35Z")]
    sent_at: String,
}

/// The messages that would have been sent.
#[derive(Serialize, ToSchema)]
struct Messages {
    /// The last 100, the newest first.
    #[schema(max_items = 100)]
    messages: Vec<Message>,
}

refused!(
    /// Where messages are really sent.
    MessagesRefused: ANY, SERVICE, &[Reason::PathNotFound]
);

/// What would have been sent
///
/// The last 100 messages of a simulated delivery, for tests and for trying out. They
/// are in auth-service's memory, and here when their imitated delivery is over. A
/// test number gets none. Where messages are really sent, nothing is at this path.
#[utoipa::path(
    get,
    path = "/dev/messages",
    operation_id = "list_messages",
    tag = "Sandbox",
    responses(
        (status = 200, description = "The messages.", body = Messages,
            headers(("Cache-Control" = String, description = "`no-store`: there are codes in it."))),
        MessagesRefused,
    ),
)]
pub(crate) async fn messages(
    State(services): State<Services>,
    method: Method,
) -> Result<Response, Problem> {
    let messages = listed(services).await?;
    if let Some(refused) = unless_read(&method) {
        return Ok(refused);
    }
    let message = |message: SandboxMessage| Message {
        phone_number: message.phone_number,
        text: message.text,
        segments: message.segments,
        sent_at: message.sent_at.map(rfc_3339).unwrap_or_default(),
    };
    let messages = messages.into_iter().map(message).collect();
    let answer = answer::json(StatusCode::OK, &Messages { messages });
    Ok(answer::unstored(answer))
}

/// A page that shows them
///
/// For people: it shows what is at `/dev/messages`, anew every second. Where messages
/// are really sent, nothing is at this path.
#[utoipa::path(
    get,
    path = "/dev",
    operation_id = "sandbox",
    tag = "Sandbox",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` that is known.")),
    responses(
        Page,
        MessagesRefused,
    ),
)]
pub(crate) async fn page(
    State(services): State<Services>,
    method: Method,
    headers: HeaderMap,
    file: File,
) -> Result<Response, Problem> {
    listed(services).await?;
    let refused = unless_read(&method);
    Ok(refused.unwrap_or_else(|| web::guarded(file.unless_known(&headers))))
}

/// The messages. Only auth-service knows whether they are simulated: where they are
/// not, it has no such call.
async fn listed(services: Services) -> Result<Vec<SandboxMessage>, Problem> {
    let mut sandbox = services.sandbox.clone();
    match sandbox.list_messages(ListMessagesRequest {}).await {
        Ok(listed) => Ok(listed.into_inner().messages),
        Err(status) if status.code() == Code::Unimplemented => Err(Problem::path_not_found()),
        Err(status) => Err(status.into()),
    }
}

/// The router is not asked: it would tell of a path that is not to be there.
fn unless_read(method: &Method) -> Option<Response> {
    if [Method::GET, Method::HEAD].contains(method) {
        return None;
    }
    let mut refused = no_such_method(method).into_response();
    let headers = refused.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static("GET,HEAD"));
    Some(refused)
}
