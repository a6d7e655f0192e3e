//! Which web pages of other origins may call (the Fetch standard's CORS).

mod plain;

use std::{str::FromStr, time::Duration};

use http::{HeaderName, HeaderValue, Method};
use tower_http::cors::{AllowOrigin, CorsLayer};

pub use plain::{Answer, WithCors, WithCorsLayer};

/// What a page may send. `Authorization` has to be named: `*` leaves it out.
const SENT: [&str; 8] = [
    "authorization",
    "content-type",
    "challenge-id",
    "request-id",
    "grpc-timeout",
    "x-grpc-web",
    "x-user-agent",
    "connect-protocol-version",
];

/// What a page may read of an answer.
const EXPOSED: [&str; 12] = [
    "challenge-id",
    "otp-length",
    "otp-expires-in",
    "resend-after",
    "error-code",
    "request-id",
    "retry-after",
    "link",
    "www-authenticate",
    "grpc-status",
    "grpc-message",
    "grpc-status-details-bin",
];

/// The setting `CORS_ORIGINS`: `*`, a comma-separated list, or empty for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CorsOrigins {
    /// Every origin.
    Any,
    /// These origins; none if empty.
    List(Vec<HeaderValue>),
}

impl FromStr for CorsOrigins {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        if list.trim() == "*" {
            return Ok(Self::Any);
        }
        let parse = |origin: &str| {
            let is_origin = origin.split_once("://").is_some_and(|(scheme, rest)| {
                !scheme.is_empty() && !rest.is_empty() && !rest.contains('/')
            });
            HeaderValue::from_str(origin)
                .ok()
                .filter(|_| is_origin)
                .ok_or_else(|| format!("'{origin}' is no origin such as https://app.example"))
        };
        list.split(',')
            .map(str::trim)
            .filter(|origin| !origin.is_empty())
            .map(parse)
            .collect::<Result<_, _>>()
            .map(Self::List)
    }
}

impl CorsOrigins {
    /// The layer that answers preflights and adds the headers. Credentials
    /// (cookies) are never allowed from another origin.
    pub fn layer(&self) -> WithCorsLayer {
        let origins = match self {
            Self::Any => AllowOrigin::any(),
            Self::List(origins) => AllowOrigin::list(origins.iter().cloned()),
        };
        let layer = CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::DELETE])
            .allow_headers(SENT.map(HeaderName::from_static))
            .expose_headers(EXPOSED.map(HeaderName::from_static))
            .max_age(Duration::from_secs(7200));
        WithCorsLayer::new(layer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origins_are_checked() {
        assert_eq!("*".parse(), Ok(CorsOrigins::Any));
        assert_eq!("".parse(), Ok(CorsOrigins::List(vec![])));
        assert!(
            "https://a.example, http://localhost:3000"
                .parse::<CorsOrigins>()
                .is_ok()
        );
        assert!("a.example".parse::<CorsOrigins>().is_err());
        assert!("https://a.example/".parse::<CorsOrigins>().is_err());
    }
}
