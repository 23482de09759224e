//! What a process writes, line by line.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

/// Lines that a process writes.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<String>>);

impl Log {
    /// Takes down all lines until the end.
    pub(crate) async fn follow<R: AsyncBufRead + Unpin>(self, reader: R) {
        let mut lines = reader.lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut text = self.0.lock().unwrap();
            text.push_str(&line);
            text.push('\n');
        }
    }

    /// All so far.
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }

    /// The first line with all of `parts`.
    pub(crate) fn line(&self, parts: &[&str]) -> Option<String> {
        let text = self.0.lock().unwrap();
        text.lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
    }
}
