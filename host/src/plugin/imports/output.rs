//! A guest's standard output and error: lines of the log.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

use crate::plugin::usage::Settings;

/// Longest line that the log gets, in bytes; the rest of it is dropped.
pub(super) const MAX_LINE: usize = 4096;

#[derive(Clone)]
pub(crate) struct Output {
    settings: Arc<Settings>,
    stream: &'static str,
}

impl Output {
    pub(crate) fn new(settings: &Arc<Settings>, stream: &'static str) -> Self {
        Self { settings: Arc::clone(settings), stream }
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Lines { output: self.clone(), line: Vec::new() })
    }
}

struct Lines {
    output: Output,
    line: Vec<u8>,
}

impl Lines {
    fn log(&mut self) {
        let Output { settings, stream } = &self.output;
        if settings.may_log() {
            let (plugin, line) = (settings.name.as_str(), String::from_utf8_lossy(&self.line));
            tracing::info!(target: "plugin", plugin, stream, "{}", line.trim_end());
        }
        self.line.clear();
    }
}

impl AsyncWrite for Lines {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        for &byte in bytes {
            if byte == b'\n' {
                self.log();
            } else if self.line.len() < MAX_LINE {
                self.line.push(byte);
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
