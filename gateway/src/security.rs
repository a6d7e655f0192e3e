//! The headers that tell browsers what not to do with an answer.

use axum::{
    http::{
        HeaderValue,
        header::{REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS},
    },
    response::Response,
};

use crate::config::Config;

/// For a year, of this host alone: what else is under its domain, and on which
/// protocol, the gateway does not know.
const ONLY_BY_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds them to an answer. `Strict-Transport-Security` counts only over TLS
/// (RFC 6797, section 7.2), and is sent only there.
pub(crate) fn headers(config: &Config) -> impl Fn(Response) -> Response + Clone + Send + use<> {
    let strict = config.over_tls.then_some(ONLY_BY_TLS);
    move |mut response| {
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        if let Some(strict) = &strict {
            headers.insert(STRICT_TRANSPORT_SECURITY, strict.clone());
        }
        response
    }
}
