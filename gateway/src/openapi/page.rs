//! How a page for people is described.

use utoipa::IntoResponses;

/// A page that is the same until the program is replaced.
#[derive(IntoResponses)]
#[expect(dead_code, reason = "it describes answers, and is none")]
pub(crate) enum Page {
    #[response(status = 200, description = "The page.", content_type = "text/html", headers(
        ("ETag" = String, description = "Names this version."),
        ("Content-Security-Policy" = String, description = "Only what is here is loaded."),
    ))]
    New(String),
    #[response(status = 304, description = "It is the one that is known.",
        headers(("ETag" = String, description = "Names this version.")))]
    Known,
}
