//! Reads a request's body: a JSON object of at most 16 KiB.

use axum::{
    body::{Body, Bytes},
    http::{
        HeaderMap,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
};
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use proto::Reason;
use serde_json::{Map, Value};

use crate::problem::Problem;

/// The longest body that is read, in bytes.
const LIMIT: usize = 16 * 1024;

/// A body that is a JSON object. Keys that nobody asks for are ignored.
#[derive(Debug)]
pub(crate) struct Object(Map<String, Value>);

impl Object {
    /// Reads a body.
    ///
    /// # Errors
    /// `CONTENT_TYPE_UNSUPPORTED`, `BODY_TOO_LARGE`, `BODY_MALFORMED`.
    pub(crate) async fn read(headers: &HeaderMap, body: Body) -> Result<Self, Problem> {
        let typed = is_json(headers)?;
        let bytes = bytes(body).await?;
        if bytes.is_empty() {
            return Err(malformed("the body is empty: send a JSON object"));
        }
        if !typed {
            return Err(unsupported(
                "send the header Content-Type: application/json",
            ));
        }
        parse(&bytes).map(Self)
    }

    /// The string under `key`.
    ///
    /// # Errors
    /// `FIELD_INVALID` when there is none, or something else.
    pub(crate) fn text(&self, key: &str) -> Result<&str, Problem> {
        match self.0.get(key) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(Problem::field(key, "it must be a string")),
            None => Err(Problem::field(key, "it is missing")),
        }
    }

    /// The string under `key`, if there is one; null is as absent.
    ///
    /// # Errors
    /// `FIELD_INVALID` when there is something else.
    pub(crate) fn optional_text(&self, key: &str) -> Result<Option<&str>, Problem> {
        match self.0.get(key) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => self.text(key).map(Some),
        }
    }
}

/// Whether the body says that it is JSON; false when it says nothing.
fn is_json(headers: &HeaderMap) -> Result<bool, Problem> {
    if let Some(coding) = headers.get(CONTENT_ENCODING)
        && !coding
            .as_bytes()
            .trim_ascii()
            .eq_ignore_ascii_case(b"identity")
    {
        return Err(unsupported("the body must not be compressed"));
    }
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(false);
    };
    let media_type = value.as_bytes().split(|&byte| byte == b';').next();
    if media_type.is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(b"application/json")) {
        return Ok(true);
    }
    Err(unsupported("the body must be application/json"))
}

async fn bytes(body: Body) -> Result<Bytes, Problem> {
    // What a Content-Length announces need not be read to be refused.
    if body.size_hint().lower() > LIMIT as u64 {
        return Err(too_large());
    }
    match Limited::new(body, LIMIT).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(malformed("the body broke off")),
    }
}

fn parse(bytes: &[u8]) -> Result<Map<String, Value>, Problem> {
    let text = str::from_utf8(bytes).map_err(|_| malformed("the body is not UTF-8"))?;
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(malformed("the body must be a JSON object, in braces")),
        Err(error) => Err(malformed(format!("the body is not JSON: {error}"))),
    }
}

fn malformed(text: impl Into<String>) -> Problem {
    Problem::new(Reason::BodyMalformed, text)
}

fn unsupported(text: &str) -> Problem {
    Problem::new(Reason::ContentTypeUnsupported, text)
}

fn too_large() -> Problem {
    Problem::new(
        Reason::BodyTooLarge,
        format!("the body is larger than {LIMIT} bytes"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(headers: &[(&'static str, &str)], body: &[u8]) -> Result<Object, Reason> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        Object::read(&map, Body::from(body.to_vec()))
            .await
            .map_err(|problem| problem.reason())
    }

    #[tokio::test]
    async fn the_body_has_to_say_that_it_is_json() {
        let rows = [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("APPLICATION/Json ;x=y", true),
            ("application/merge-patch+json", false),
            ("application/jsonp", false),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("", false),
        ];
        for (media_type, taken) in rows {
            let outcome = read(&[("content-type", media_type)], b"{}").await;
            assert_eq!(outcome.is_ok(), taken, "{media_type}");
            if !taken {
                assert_eq!(outcome.unwrap_err(), Reason::ContentTypeUnsupported);
            }
        }
        let untyped = read(&[], b"{}").await.unwrap_err();
        assert_eq!(untyped, Reason::ContentTypeUnsupported);
        assert_eq!(read(&[], b"").await.unwrap_err(), Reason::BodyMalformed);
    }

    #[tokio::test]
    async fn a_compressed_body_is_not_read() {
        let json = ("content-type", "application/json");
        let packed = read(&[json, ("content-encoding", "gzip")], b"{}").await;
        assert_eq!(packed.unwrap_err(), Reason::ContentTypeUnsupported);
        assert!(
            read(&[json, ("content-encoding", "Identity")], b"{}")
                .await
                .is_ok()
        );
    }

    #[tokio::test]
    async fn sixteen_kibibytes_are_read_and_no_byte_more() {
        let json = [("content-type", "application/json")];
        let mut body = format!("{{\"x\":\"{}\"}}", "a".repeat(LIMIT - 8)).into_bytes();
        assert_eq!(body.len(), LIMIT);
        assert!(read(&json, &body).await.is_ok());
        body.push(b' ');
        assert_eq!(read(&json, &body).await.unwrap_err(), Reason::BodyTooLarge);
    }

    #[test]
    fn what_is_no_json_object_is_malformed() {
        let rows: &[&[u8]] = &[
            b"\xff\xfe",
            b"{\"x\":\"\xd0\"}",
            b"nonsense",
            b"{",
            b"{}{}",
            b"{'x':1}",
            b"[]",
            b"null",
            b"\"x\"",
            b"1",
            b"{\"x\":NaN}",
            b" ",
            b"\0",
        ];
        for body in rows {
            let reason = parse(body).map_err(|problem| problem.reason());
            assert_eq!(reason.unwrap_err(), Reason::BodyMalformed, "{body:?}");
        }
        let deep = format!("{{\"x\":{}", "[".repeat(10_000));
        assert!(
            parse(deep.as_bytes()).is_err(),
            "and the stack is still there"
        );
    }

    #[test]
    fn fields_are_strings() {
        let object = Object(parse(r#"{"text":"a","null":null,"number":1}"#.as_bytes()).unwrap());
        assert_eq!(object.text("text").unwrap(), "a");
        assert_eq!(object.optional_text("text").unwrap(), Some("a"));
        assert_eq!(object.optional_text("null").unwrap(), None);
        assert_eq!(object.optional_text("absent").unwrap(), None);
        for refused in [
            object.text("null"),
            object.text("number"),
            object.text("absent"),
        ] {
            assert_eq!(refused.unwrap_err().reason(), Reason::FieldInvalid);
        }
        assert!(object.optional_text("number").is_err());
    }
}
