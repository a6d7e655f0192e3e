//! What comes along with a request.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::{Arc, LazyLock},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, Response};
use kit::{
    client_address::TrustedProxies,
    context::{self, DEFAULT_DEADLINE, REQUEST_ID, WithContext},
    random::SystemRandom,
};
use tokio::time::Instant;
use tower::Service as _;

use super::{at_once, first_line, text};

/// What stands in `X-Forwarded-For` and in the list of proxies.
pub(crate) const ADDRESS_WORDS: &[&str] = &[
    "10.0.0.7",
    "1.2.3.4",
    "2001:db8::1",
    "::ffff:10.0.0.1",
    "::ffff:",
    "fd00::1",
    "fe80::1%eth0",
    "[",
    "]",
    ":443",
    "/8",
    "/0",
    "/129",
    ", ",
    "unknown",
];

static PROXIES: LazyLock<TrustedProxies> =
    LazyLock::new(|| "10.0.0.0/8, fd00::/8".parse().unwrap());

/// The peer's address, and lines of `X-Forwarded-For`: the client is the peer,
/// or an address that a line names and that is no proxy, with nothing but
/// proxies behind it.
pub(crate) fn client_address(data: &[u8]) -> bool {
    let (peer, lines) = first_line(data);
    let Ok(peer) = text(peer).parse::<IpAddr>() else {
        return false;
    };
    let mut headers = HeaderMap::new();
    for line in lines.split(|&byte| byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append("x-forwarded-for", value);
        }
    }
    let client = PROXIES.client_address(peer, &headers);
    let peer = peer.to_canonical();
    if client == peer {
        return false;
    }
    assert!(is_proxy(peer), "{peer} is not believed");
    assert!(!is_proxy(client));
    let named = headers
        .get_all("x-forwarded-for")
        .iter()
        .flat_map(|line| line.as_bytes().split(|&byte| byte == b','))
        .map(|entry| address(text(entry).trim()))
        .collect::<Vec<_>>();
    let place = named.iter().rposition(|entry| *entry == Some(client));
    let behind = &named[place.expect("a line names the client") + 1..];
    assert!(behind.iter().all(|entry| entry.is_some_and(is_proxy)));
    true
}

fn is_proxy(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.octets()[0] == 10,
        IpAddr::V6(address) => address.octets()[0] == 0xfd,
    }
}

fn address(entry: &str) -> Option<IpAddr> {
    let socket = entry.parse::<SocketAddr>().map(|socket| socket.ip());
    let bare = entry.trim_start_matches('[').trim_end_matches(']').parse();
    bare.or(socket).ok().map(|address| address.to_canonical())
}

/// The setting: spaces and empty entries mean nothing.
pub(crate) fn trusted_proxies(data: &[u8]) -> bool {
    let input = text(data);
    let Ok(proxies) = input.parse::<TrustedProxies>() else {
        return false;
    };
    let spaced = format!(" , {} ,", input.replace(',', " , ,"));
    assert_eq!(spaced.parse(), Ok(proxies));
    true
}

/// A line that is the request's id and one that is its `grpc-timeout`: the
/// answer has an id, and the time is never longer than without.
pub(crate) fn context(data: &[u8]) -> bool {
    let (id, timeout) = first_line(data);
    let mut request = Request::new(());
    for (name, value) in [(REQUEST_ID, id), ("grpc-timeout", timeout)] {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            request.headers_mut().insert(name, value);
        }
    }
    let seen = tower::service_fn(|_: Request<()>| async {
        let seen = (context::request_id(), context::deadline());
        Ok::<_, Infallible>(Response::new(seen))
    });
    let before = Instant::now();
    let mut service = WithContext::new(seen, Arc::new(SystemRandom::default()));
    let Ok(answer) = at_once(service.call(request));
    let after = Instant::now();

    let ids: Vec<_> = answer.headers().get_all(REQUEST_ID).iter().collect();
    let (inside, deadline) = answer.body();
    let inside = inside.as_ref().unwrap().to_str().unwrap();
    assert_eq!(ids, [inside]);
    assert!((1..=128).contains(&inside.len()));
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"._:=+/-".contains(&byte);
    assert!(inside.bytes().all(harmless), "{inside}");
    let kept = inside.as_bytes() == id;
    let drawn = |byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    assert!(kept || (inside.len() == 32 && inside.bytes().all(drawn)));

    let allowed = promised(timeout).unwrap_or(DEFAULT_DEADLINE);
    let allowed = allowed.min(DEFAULT_DEADLINE);
    let deadline = deadline.unwrap();
    assert!((before + allowed..=after + allowed).contains(&deadline));
    kept || allowed < DEFAULT_DEADLINE
}

/// The time that a `grpc-timeout` speaks of, counted in nanoseconds.
fn promised(timeout: &[u8]) -> Option<Duration> {
    let (unit, digits) = timeout.split_last()?;
    let nanoseconds: u128 = match unit {
        b'H' => 3_600_000_000_000,
        b'M' => 60_000_000_000,
        b'S' => 1_000_000_000,
        b'm' => 1_000_000,
        b'u' => 1_000,
        b'n' => 1,
        _ => return None,
    };
    let right = (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    let count: u128 = text(digits).parse().ok().filter(|_| right)?;
    let total = (count * nanoseconds).min(DEFAULT_DEADLINE.as_nanos());
    Some(Duration::from_nanos(u64::try_from(total).unwrap()))
}
