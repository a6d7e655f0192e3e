//! JSON answers, and the empty one.

use axum::{
    body::Body,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::Response,
};
use serde::Serialize;
use utoipa::ToSchema;

/// An answer with a JSON body: compact, its keys in the order of the fields.
pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    let (status, body) = match serde_json::to_vec(value) {
        Ok(body) => (status, body),
        // Plain structs of texts and lists always can be written as JSON.
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// What was done, in a sentence.
#[derive(Serialize, ToSchema)]
pub(crate) struct Said<'a> {
    response: &'a str,
}

/// The answer `{"response":"<text>"}`.
pub(crate) fn said(status: StatusCode, text: &str) -> Response {
    json(status, &Said { response: text })
}

/// The same answer, to be kept in no cache: codes, tokens, phone numbers.
pub(crate) fn unstored(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The answer that it is done, 204 without a body.
pub(crate) fn done() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response
}
