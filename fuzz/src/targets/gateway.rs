//! The gateway, over its socket: its routes are nobody else's business.
//!
//! The services behind it are not there, so that what is right ends in a 503.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    panic,
    sync::{
        LazyLock,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use clap::Parser as _;
use gateway::config::{Cli, Config};
use http::{HeaderName, HeaderValue, Method};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::text;

/// What stands in requests.
pub(crate) const WORDS: &[&str] = &[
    "\n\n",
    "\r\n\r\n",
    "{\"",
    "\"}",
    "\":\"",
    "null",
    "[[[[[[[[[[[[[[[[",
    "\\u0000",
    "\\ud800",
    "otp",
    "phone_number",
    "challenge_id",
    "invited_by",
    "refresh_token",
    "page_size=",
    "page_token=",
    "?",
    "/",
    "//",
    "..",
    "%2e%2e",
    "%2F",
    "Bearer ",
    "challenge=",
    "x-forwarded-for: ",
    "content-type: application/json\n",
    "Transfer-Encoding: chunked\r\n",
    "Content-Length: 3\r\n",
    "Expect: 100-continue\r\n",
    "HTTP/1.0",
    "HTTP/2.0",
];

/// Headers that say where a request ends and who it is for: those are ours.
const FRAMING: [&str; 7] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// The longest that a request may take; the gateway itself gives it 15 s.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long to wait for an answer that need not come.
const QUIET: Duration = Duration::from_millis(10);

const THREAD: &str = "fuzzed-gateway";
static PANICS: AtomicUsize = AtomicUsize::new(0);

static GATEWAY: LazyLock<SocketAddr> = LazyLock::new(start);

fn start() -> SocketAddr {
    // A panic in a task ends its connection and nobody else hears of it.
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if thread::current().name() == Some(THREAD) {
            PANICS.fetch_add(1, Ordering::SeqCst);
        }
        before(info);
    }));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .thread_name(THREAD)
        .enable_all()
        .build()
        .unwrap();
    let flags = [
        "gateway",
        "--auth-url=http://127.0.0.1:1",
        "--profile-url=http://127.0.0.1:1",
        "--gateway-key=AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",
        "--gateway-trusted-proxies=127.0.0.1",
        "--cors-origins=https://a.example",
    ];
    let config = Config::from_cli(&Cli::try_parse_from(flags).unwrap()).unwrap();
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            let serve = gateway::serve(config, listener, CancellationToken::new().into());
            // A worker's thread has the name that the hook looks for.
            tokio::spawn(serve).await.unwrap().unwrap();
        });
    });
    told.recv().unwrap()
}

/// A request as lines: `METHOD TARGET`, headers, an empty line, the body. It is
/// sent with its length, so it must be answered, and never with a fault of the
/// product.
pub(crate) fn requests(data: &[u8]) -> bool {
    let Some(raw) = framed(data) else {
        return false;
    };
    let mut stream = TcpStream::connect(*GATEWAY).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(&raw).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert_no_panic();
    let is_head = raw.starts_with(b"HEAD ");
    let answer = Answer::parse(&answer).expect("an answer");
    let length = answer.header("content-length").map(|length| {
        let length: usize = length.parse().expect("a length");
        length
    });
    if !is_head {
        assert_eq!(length.unwrap_or(0), answer.body.len(), "{answer:?}");
    }
    assert_answer(&answer);
    if answer.header("content-type") == Some("application/json") && !is_head {
        let body: Value = serde_json::from_slice(answer.body).expect("JSON");
        if answer.status >= 400 {
            assert!(body["response"].is_string(), "{answer:?}");
            assert!(answer.header("error-code").is_some(), "{answer:?}");
            assert!(answer.header("request-id").is_some(), "{answer:?}");
        }
    }
    // What gets as far as the services that are not there.
    answer.status == 503
}

/// `None` when it cannot be written as HTTP.
fn framed(data: &[u8]) -> Option<Vec<u8>> {
    let end = data.windows(2).position(|pair| pair == b"\n\n");
    let (head, body) = match end {
        Some(end) => (&data[..end], &data[end + 2..]),
        None => (data, &[][..]),
    };
    let mut lines = head.split(|&byte| byte == b'\n');
    let first = text(lines.next()?);
    let (method, target) = first.split_once(' ')?;
    Method::from_bytes(method.as_bytes()).ok()?;
    if target.is_empty() || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut raw = format!(
        "{method} {target} HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    )
    .into_bytes();
    for line in lines {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        let value = HeaderValue::from_bytes(&line[colon + 1..]).ok()?;
        if !FRAMING.contains(&name.as_str()) {
            raw.extend_from_slice(name.as_str().as_bytes());
            raw.extend_from_slice(b": ");
            raw.extend_from_slice(value.as_bytes());
            raw.extend_from_slice(b"\r\n");
        }
    }
    raw.extend_from_slice(b"\r\n");
    raw.extend_from_slice(body);
    Some(raw)
}

/// Bytes as they are: what is answered is answered in HTTP, and the gateway
/// lives on.
pub(crate) fn bytes(data: &[u8]) -> bool {
    let said = exchange(data);
    assert_no_panic();
    let is_http_2 = data.starts_with(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    if !is_http_2 && !said.is_empty() {
        assert_answer(&Answer::parse(&said).expect("an answer"));
    }
    let alive = exchange(b"GET /livez HTTP/1.1\r\nHost: gateway\r\nConnection: close\r\n\r\n");
    assert_eq!(Answer::parse(&alive).expect("an answer").status, 200);
    !said.is_empty()
}

fn exchange(data: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(*GATEWAY).unwrap();
    let mut said = Vec::new();
    // It may well have hung up before it was told everything.
    if stream.write_all(data).is_err() {
        return said;
    }
    stream.set_read_timeout(Some(QUIET)).unwrap();
    match stream.read_to_end(&mut said) {
        // It waits for more: there is none.
        Err(error) if is_timeout(&error) => {}
        _ => return said,
    }
    let _ = stream.shutdown(Shutdown::Write);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let end = stream.read_to_end(&mut said);
    assert!(!end.is_err_and(|error| is_timeout(&error)), "it hangs");
    said
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn assert_no_panic() {
    assert_eq!(PANICS.swap(0, Ordering::SeqCst), 0, "the gateway panicked");
}

fn assert_answer(answer: &Answer<'_>) {
    let status = answer.status;
    assert!((100..500).contains(&status) || status == 503, "{answer:?}");
}

#[derive(Debug)]
struct Answer<'a> {
    status: u16,
    headers: Vec<(String, String)>,
    body: &'a [u8],
}

impl<'a> Answer<'a> {
    /// `None` when this is no HTTP.
    fn parse(raw: &'a [u8]) -> Option<Self> {
        let end = raw.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = str::from_utf8(&raw[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?;
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_ascii_lowercase(), value.trim().to_owned()))
        };
        Some(Self {
            status: status.parse().ok()?,
            headers: lines.map(header).collect::<Option<_>>()?,
            body: &raw[end + 4..],
        })
    }

    fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        found.next().map(|(_, value)| value.as_str())
    }
}
