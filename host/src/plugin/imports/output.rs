//! A guest's standard output and error: lines of the log.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::HeaderValue;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use wasmtime_wasi::{
    WasiCtxBuilder,
    cli::{IsTerminal, StdoutStream},
};

use crate::plugin::{meter::Meter, settings::Settings};

/// Longest line that the log gets, in bytes; the rest of it is dropped.
pub(super) const MAX_LINE: usize = 4096;

const PANICKED: &str = " panicked at ";

/// How the last line of a panic's message begins, which helps nobody here.
const NOTE: &str = "note: run with `RUST_BACKTRACE";

#[derive(Clone)]
struct Output {
    settings: Arc<Settings>,
    stream: &'static str,
    /// What there is of a line; a guest can take the stream as often as it likes.
    line: Arc<Mutex<Vec<u8>>>,
    printing: Printing,
    meter: Arc<Meter>,
}

/// What a guest's printing has to do with the rest: whose log lines it is, and why the guest ends.
#[derive(Clone, Default)]
pub(crate) struct Printing(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    /// The exchange in whose hook the guest is.
    id: Option<HeaderValue>,
    /// The message of a panic, from where it was.
    panic: Option<String>,
    /// Of each stream, what of a line there is so far.
    unended: Vec<(&'static str, Arc<Mutex<Vec<u8>>>)>,
}

impl Printing {
    /// Of the guest whose context this becomes: what it prints goes to the log.
    /// It takes of the CPU time that `meter` counts.
    pub(crate) fn of(
        wasi: &mut WasiCtxBuilder,
        settings: &Arc<Settings>,
        meter: &Arc<Meter>,
    ) -> Self {
        let printing = Self::default();
        let output = |stream| {
            let line = Arc::<Mutex<Vec<u8>>>::default();
            printing.0.lock().unended.push((stream, Arc::clone(&line)));
            let (settings, meter) = (Arc::clone(settings), Arc::clone(meter));
            Output { settings, stream, line, printing: printing.clone(), meter }
        };
        wasi.stdout(output("stdout")).stderr(output("stderr"));
        printing
    }

    /// From now on the guest prints for this exchange. What it has printed for another and not ended
    /// becomes that one's line.
    pub(crate) fn set(&self, id: Option<&HeaderValue>, settings: &Settings) {
        let unended = {
            let heard = self.0.lock();
            if heard.id.as_ref() == id {
                return;
            }
            heard.unended.clone()
        };
        for (stream, line) in unended {
            let line = std::mem::take(&mut *line.lock());
            log(String::from_utf8_lossy(&line).trim_end(), stream, settings, self);
        }
        self.0.lock().id = id.cloned();
    }

    fn request_id(&self) -> Option<String> {
        self.0.lock().id.as_ref().and_then(|id| Some(id.to_str().ok()?.to_owned()))
    }

    fn hear_panic(&self, message: &str) {
        let from = message.find(PANICKED).unwrap_or_default();
        let until = message.find(NOTE).unwrap_or(message.len());
        self.0.lock().panic = message.get(from..until).map(|text| text.trim().to_owned());
    }

    /// What the guest has said of its end, if it has.
    pub(crate) fn take_panic(&self) -> Option<String> {
        self.0.lock().panic.take()
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Lines { output: self.clone(), panic: None })
    }
}

struct Lines {
    output: Output,
    /// The lines of a panic's message so far, as one.
    panic: Option<String>,
}

impl Lines {
    fn print(&mut self, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let (text, is_ended) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            add_bytes(&mut self.output.line.lock(), text);
            if is_ended {
                self.end_line();
            }
        }
    }

    /// A whole line is there.
    fn end_line(&mut self) {
        let line = std::mem::take(&mut *self.output.line.lock());
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if let Some(panic) = &mut self.panic {
            add(panic, line);
            if is_last_of_panic(line) {
                self.log_panic();
            }
        } else if is_first_of_panic(line) {
            self.panic = Some(line.to_owned());
        } else {
            let Output { settings, stream, printing, .. } = &self.output;
            log(line, stream, settings, printing);
        }
    }

    fn log_panic(&mut self) {
        let Some(panic) = self.panic.take() else { return };
        self.output.printing.hear_panic(&panic);
        if self.output.settings.may_log_panic() {
            let Output { settings, stream, printing, .. } = &self.output;
            let (plugin, request_id) = (settings.name.as_str(), printing.request_id());
            tracing::warn!(target: "plugin", plugin, request_id, stream, "{panic}");
        }
    }
}

fn log(line: &str, stream: &'static str, settings: &Settings, printing: &Printing) {
    if !line.is_empty() && settings.may_log() {
        let (plugin, request_id) = (settings.name.as_str(), printing.request_id());
        tracing::info!(target: "plugin", plugin, request_id, stream, "{line}");
    }
}

/// A guest's end takes its streams with it: the rest of its message does not come.
impl Drop for Lines {
    fn drop(&mut self) {
        self.log_panic();
    }
}

/// Whether a panic's message begins with this line, as Rust's standard library prints it: where it was,
/// what was said, and how to get more.
fn is_first_of_panic(line: &str) -> bool {
    line.starts_with("thread '") && line.contains(PANICKED)
}

fn is_last_of_panic(line: &str) -> bool {
    line.starts_with(NOTE)
}

/// Adds to a line of bounded length.
fn add_bytes(line: &mut Vec<u8>, bytes: &[u8]) {
    let room = MAX_LINE.saturating_sub(line.len());
    line.extend_from_slice(&bytes[..room.min(bytes.len())]);
}

/// Adds a line to a message of bounded length.
fn add(message: &mut String, line: &str) {
    let room = MAX_LINE.saturating_sub(message.len() + 1);
    if !line.is_empty() && room > 0 {
        message.push(' ');
        message.push_str(&line[..line.floor_char_boundary(room)]);
    }
}

impl AsyncWrite for Lines {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let meter = Arc::clone(&self.output.meter);
        meter.count(|| self.print(bytes));
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_has_a_bound() {
        let mut message = "thread 'main' panicked at src/lib.rs:1:1:".to_owned();
        add(&mut message, "");
        add(&mut message, "oh no");
        assert_eq!(message, "thread 'main' panicked at src/lib.rs:1:1: oh no");
        for _ in 0..3 {
            add(&mut message, &"\u{e4}".repeat(MAX_LINE));
            assert!((MAX_LINE - 1..=MAX_LINE).contains(&message.len()), "{}", message.len());
        }
    }
}
