//! The log, on standard error: text for people, JSON lines for machines.

use std::{
    borrow::Cow,
    io::{IsTerminal, stderr},
};

use tracing::field::Field;
use tracing_subscriber::{EnvFilter, field::MakeExt, fmt};

use crate::config::LogFormat;

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
    let text = escaped(&text);
    match field.name() {
        "message" => write!(writer, "{text}"),
        name => write!(writer, "{name}={text}"),
    }
}

fn escaped(text: &str) -> Cow<'_, str> {
    if !text.contains(moves) {
        return Cow::Borrowed(text);
    }
    let escape = |letter: char| match moves(letter) {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    text.chars().map(escape).collect::<String>().into()
}

/// Whether it ends a line, moves the cursor or turns the direction of what follows.
fn moves(letter: char) -> bool {
    let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    letter.is_control() || turns
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

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn what_would_begin_a_line_or_move_a_cursor_is_shown() {
        assert_eq!(escaped("as it is, \u{e4}"), "as it is, \u{e4}");
        assert_eq!(escaped("a\nb\x1b[31mc\x07"), r"a\nb\u{1b}[31mc\u{7}");
    }
}
