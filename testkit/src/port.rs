//! Ports.

use std::net::{Ipv4Addr, TcpListener};

/// A loopback port that was free a moment ago. Somebody else may take it
/// before the server does: a start that fails is tried again with another one.
pub fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .unwrap_or_else(|error| panic!("no free port on 127.0.0.1: {error}"))
        .port()
}
