//! The log: lines on stderr.

mod lines;

use std::io::IsTerminal as _;

use tracing_subscriber::{
    filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

use crate::settings::SettingsError;
use lines::Lines;

/// Writes an audit event: what was tried, what came of it, and who it was, as a
/// structured log line of the target `audit` at level info. The request's id is
/// before it, as in every line. Phone numbers go in with `?`, which masks them.
///
/// ```
/// let user_id = 7;
/// kit::audit!("sign_out", "ended", %user_id);
/// ```
#[macro_export]
macro_rules! audit {
    ($event:literal, $outcome:literal, $($who:tt)+) => {
        ::tracing::info!(target: "audit", event = $event, outcome = $outcome, $($who)+)
    };
}

/// Starts the log with this filter (`RUST_LOG`). In a process where it was started before,
/// nothing changes.
///
/// # Errors
/// When the filter cannot be read.
pub fn install(filter: &str) -> Result<(), SettingsError> {
    let filter: Targets = filter
        .parse()
        .map_err(|error| SettingsError(format!("RUST_LOG: {error}")))?;
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines::default())
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let _ = tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init();
    Ok(())
}
