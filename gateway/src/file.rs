//! Files in the program, as answers.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH},
    },
    response::Response,
};

/// A text that is the same until the program is replaced. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct File {
    media_type: HeaderValue,
    policy: Option<HeaderValue>,
    etag: HeaderValue,
    text: Bytes,
}

impl File {
    /// A file of this media type.
    pub(crate) fn new(media_type: &'static str, text: impl Into<Bytes>) -> Self {
        let text = text.into();
        Self {
            media_type: HeaderValue::from_static(media_type),
            policy: None,
            etag: etag(&text),
            text,
        }
    }

    /// The same with a `Content-Security-Policy`.
    #[must_use]
    pub(crate) fn with_policy(self, policy: &'static str) -> Self {
        Self {
            policy: Some(HeaderValue::from_static(policy)),
            ..self
        }
    }

    /// The file, or 304 to whoever has it already.
    pub(crate) fn unless_known(self, request: &HeaderMap) -> Response {
        let known = is_known(&self.etag, request);
        let body = if known {
            Body::empty()
        } else {
            self.text.into()
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        // Asked about each time: the next version may be there at any moment.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(ETAG, self.etag);
        if let Some(policy) = self.policy {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        } else {
            headers.insert(CONTENT_TYPE, self.media_type);
        }
        response
    }
}

/// It tells versions of one file apart, which nobody chooses: no cryptography.
fn etag(text: &[u8]) -> HeaderValue {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let tag = format!("\"{:016x}\"", hasher.finish());
    HeaderValue::try_from(tag).unwrap_or_else(|_| HeaderValue::from_static("\"-\""))
}

/// Whether `If-None-Match` has the tag; `W/` does not count (RFC 9110, section
/// 13.1.2).
fn is_known(etag: &HeaderValue, request: &HeaderMap) -> bool {
    let lines = request.get_all(IF_NONE_MATCH).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .map(|tag| tag.strip_prefix(b"W/").unwrap_or(tag))
        .any(|tag| tag == b"*" || tag == etag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_file_is_not_sent_again() {
        let file = File::new("text/plain", "text");
        let tag = file.etag.to_str().unwrap().to_owned();
        let rows = [
            (vec![], 200),
            (vec![tag.clone()], 304),
            (vec![format!("W/{tag}")], 304),
            (vec![format!("\"a\", {tag}")], 304),
            (vec!["\"a\"".to_owned(), tag.clone()], 304),
            (vec!["*".to_owned()], 304),
            (vec!["\"a\"".to_owned()], 200),
            (vec![tag.trim_matches('"').to_owned()], 200),
            (vec![String::new()], 200),
        ];
        for (known, status) in rows {
            let mut headers = HeaderMap::new();
            for value in &known {
                headers.append(IF_NONE_MATCH, value.parse().unwrap());
            }
            let response = file.clone().unless_known(&headers);
            assert_eq!(response.status().as_u16(), status, "{known:?}");
            assert_eq!(response.headers()[ETAG], tag);
        }
    }

    #[test]
    fn another_text_has_another_tag() {
        assert_ne!(etag(b"a"), etag(b"b"));
        assert_eq!(etag(b"a"), etag(b"a"));
    }
}
