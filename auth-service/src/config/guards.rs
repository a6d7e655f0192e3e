//! The settings of the guards.

use clap::Args;

/// What messages are sent, and how many.
#[derive(Args, Clone, Debug)]
pub struct GuardSettings {}
