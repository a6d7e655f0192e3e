//! The settings of providers.

use clap::Args;

/// How the providers are reached.
#[derive(Args, Clone, Debug)]
pub struct ProviderSettings {}
