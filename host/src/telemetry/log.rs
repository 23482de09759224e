//! The log, on standard error: text for people, JSON lines for machines.

use std::io::{IsTerminal, stderr};

use tracing::field::Field;
use tracing_subscriber::{EnvFilter, field::MakeExt, fmt};

use crate::{config::LogFormat, printable::one_line};

/// Starts logging at `level`, a filter directive such as `info` or `tollgate=debug`.
///
/// Called twice, the second call does nothing: the subscriber is the process's.
pub(crate) fn init(level: &str, format: LogFormat) {
    // The HTTP/2 library warns of what clients do, as often as they do it.
    let level = match level.contains("h2") {
        true => level.to_owned(),
        false => format!("{level},h2=error"),
    };
    let filter = EnvFilter::try_new(level).unwrap_or_else(|_| EnvFilter::new("info"));
    let json = match format {
        LogFormat::Auto => !stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let builder = fmt().with_env_filter(filter).with_writer(stderr);
    let set = if json {
        builder.json().flatten_event(true).with_current_span(false).try_init()
    } else {
        let fields = fmt::format::debug_fn(write_field).delimited(" ");
        builder.fmt_fields(fields).with_ansi(stderr().is_terminal()).try_init()
    };
    // A second start in one process (tests of the library) keeps the first one's log.
    let _ = set;
}

/// What others have said goes into one line, and moves nobody's cursor.
fn write_field(
    writer: &mut fmt::format::Writer<'_>,
    field: &Field,
    value: &dyn std::fmt::Debug,
) -> std::fmt::Result {
    let text = format!("{value:?}");
    let text = one_line(&text);
    match field.name() {
        "message" => write!(writer, "{text}"),
        name => write!(writer, "{name}={text}"),
    }
}

/// Tells who watches a command what takes it long: fetching and compiling. Scripts get none of it;
/// for them standard error has faults and nothing else.
pub(crate) fn progress() {
    if !stderr().is_terminal() {
        return;
    }
    let slow = "off,tollgate::plugin::component=info,tollgate::registry=info";
    let builder = fmt().with_env_filter(EnvFilter::new(slow)).with_writer(stderr);
    let _ = builder.without_time().with_level(false).with_target(false).try_init();
}
