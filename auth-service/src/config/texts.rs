//! The settings of what messages say.

use clap::Args;

/// What messages say.
#[derive(Args, Clone, Debug)]
pub struct TextSettings {}
