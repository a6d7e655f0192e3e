//! `/openapi.json`, and `/docs`: a page that shows it and tries it out. The page
//! is a few files in the program, and loads nothing from elsewhere.

use axum::{
    extract::State,
    http::HeaderMap,
    response::Response,
    routing::{MethodRouter, get},
};

use crate::{
    file::File,
    openapi::{
        self,
        page::Page,
        refusals::{ANY, refused},
    },
    services::Services,
};

/// What the page may do: load its own parts, and call this API.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The paths of the document, of the page, and of the page's parts.
pub(crate) fn paths() -> [(&'static str, MethodRouter<Services>); 5] {
    let file = |media_type, text: &'static str| get(part).with_state(File::new(media_type, text));
    [
        ("/openapi.json", get(document).with_state(description())),
        (
            "/docs",
            get(page).with_state(
                File::new(
                    "text/html; charset=utf-8",
                    include_str!("reference/page.html"),
                )
                .with_policy(POLICY),
            ),
        ),
        (
            "/docs/reference.css",
            file(
                "text/css; charset=utf-8",
                include_str!("reference/reference.css"),
            ),
        ),
        (
            "/docs/reference.js",
            file(
                "text/javascript; charset=utf-8",
                include_str!("reference/reference.js"),
            ),
        ),
        (
            "/docs/icon.svg",
            file("image/svg+xml", include_str!("reference/icon.svg")),
        ),
    ]
}

async fn part(State(file): State<File>, headers: HeaderMap) -> Response {
    file.unless_known(&headers)
}

/// Plain structs of texts always can be written as JSON.
fn description() -> File {
    File::new("application/json", openapi::document().unwrap_or_default())
}

refused!(
    /// By what holds for every path.
    Refused: ANY
);

/// This document
///
/// OpenAPI 3.1. It is the same until the program is replaced: `If-None-Match`
/// spares its transfer.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "get_openapi",
    tag = "For machines",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` that is known.")),
    responses(
        (status = 200, description = "The document.", content_type = "application/json", body = Object,
            headers(("ETag" = String, description = "Names this version."))),
        (status = 304, description = "It is the one that is known.",
            headers(("ETag" = String, description = "Names this version."))),
        Refused,
    ),
)]
pub(crate) async fn document(State(file): State<File>, headers: HeaderMap) -> Response {
    file.unless_known(&headers)
}

/// A page that shows this document
///
/// For people: it can send the requests too. It loads nothing from elsewhere.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "docs",
    tag = "For machines",
    params(("If-None-Match" = Option<String>, Header, description = "The `ETag` that is known.")),
    responses(
        Page,
        Refused,
    ),
)]
pub(crate) async fn page(State(file): State<File>, headers: HeaderMap) -> Response {
    file.unless_known(&headers)
}
