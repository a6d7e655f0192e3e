//! The address of the client behind a request.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering},
};

use http::{Extensions, HeaderMap};
use ipnet::IpNet;

/// The socket's peer, put into every request's extensions by the listener.
#[derive(Clone, Copy, Debug)]
pub struct PeerAddress(pub SocketAddr);

impl PeerAddress {
    /// The peer's IP address. Every request that a listener of this crate took
    /// has one; the unspecified address stands for a request made without.
    pub fn of(extensions: &Extensions) -> IpAddr {
        extensions
            .get::<Self>()
            .map_or(IpAddr::from([0, 0, 0, 0]), |peer| canonical(peer.0.ip()))
    }
}

/// IPv4-mapped IPv6 is IPv4.
pub fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// The proxies whose `X-Forwarded-For` counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl FromStr for TrustedProxies {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        let parse = |entry: &str| {
            entry
                .parse::<IpNet>()
                .or_else(|_| entry.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| format!("'{entry}' is no CIDR block such as 10.0.0.0/8"))
        };
        list.split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl TrustedProxies {
    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|net| net.contains(&address))
    }

    /// The client's address: the peer, or, when the peer is a trusted proxy,
    /// the first address of `X-Forwarded-For`, read from right to left, that
    /// is none. What cannot be parsed is never believed: then it is the peer.
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let peer = canonical(peer);
        if !headers.contains_key("x-forwarded-for") {
            return peer;
        }
        if !self.contains(peer) {
            warn_once(peer);
            return peer;
        }
        self.forwarded(headers).unwrap_or(peer)
    }

    fn forwarded(&self, headers: &HeaderMap) -> Option<IpAddr> {
        // A line added by a later proxy comes after the earlier ones: joined,
        // the last entry of the last line is the nearest hop.
        let lines: Vec<_> = headers.get_all("x-forwarded-for").iter().collect();
        for line in lines.iter().rev() {
            for entry in line.to_str().ok()?.rsplit(',') {
                let address = canonical(parse_entry(entry.trim())?);
                if !self.contains(address) {
                    return Some(address);
                }
            }
        }
        None
    }
}

/// An address, or one with a port as some proxies write it.
fn parse_entry(entry: &str) -> Option<IpAddr> {
    let bare = entry
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    bare.unwrap_or(entry)
        .parse::<IpAddr>()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|socket| socket.ip()))
}

fn warn_once(peer: IpAddr) {
    static WARNED: AtomicBool = AtomicBool::new(false);
    if !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(
            %peer,
            "X-Forwarded-For came from a peer that is no trusted proxy and is not believed; \
             set the trusted proxies if this is one (said once)"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_is_the_first_address_from_the_right_that_is_no_proxy() {
        let rows: &[(&str, &[&str], &str)] = &[
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["9.9.9.9, 1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["9.9.9.9", "1.2.3.4, 10.0.0.7"], "1.2.3.4"),
            ("10.0.0.1", &["1.2.3.4", "10.0.0.7"], "1.2.3.4"),
            ("10.0.0.1", &["10.0.0.8, 10.0.0.7"], "10.0.0.1"),
            ("10.0.0.1", &["1.2.3.4, rubbish"], "10.0.0.1"),
            ("10.0.0.1", &["rubbish, 1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            ("10.0.0.1", &["::ffff:1.2.3.4"], "1.2.3.4"),
            ("10.0.0.1", &["1.2.3.4:5678"], "1.2.3.4"),
            ("10.0.0.1", &["[2001:db8::1]:5678"], "2001:db8::1"),
            ("10.0.0.1", &["2001:db8::1"], "2001:db8::1"),
            ("::ffff:10.0.0.1", &["1.2.3.4"], "1.2.3.4"),
            ("192.0.2.1", &["1.2.3.4"], "192.0.2.1"),
        ];
        let proxies: TrustedProxies = "10.0.0.0/8, fd00::/8".parse().unwrap();
        for (peer, lines, expected) in rows {
            let mut headers = HeaderMap::new();
            for line in *lines {
                headers.append("x-forwarded-for", line.parse().unwrap());
            }
            let found = proxies.client_address(peer.parse().unwrap(), &headers);
            assert_eq!(found.to_string(), *expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn a_list_names_blocks_or_single_addresses() {
        assert_eq!("".parse(), Ok(TrustedProxies::default()));
        assert!("127.0.0.1,::1".parse::<TrustedProxies>().is_ok());
        assert!("10.0.0.0/33".parse::<TrustedProxies>().is_err());
        assert!("proxy".parse::<TrustedProxies>().is_err());
    }
}
