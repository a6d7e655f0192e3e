//! End to end: real HTTP and real gRPC against the running product, on the
//! embedded storage and on PostgreSQL and Redis. A file is a promise.
#![expect(clippy::unwrap_used, reason = "a test that fails panics")]

mod architecture;
mod at_rest;
mod bad_input;
mod cluster;
mod common;
mod delivery;
mod embedded;
mod erasure;
mod grpc;
mod guessing;
mod journey;
mod keys;
mod logs;
mod metrics;
mod outage;
mod programs;
mod pumping;
mod races;
mod sandbox;
mod sessions;
mod sms;
mod test_numbers;
mod tls;
