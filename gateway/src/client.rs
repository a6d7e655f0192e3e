//! What a request says about the client behind it.

use axum::http::{
    HeaderMap,
    header::{ACCEPT_LANGUAGE, AUTHORIZATION, COOKIE, USER_AGENT},
};
use proto::Reason;
use tonic::metadata::AsciiMetadataValue;

use crate::problem::Problem;

/// The longest `Authorization` that is passed on, in bytes.
const AUTHORIZATION_LIMIT: usize = 4 * 1024;
/// How much of a `User-Agent` is passed on, in characters.
const USER_AGENT_LIMIT: usize = 256;
/// The longest `Accept-Language` that is passed on, in bytes.
const LANGUAGES_LIMIT: usize = 256;

/// The user's `Authorization`, to go along to a service, which checks it.
///
/// # Errors
/// `TOKEN_MISSING` when there is none; `TOKEN_INVALID` when it cannot be one.
pub(crate) fn authorization(headers: &HeaderMap) -> Result<AsciiMetadataValue, Problem> {
    let Some(value) = headers.get(AUTHORIZATION) else {
        return Err(Problem::new(
            Reason::TokenMissing,
            "send an access token: Authorization: Bearer <token>",
        ));
    };
    value
        .to_str()
        .ok()
        .filter(|value| value.len() <= AUTHORIZATION_LIMIT)
        .and_then(|value| value.parse().ok())
        .ok_or_else(|| Problem::new(Reason::TokenInvalid, "the access token is not valid"))
}

/// The `User-Agent`, shortened, without control characters.
pub(crate) fn user_agent(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(USER_AGENT)?;
    let text: String = String::from_utf8_lossy(value.as_bytes())
        .chars()
        .filter(|character| !character.is_control())
        .take(USER_AGENT_LIMIT)
        .collect();
    (!text.is_empty()).then_some(text)
}

/// The languages that the person reads. Of an unusually long list, none.
pub(crate) fn languages(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(ACCEPT_LANGUAGE)?.to_str().ok()?;
    (value.len() <= LANGUAGES_LIMIT).then(|| value.to_owned())
}

/// The value of the cookie `name`, as it was sent. Of several, the first: a
/// browser sends the one of the longest path first (RFC 6265, section 5.4).
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter();
    lines
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b';'))
        .map(|pair| String::from_utf8_lossy(pair.trim_ascii()))
        .find_map(|pair| {
            let (found, value) = pair.split_once('=')?;
            (found == name && !value.is_empty()).then(|| value.to_owned())
        })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: &'static str, values: &[&[u8]]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for value in values {
            map.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        map
    }

    #[test]
    fn an_authorization_is_passed_on_as_it_is_if_it_can_be_one() {
        let outcome = |value: &[u8]| {
            authorization(&headers("authorization", &[value]))
                .map(|value| value.to_str().unwrap().to_owned())
                .map_err(|problem| problem.reason())
        };
        assert_eq!(outcome(b"Bearer a.b.c"), Ok("Bearer a.b.c".to_owned()));
        assert!(outcome(&[b'a'; AUTHORIZATION_LIMIT]).is_ok());
        let long = outcome(&[b'a'; AUTHORIZATION_LIMIT + 1]);
        assert_eq!(long, Err(Reason::TokenInvalid));
        let foreign = outcome("Bearer ключ".as_bytes());
        assert_eq!(foreign, Err(Reason::TokenInvalid));
        let missing = authorization(&HeaderMap::new()).unwrap_err();
        assert_eq!(missing.reason(), Reason::TokenMissing);
    }

    #[test]
    fn a_user_agent_is_cut_and_cleaned() {
        let read = |value: &[u8]| user_agent(&headers("user-agent", &[value]));
        assert_eq!(read(b"curl/8\t(x)").as_deref(), Some("curl/8(x)"));
        assert_eq!(read(b"\xff").as_deref(), Some("\u{fffd}"));
        assert_eq!(read(&[b'a'; 300]).unwrap().len(), 256);
        assert_eq!(read(b""), None);
        assert_eq!(user_agent(&HeaderMap::new()), None);
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        let rows: &[(&[&[u8]], Option<&str>)] = &[
            (&[b"challenge=a"], Some("a")),
            (&[b"x=1; challenge=a-b_c==; y=2"], Some("a-b_c==")),
            (&[b"x=1", b"challenge=a"], Some("a")),
            (&[b"challenge=a; challenge=b"], Some("a")),
            (&[b"challenge=\"a\""], Some("\"a\"")),
            (&[b"challenge="], None),
            (&[b"challenge"], None),
            (&[b"Challenge=a"], None),
            (&[b"mychallenge=a"], None),
            (&[b"\xff=1;challenge=a"], Some("a")),
            (&[], None),
        ];
        for (lines, expected) in rows {
            let found = cookie(&headers("cookie", lines), "challenge");
            assert_eq!(found.as_deref(), *expected, "{lines:?}");
        }
    }
}
