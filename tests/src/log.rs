//! What a process writes, line by line.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use crate::{Gateway, wait};

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

impl Gateway {
    /// Waits until `times` failures are in the log: some with a line of their own that says `told`,
    /// maybe followed by a colon and more, and the others as `left_out` in lines that say `counted`.
    pub async fn tells_few(&self, times: u64, told: &str, counted: &str) {
        wait::until(&format!("{times} times {told:?} in the log"), async || {
            let (mut lines, mut left_out) = (0, 0);
            for line in self.log().lines() {
                let Ok(line) = serde_json::from_str::<serde_json::Value>(line) else { continue };
                let message = line["message"].as_str().unwrap_or_default();
                if message == counted {
                    left_out += line["left_out"].as_u64().unwrap_or_default();
                } else if message.strip_prefix(told).is_some_and(is_end_of_message) {
                    lines += 1;
                }
            }
            (lines > 0 && left_out > 0 && lines + left_out == times).then_some(())
        })
        .await;
    }
}

fn is_end_of_message(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(": ")
}
