//! A line of the log: as tracing-subscriber writes it, with the request's id in the
//! place of a span.
//!
//! A span around each request would be made, written out, entered at each step and
//! closed, for the few lines that a request writes, or for none. Its id is at hand
//! anyway ([`crate::context`]), and is looked up when there is a line.

use std::fmt;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::{
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Full, Writer},
        time::{FormatTime, SystemTime},
    },
    registry::LookupSpan,
};

use crate::context;

/// What the request is called in a line.
const REQUEST: &str = "request";

/// Styles of a terminal, and the end of each.
const BOLD: &str = "\x1b[1m";
const DIM: &str = "\x1b[2m";
const ITALIC: &str = "\x1b[3m";
const PLAIN: &str = "\x1b[0m";

/// Writes lines.
pub(super) struct Lines {
    /// All that comes after the request's id.
    rest: Format<Full, ()>,
}

impl Default for Lines {
    fn default() -> Self {
        let rest = Format::default().without_time().with_level(false);
        Self { rest }
    }
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        styled(&mut writer, DIM, |writer| {
            let written = SystemTime.format_time(writer);
            written.or_else(|_| writer.write_str("<unknown time>"))
        })?;
        writer.write_char(' ')?;
        let (style, level) = level(*event.metadata().level());
        styled(&mut writer, style, |writer| writer.write_str(level))?;
        writer.write_char(' ')?;
        if let Some(written) = context::with_request_id(|id| request(&mut writer, id)) {
            written?;
            // Spans follow without a space.
            if context.event_scope().is_none() {
                writer.write_char(' ')?;
            }
        }
        self.rest.format_event(context, writer, event)
    }
}

fn level(level: Level) -> (&'static str, &'static str) {
    match level {
        Level::TRACE => ("\x1b[35m", "TRACE"),
        Level::DEBUG => ("\x1b[34m", "DEBUG"),
        Level::INFO => ("\x1b[32m", " INFO"),
        Level::WARN => ("\x1b[33m", " WARN"),
        Level::ERROR => ("\x1b[31m", "ERROR"),
    }
}

/// `request{id=…}:`
fn request(writer: &mut Writer<'_>, id: &str) -> fmt::Result {
    let mut put = |style, text| styled(writer, style, |writer| writer.write_str(text));
    put(BOLD, REQUEST)?;
    put(BOLD, "{")?;
    put(ITALIC, "id")?;
    put(DIM, "=")?;
    writer.write_str(id)?;
    let mut put = |style, text| styled(writer, style, |writer| writer.write_str(text));
    put(BOLD, "}")?;
    put(DIM, ":")
}

fn styled(
    writer: &mut Writer<'_>,
    style: &str,
    write: impl FnOnce(&mut Writer<'_>) -> fmt::Result,
) -> fmt::Result {
    if !writer.has_ansi_escapes() {
        return write(writer);
    }
    writer.write_str(style)?;
    write(writer)?;
    writer.write_str(PLAIN)
}

#[cfg(test)]
mod tests;
