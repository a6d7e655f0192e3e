//! Ports.

use std::{
    hash::{BuildHasher as _, RandomState},
    net::{Ipv4Addr, TcpListener},
};

/// Below the range out of which the kernel gives ports (from 32,768 on): a
/// server that is stopped for a while finds its port free when it comes back,
/// however many connections and listeners come and go in between.
const RANGE: std::ops::Range<u16> = 15_000..32_000;
/// Ports that are tried.
const TRIES: u64 = 1_000;

/// A loopback port that was free a moment ago. Somebody else may take it
/// before the server does: a start that fails is tried again with another one.
pub fn free_port() -> u16 {
    let random = RandomState::new();
    (0..TRIES)
        .map(|each| {
            let offset = random.hash_one(each) % u64::from(RANGE.end - RANGE.start);
            RANGE.start + u16::try_from(offset).unwrap_or_default()
        })
        .find(|&port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        .unwrap_or_else(|| panic!("no free port on 127.0.0.1 in {RANGE:?}"))
}
