//! Hostile input for everything in this workspace that reads it.
//!
//! A target is a function of bytes that panics when a promise is broken. Two
//! engines feed the same targets: the small mutator in this crate, on stable
//! Rust and in every test run, and libFuzzer in `coverage/`, which looks where
//! an input led to and takes its time. See README.md.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a panic is how a target tells of a fault"
)]

mod mutate;
mod run;
mod targets;

pub use run::{Failure, replay, run};

/// Something that reads input.
pub struct Target {
    /// Its name, and that of its folder in `corpus/`.
    pub name: &'static str,
    /// Reads an input and panics when a promise is broken. Tells whether the
    /// input was taken: one that was is worth changing further.
    pub read: fn(&[u8]) -> bool,
    /// How many inputs a usual run makes.
    pub inputs: u32,
    /// Pieces of text that mean something here.
    pub words: &'static [&'static str],
    /// Seeds that must be made, since they are signed or encoded; the others
    /// are the files in `corpus/`.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

pub use targets::TARGETS;

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
