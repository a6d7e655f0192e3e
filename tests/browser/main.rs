//! The web page in a real browser: headless Chromium, through chromedriver.
//!
//! The browsers reach no host but this one. Pictures of every view are in
//! `target/browser/pictures` afterwards.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that fails panics"
)]

mod browsers;
#[path = "../common/http.rs"]
mod http;
mod journey;
mod leaving;
mod looks;
mod person;
#[expect(dead_code, reason = "it has more than this test needs")]
#[path = "../common/processes.rs"]
mod processes;
mod product;
mod qr;
mod reference;
mod sandbox;
mod steps;
mod stranger;
mod trouble;
mod watch;
