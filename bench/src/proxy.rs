//! A program under test, or the upstream, pinned to one core.

use std::fs::{self, File};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

/// The core of the proxy, and the core of everything else.
pub(crate) const PROXY_CORE: &str = "0";
pub(crate) const LOAD_CORE: &str = "1";

const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// A running program; it ends when this is dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) port: u16,
    log: PathBuf,
}

impl Running {
    /// Starts a program and waits until its port takes connections.
    pub(crate) fn start(core: &str, command: &[String], port: u16, log: PathBuf) -> Result<Self> {
        let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let copy = file.try_clone().context("cannot share a log file")?;
        // Whatever ends the bench ends the proxy too, so that no port stays taken.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "TERM", "taskset", "-c", core])
            .args(command)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(copy)
            .spawn()
            .context("cannot start setpriv")?;
        let mut running = Self { child, port, log };
        running.wait_until_open()?;
        Ok(running)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn wait_until_open(&mut self) -> Result<()> {
        let end = Instant::now() + START_LIMIT;
        while Instant::now() < end {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                bail!("it does not start ({status}): {}", self.last_lines());
            }
            sleep(PAUSE);
        }
        bail!("it does not listen after {START_LIMIT:?}: {}", self.last_lines())
    }

    fn last_lines(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).collect();
        lines[lines.len().saturating_sub(5)..].join(" | ")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Not SIGKILL at once: nginx would leave its worker behind.
        terminate(self.child.id());
        let end = Instant::now() + STOP_LIMIT;
        while Instant::now() < end {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            sleep(PAUSE);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody has.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("no port is free")?;
    Ok(listener.local_addr().map_err(|fault| anyhow!(fault))?.port())
}

#[expect(unsafe_code, reason = "the standard library has no call for a signal to a process")]
fn terminate(id: u32) {
    let Ok(id) = libc::pid_t::try_from(id) else { return };
    // SAFETY: kill(2) reads no memory of ours, and the child is not yet waited for, so that its
    // number still is its own.
    unsafe { libc::kill(id, libc::SIGTERM) };
}
