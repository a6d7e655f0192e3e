//! What the outside sees of the gateway, byte by byte, over real sockets.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "clippy takes the helpers of an integration test for a program"
)]

mod auths;
mod bodies;
mod delivery;
mod every_answer;
mod http;
mod meta;
mod metrics;
mod personal_area;
mod reference;
mod sandbox;
mod sessions;
mod tokens;
mod web;
mod web_session;
mod world;
