//! A client that writes and reads plain bytes: no library smooths anything.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    /// The only header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} came twice: {self:?}");
        value
    }

    /// Checks that this is an error as every error has to be.
    #[track_caller]
    pub(crate) fn assert_problem(&self, status: u16, reason: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("error-code"), Some(reason), "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert!(self.header("request-id").is_some(), "{self:?}");
        let text = self
            .body
            .strip_prefix(r#"{"response":""#)
            .and_then(|rest| rest.strip_suffix(r#""}"#));
        assert!(text.is_some_and(|text| text.len() > 5), "{self:?}");
    }

    /// Checks that this says nothing but that it is done.
    #[track_caller]
    pub(crate) fn assert_done(&self) {
        assert_eq!((self.status, &*self.body), (204, ""), "{self:?}");
        // A 204 has neither (RFC 9110, section 8.6).
        assert_eq!(self.header("content-length"), None);
        assert_eq!(self.header("transfer-encoding"), None);
        assert_eq!(self.header("content-type"), None);
    }
}

/// Sends a request and reads the answer to the connection's end. With a body
/// come the headers that belong to it, unless `headers` has them.
pub(crate) async fn send(
    to: SocketAddr,
    line: &str,
    headers: &[(&str, &str)],
    body: Option<&[u8]>,
) -> Answer {
    let mut raw = format!("{line} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n").into_bytes();
    let given = |name: &str| {
        headers
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
    };
    for (name, value) in headers.iter().filter(|(_, value)| *value != ABSENT) {
        raw.extend_from_slice(format!("{name}: ").as_bytes());
        // Latin-1, so that a test can write any byte.
        raw.extend(value.chars().map(|byte| u8::try_from(byte).unwrap()));
        raw.extend_from_slice(b"\r\n");
    }
    if let Some(body) = body {
        if !given("content-type") {
            raw.extend_from_slice(b"Content-Type: application/json\r\n");
        }
        if !given("content-length") && !given("transfer-encoding") {
            raw.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
    }
    raw.extend_from_slice(b"\r\n");
    raw.extend_from_slice(body.unwrap_or_default());
    exchange(to, &raw).await
}

/// A header value that keeps the header out of the request.
pub(crate) const ABSENT: &str = "(absent)";

/// Sends bytes and reads the answer.
pub(crate) async fn exchange(to: SocketAddr, raw: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_all(raw).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    parse(&answer)
}

fn parse(raw: &[u8]) -> Answer {
    let text = String::from_utf8(raw.to_vec()).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap();
    let status = status_line.split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    Answer {
        status,
        headers,
        body: body.to_owned(),
    }
}
