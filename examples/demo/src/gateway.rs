//! The gateway as a child process: started, awaited, ended.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Error, Result, anyhow, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::place::Place;
use crate::ports;

/// Plugins are compiled at start, which takes a busy machine a while.
const START_LIMIT: Duration = Duration::from_secs(60);
/// After this the gateway has drained, or is ended without.
const STOP_LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);
/// How much of its log is shown when the gateway dies.
const SHOWN_LINES: usize = 20;

pub(crate) struct Gateway {
    child: Child,
    log: PathBuf,
}

impl Gateway {
    pub(crate) fn start(place: &Place) -> Result<Self> {
        place.ensure_gateway()?;
        let log = place.gateway_log();
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let copy = file.try_clone().context("cannot share the log file")?;
        let child = Command::new(&place.gateway)
            .arg("run")
            .arg("-c")
            .arg(place.configuration())
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            // A group of its own: Ctrl-C reaches this program only, which then ends the gateway.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", place.gateway.display()))?;
        Ok(Self { child, log })
    }

    /// Waits until the gateway serves.
    ///
    /// # Errors
    /// If it dies instead or takes longer than a minute; its last lines are in the message.
    pub(crate) async fn ready(&mut self) -> Result<()> {
        let answer = async {
            while !is_ready().await {
                sleep(PAUSE).await;
            }
        };
        let died = tokio::select! {
            outcome = timeout(START_LIMIT, answer) => match outcome {
                Ok(()) => return Ok(()),
                Err(_) => None,
            },
            status = self.child.wait() => Some(status),
        };
        match died {
            Some(status) => Err(self.obituary(status)),
            None => bail!("the gateway is not ready after a minute; it said:\n{}", self.last()),
        }
    }

    /// Resolves if the gateway ends by itself, which it should not.
    pub(crate) async fn death(&mut self) -> Error {
        let status = self.child.wait().await;
        self.obituary(status)
    }

    pub(crate) async fn stop(mut self) {
        if let Some(id) = self.child.id() {
            terminate(id);
        }
        if timeout(STOP_LIMIT, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
    }

    fn obituary(&self, status: std::io::Result<ExitStatus>) -> Error {
        let how = match status {
            Ok(status) => status.to_string(),
            Err(fault) => fault.to_string(),
        };
        anyhow!("the gateway has ended ({how}); it said:\n{}", self.last())
    }

    fn last(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n")
    }
}

async fn is_ready() -> bool {
    const QUESTION: &[u8] =
        b"GET /readyz HTTP/1.1\r\nhost: 127.0.0.1:9901\r\nconnection: close\r\n\r\n";
    let asked = async {
        let mut stream = TcpStream::connect(("127.0.0.1", ports::ADMIN)).await?;
        stream.write_all(QUESTION).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = timeout(Duration::from_secs(1), asked).await;
    answer.is_ok_and(|answer| answer.is_ok_and(|bytes| bytes.starts_with(b"HTTP/1.1 200")))
}

/// Asks a process to end; one that has ended already needs nothing.
#[expect(unsafe_code, reason = "the standard library has no call for a signal to a process")]
fn terminate(id: u32) {
    let Ok(id) = libc::pid_t::try_from(id) else { return };
    // SAFETY: kill(2) reads no memory of ours, and the child is not yet waited for, so that its
    // number still is its own.
    unsafe { libc::kill(id, libc::SIGTERM) };
}
