//! The thread that writes the access log.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{Receiver, SyncSender},
    },
};

use prometheus::IntCounter;

use crate::telemetry::LogWindow;

/// What the writer is told.
pub(super) enum Message {
    Line(Vec<u8>),
    /// Go on in this file.
    File(File),
    /// Say so when all that came before is written.
    Flush(SyncSender<()>),
}

/// What the writing thread has.
pub(super) struct Writer {
    out: BufWriter<Box<dyn Write + Send>>,
    dropped: IntCounter,
    failing: Arc<AtomicBool>,
    window: LogWindow,
    /// Lines lost since the log last told of any.
    untold: u64,
}

impl Writer {
    pub(super) fn new(
        out: Box<dyn Write + Send>,
        dropped: IntCounter,
        failing: Arc<AtomicBool>,
    ) -> Self {
        Self { out: BufWriter::new(out), dropped, failing, window: LogWindow::new(), untold: 0 }
    }

    /// Writes until every sender is gone; flushes whenever nothing waits.
    pub(super) fn run(mut self, queue: &Receiver<Message>) {
        while let Ok(first) = queue.recv() {
            let mut waiting = Vec::new();
            let mut lines = 0;
            let mut written = Ok(());
            for message in std::iter::once(first).chain(queue.try_iter()) {
                match message {
                    Message::Line(line) => {
                        lines += 1;
                        written = written.and_then(|()| self.out.write_all(&line));
                    }
                    Message::File(file) => {
                        let flushed = written.and_then(|()| self.out.flush());
                        self.settle(flushed, lines);
                        (written, lines) = (Ok(()), 0);
                        self.out = BufWriter::new(Box::new(file));
                    }
                    Message::Flush(done) => waiting.push(done),
                }
            }
            let flushed = written.and_then(|()| self.out.flush());
            self.settle(flushed, lines);
            for done in waiting {
                // An error means that who waited has given up.
                let _ = done.try_send(());
            }
        }
    }

    /// Takes note of what came of so many lines.
    fn settle(&mut self, written: io::Result<()>, lines: u64) {
        let Err(error) = written else {
            if lines > 0 {
                self.failing.store(false, Relaxed);
                self.tell_rest();
            }
            return;
        };
        self.failing.store(true, Relaxed);
        self.dropped.inc_by(lines);
        self.untold += lines;
        if self.window.take_now(1) {
            let lines = std::mem::take(&mut self.untold);
            tracing::warn!(%error, lines, "the access log cannot be written");
        }
        self.begin_anew();
    }

    /// Tells of lost lines that no line of the log has told of, now that others are written again.
    fn tell_rest(&mut self) {
        if let lines @ 1.. = std::mem::take(&mut self.untold) {
            tracing::warn!(lines, "the access log is written again; before, these were lost");
        }
    }

    /// Lets go of what could not be written: it is counted. Some of its last line may be in the file.
    fn begin_anew(&mut self) {
        let nowhere: Box<dyn Write + Send> = Box::new(io::sink());
        let (out, _lost) = std::mem::replace(&mut self.out, BufWriter::new(nowhere)).into_parts();
        self.out = BufWriter::new(out);
        // It is in memory only.
        let _ = self.out.write_all(b"\n");
    }
}
