//! A gateway as its own process, on free ports.

use std::{
    net::SocketAddr,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};

use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    task::JoinHandle,
};

use crate::{artifacts, log::Log, wait};

/// A gateway that is to be started.
pub struct Setup {
    folder: TempDir,
    environment: Vec<(&'static str, PathBuf)>,
}

impl Setup {
    /// With this configuration. One that names no `listeners` or `admin` gets them on free ports.
    #[must_use]
    pub fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("plugins")).unwrap();
        write(&folder.path().join("tollgate.yaml"), with_ports(config).as_bytes());
        Self { folder, environment: Vec::new() }
    }

    /// With a component in the plugin directory, by its name.
    #[must_use]
    pub fn plugin(self, name: &str) -> Self {
        self.plugin_as(name, name)
    }

    /// With a component in the plugin directory under another name.
    #[must_use]
    pub fn plugin_as(self, component: &str, name: &str) -> Self {
        let place = self.folder.path().join("plugins").join(format!("{name}.wasm"));
        std::fs::copy(artifacts::component(component), place).unwrap();
        self
    }

    /// With a file beside the configuration.
    #[must_use]
    pub fn file(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        write(&self.folder.path().join(name), content.as_ref());
        self
    }

    /// With an environment variable.
    #[must_use]
    pub fn env(mut self, name: &'static str, value: impl Into<PathBuf>) -> Self {
        self.environment.push((name, value.into()));
        self
    }

    /// Starts it; when this returns, its ports accept.
    pub async fn start(self) -> Gateway {
        let mut child = Command::new(artifacts::gateway())
            .args(["run", "-c"])
            .arg(self.folder.path().join("tollgate.yaml"))
            .env("TOLLGATE_CACHE", artifacts::cache())
            .env_remove("TOLLGATE_LOG")
            .envs(self.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the gateway's binary runs");
        let log = Log::default();
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let logging = tokio::spawn(log.clone().follow(stderr));
        let mut stdout = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let (mut listeners, mut admin) = (Vec::new(), None);
        while admin.is_none() {
            let line = wait::within("the gateway accepts", stdout.next_line()).await.unwrap();
            let Some(line) = line else {
                let _ = logging.await;
                panic!("the gateway did not start:\n{}", log.text())
            };
            let address = || line.rsplit("//").next().unwrap().parse().expect("an address");
            if line.starts_with("listening on ") {
                listeners.push(address());
            } else if line.starts_with("admin on ") {
                admin = Some(address());
            }
        }
        let output = Log::default();
        tokio::spawn(output.clone().follow(stdout.into_inner()));
        let admin = admin.expect("the loop ends with it");
        Gateway { child, listeners, admin, log, output, logging, folder: self.folder }
    }
}

/// A gateway that runs. It is killed when this is dropped; [`stop`](Self::stop) ends it well.
pub struct Gateway {
    child: Child,
    pub(crate) listeners: Vec<SocketAddr>,
    pub(crate) admin: SocketAddr,
    log: Log,
    output: Log,
    logging: JoinHandle<()>,
    folder: TempDir,
}

impl Gateway {
    /// Starts a gateway without plugins and files.
    pub async fn start(config: &str) -> Self {
        Setup::new(config).start().await
    }

    /// The first listener's address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listeners[0]
    }

    /// A listener's address, in the configuration's order.
    #[must_use]
    pub fn listener(&self, index: usize) -> SocketAddr {
        self.listeners[index]
    }

    /// The admin server's address.
    #[must_use]
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// What it has logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// What it has written to standard output since it accepted: the access log.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.text()
    }

    /// Waits for a line in the log that has all of `parts`, and gives it.
    pub async fn logged(&self, parts: &[&str]) -> String {
        wait::until(&format!("{parts:?} in the log"), async || self.log.line(parts)).await
    }

    /// Its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id().expect("it has not been waited for")
    }

    /// Puts another configuration in place, in one step as careful operators do. Ports of the
    /// first one are free ports and cannot be named again, so they are not in the file.
    pub fn write_config(&self, config: &str) {
        write(&self.folder.path().join("tollgate.yaml"), with_ports(config).as_bytes());
    }

    /// Puts a file beside the configuration, in one step.
    pub fn write_file(&self, name: &str, content: impl AsRef<[u8]>) {
        write(&self.folder.path().join(name), content.as_ref());
    }

    /// Puts a component into the plugin directory, in one step.
    pub fn write_plugin(&self, name: &str, content: impl AsRef<[u8]>) {
        write(&self.folder.path().join("plugins").join(format!("{name}.wasm")), content.as_ref());
    }

    /// The folder of the configuration.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: libc::c_int) {
        crate::process::signal(self.pid(), signal);
    }

    /// Stops it by SIGTERM and waits for its end.
    ///
    /// # Panics
    ///
    /// The gateway panicked, or ended in another way than by itself.
    pub async fn stop(self) {
        self.signal(libc::SIGTERM);
        let (status, log) = self.ended().await;
        assert!(status.success(), "the gateway ended with {status}:\n{log}");
    }

    /// Waits for its end, and gives the whole log too.
    ///
    /// # Panics
    ///
    /// The gateway panicked.
    pub async fn ended(mut self) -> (ExitStatus, String) {
        let status = wait::within("the gateway ends", self.child.wait()).await.unwrap();
        wait::within("the log ends", &mut self.logging).await.unwrap();
        let log = self.log.text();
        // A plugin may panic: that is a line of JSON, as all that is logged.
        let panicked =
            log.lines().any(|line| !line.starts_with('{') && line.contains("panicked at"));
        assert!(!panicked, "the gateway panicked:\n{log}");
        assert_eq!(status.signal(), None, "a signal ended the gateway:\n{log}");
        (status, log)
    }
}

impl Drop for Gateway {
    /// A test that fails shows what the gateway said.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log.text();
            let tail: Vec<_> = log.lines().rev().take(40).collect();
            let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
            let _ = std::io::Write::write_all(
                &mut std::io::stderr(),
                format!("--- the gateway's log:\n{tail}\n---\n").as_bytes(),
            );
        }
    }
}

/// `config` with free ports where it names none.
fn with_ports(config: &str) -> String {
    let config = unindented(config);
    let has = |key: &str| config.lines().any(|line| line.starts_with(key));
    let mut whole = String::new();
    if !has("listeners:") {
        whole.push_str("listeners: [{ address: \"127.0.0.1:0\" }]\n");
    }
    if !has("admin:") {
        whole.push_str("admin: { address: \"127.0.0.1:0\" }\n");
    }
    whole + &config
}

/// Without the indentation that all lines share, which comes from the test's own.
pub(crate) fn unindented(text: &str) -> String {
    let indentation = |line: &&str| line.len() - line.trim_start().len();
    let written = text.lines().filter(|line| !line.trim().is_empty());
    let shared = written.clone().map(|line| indentation(&line)).min().unwrap_or(0);
    written.fold(String::new(), |text, line| text + &line[shared..] + "\n")
}

/// Puts a file at its place in one step: who reads it sees the old or the new one, whole.
fn write(place: &Path, content: &[u8]) {
    let unfinished = PathBuf::from(format!("{}.unfinished", place.display()));
    std::fs::write(&unfinished, content).unwrap();
    std::fs::rename(&unfinished, place).unwrap();
}
