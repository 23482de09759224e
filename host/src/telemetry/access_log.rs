//! The access log: one JSON line for each exchange, written by a thread of its own.

mod writer;

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write, stdout},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::{SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::Duration,
};

use parking_lot::Mutex;
use prometheus::IntCounter;
use serde::Serialize;

use self::writer::{Message, Writer};
use crate::config;

/// Lines that may wait for the writer; what comes on top is dropped and counted. An access log
/// must not slow down what it logs.
const QUEUE: usize = 8192;

/// Where lines go; cheap to clone.
#[derive(Clone)]
pub(crate) struct AccessLog {
    lines: SyncSender<Message>,
    sample: f64,
    dropped: IntCounter,
    /// The file; `None`: standard output.
    file: Option<Arc<Mutex<Opened>>>,
    /// The latest lines could not be written.
    failing: Arc<AtomicBool>,
}

/// A file by its name, and by what it is.
struct Opened {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Opened {
    fn new(path: &Path) -> io::Result<(File, Self)> {
        let file = append_to(path, true)?;
        let metadata = file.metadata()?;
        let (device, inode) = (metadata.dev(), metadata.ino());
        Ok((file, Self { path: path.to_owned(), device, inode }))
    }

    /// Whether its name still is that of the file that is written: what rotates logs moves them away.
    fn is_in_place(&self) -> bool {
        let found = fs::metadata(&self.path);
        found.is_ok_and(|found| (found.dev(), found.ino()) == (self.device, self.inode))
    }
}

/// One exchange. The query is left out: it is where tokens and names of people end up.
#[derive(Serialize)]
pub(crate) struct Entry<'a> {
    pub(crate) time: String,
    pub(crate) request_id: &'a str,
    pub(crate) client: String,
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) protocol: &'static str,
    pub(crate) status: u16,
    pub(crate) duration_us: u64,
    pub(crate) request_bytes: u64,
    pub(crate) response_bytes: u64,
    pub(crate) route: &'a str,
    pub(crate) plugin: Option<&'a str>,
    pub(crate) upstream: Option<&'a str>,
    pub(crate) subject: Option<std::borrow::Cow<'a, str>>,
    pub(crate) error: Option<String>,
}

impl AccessLog {
    /// Opens the file, or standard output, and starts the writer.
    ///
    /// # Errors
    ///
    /// The file cannot be opened for appending.
    pub(crate) fn open(config: &config::AccessLog, dropped: IntCounter) -> io::Result<Self> {
        let (out, file): (Box<dyn Write + Send>, _) = match &config.path {
            None => (Box::new(stdout()), None),
            Some(path) => {
                let (file, opened) = Opened::new(path)?;
                (Box::new(file), Some(Arc::new(Mutex::new(opened))))
            }
        };
        let (lines, queue) = sync_channel(QUEUE);
        let failing = Arc::<AtomicBool>::default();
        let writer = Writer::new(out, dropped.clone(), Arc::clone(&failing));
        thread::Builder::new().name("access-log".into()).spawn(move || writer.run(&queue))?;
        Ok(Self { lines, sample: config.sample, dropped, file, failing })
    }

    /// Opens the file anew where it has been moved away: what rotates logs does that.
    ///
    /// # Errors
    ///
    /// The file cannot be opened for appending, or its writer is stuck; lines go on to where they went.
    pub(crate) fn follow(&self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let mut opened = file.lock();
        if opened.is_in_place() {
            return Ok(());
        }
        let (file, next) = Opened::new(&opened.path)?;
        let stuck = |_| io::Error::other("what is to be written before it is stuck");
        self.lines.try_send(Message::File(file)).map_err(stuck)?;
        *opened = next;
        Ok(())
    }

    /// Whether the latest lines could not be written.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Relaxed)
    }

    /// Whether the file could be opened; none is made.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub(crate) fn check(config: &config::AccessLog) -> io::Result<()> {
        let Some(path) = &config.path else { return Ok(()) };
        match append_to(path, false) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
                tempfile::tempfile_in(folder.unwrap_or(Path::new("."))).map(drop)
            }
            opened => opened.map(drop),
        }
    }

    /// Whether the next exchange is one of the sample.
    pub(crate) fn wants(&self) -> bool {
        self.sample >= 1.0 || fastrand::f64() < self.sample
    }

    /// Waits until what has been logged is written, for a second at most: who reads it may be stuck.
    pub(crate) fn flush(&self) {
        let (done, written) = sync_channel(1);
        if self.lines.try_send(Message::Flush(done)).is_ok() {
            // An error means that it took too long.
            let _ = written.recv_timeout(LAST_LINES);
        }
    }

    pub(crate) fn write(&self, entry: &Entry<'_>) {
        let Ok(mut line) = serde_json::to_vec(entry) else { return };
        line.push(b'\n');
        if let Err(TrySendError::Full(_)) = self.lines.try_send(Message::Line(line)) {
            self.dropped.inc();
        }
    }
}

/// How long the end of the process waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Opens a file, a device or a named pipe for appending.
fn append_to(path: &Path, is_made: bool) -> io::Result<File> {
    let is_pipe = fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo());
    // To open a pipe that nobody reads would be to wait, perhaps for ever.
    let reader =
        is_pipe.then(|| OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path));
    let reader = reader.transpose().map_err(|error| match error.raw_os_error() {
        Some(libc::ENXIO) => io::Error::other("it is a named pipe that nobody reads"),
        _ => error,
    })?;
    let opened = OpenOptions::new().create(is_made).append(true).open(path);
    drop(reader);
    opened
}
