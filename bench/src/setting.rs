//! Where things are, and how each program is started.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::keys::{Algorithm, SECRET};
use crate::proxy::{self, LOAD_CORE, PROXY_CORE, Running};
use crate::rows::{Program, Row, Work};
use crate::template;
use crate::tools::Tools;

/// What all rows are started with.
pub(crate) struct Setting {
    pub(crate) tools: Tools,
    root: PathBuf,
    upstream_port: u16,
}

impl Setting {
    pub(crate) fn prepare(tollgate: Option<PathBuf>) -> Result<Self> {
        let root = find_root()?;
        let helpers = env::current_exe().context("cannot find this program")?;
        let helpers = helpers.parent().context("this program is in no folder")?.to_owned();
        let tollgate = tollgate.unwrap_or_else(|| root.join("target/release/tollgate"));
        let tools = Tools::find(helpers, tollgate)?;
        let setting = Self { tools, root, upstream_port: proxy::free_port()? };
        let run = setting.run();
        fs::create_dir_all(&run).with_context(|| format!("cannot make {}", run.display()))?;
        Ok(setting)
    }

    /// A folder or file of the bench's own.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.root.join("target/bench").join(name)
    }

    pub(crate) fn keys(&self) -> PathBuf {
        self.folder("keys")
    }

    /// Where the filled-in configurations and the logs are.
    pub(crate) fn run(&self) -> PathBuf {
        self.folder("run")
    }

    pub(crate) fn start_upstream(&self) -> Result<Running> {
        let port = self.upstream_port;
        let log = self.run().join("upstream.out");
        Running::start(LOAD_CORE, &self.upstream_command(port), port, log)
    }

    pub(crate) fn start(&self, row: &Row) -> Result<Running> {
        let port = proxy::free_port()?;
        let run = self.run();
        template::render_folder(&self.root.join("bench/configs"), &run, &self.values(row, port)?)?;
        let command = self.command(row, port);
        Running::start(PROXY_CORE, &command, port, run.join(format!("{}.out", row.name)))
    }

    fn command(&self, row: &Row, port: u16) -> Vec<String> {
        let text = |path: &Path| path.to_string_lossy().into_owned();
        let config = text(&self.run().join(row.config));
        let keys = self.keys();
        let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let floor = text(&self.tools.helper("hyper-floor"));
        let listen = format!("127.0.0.1:{port}");
        let upstream = format!("127.0.0.1:{}", self.upstream_port);
        match row.program {
            Program::Direct => self.upstream_command(port),
            Program::Nginx | Program::NginxLua => own(&["nginx", "-c", &config]),
            Program::Haproxy => own(&["haproxy", "-db", "-q", "-f", &config]),
            Program::Envoy => {
                let envoy = self.tools.envoy().map(text).unwrap_or_default();
                own(&[&envoy, "-c", &config, "--concurrency", "1", "--disable-hot-restart"])
            }
            Program::HyperFloor => own(&[&floor, &listen, &upstream]),
            Program::HyperFloorTls => {
                let pair = [text(&keys.join("server.pem")), text(&keys.join("server.key"))];
                own(&[&floor, &listen, &upstream, &pair[0], &pair[1]])
            }
            Program::Tollgate => own(&[&text(self.tools.tollgate()), "run", "-c", &config]),
        }
    }

    /// What stands for the names in `bench/configs`.
    fn values(&self, row: &Row, port: u16) -> Result<Vec<(&'static str, String)>> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let keys = text(self.keys());
        let algorithm = match row.work {
            Work::Chain(algorithm) => algorithm,
            Work::Forward | Work::Headers(_) | Work::Aggregate => Algorithm::Hs256,
        };
        let public_key = format!("{keys}/{}.pub", algorithm.lower());
        let (haproxy_key, tollgate_key) = match algorithm {
            Algorithm::Hs256 => (SECRET.to_owned(), format!("secret: \"{SECRET}\"")),
            _ => (public_key.clone(), format!("pem: \"${{file:{public_key}}}\"")),
        };
        Ok(vec![
            ("NAME", row.name.clone()),
            ("PORT", port.to_string()),
            ("ADMIN_PORT", proxy::free_port()?.to_string()),
            ("UPSTREAM", format!("127.0.0.1:{}", self.upstream_port)),
            ("UPSTREAM_PORT", self.upstream_port.to_string()),
            ("RUN", text(self.run())),
            ("KEYS", keys),
            ("PLUGINS", text(self.root.join("target/plugins"))),
            ("ALG", algorithm.lower().to_owned()),
            ("ALG_UPPER", algorithm.upper().to_owned()),
            ("HAPROXY_KEY", haproxy_key),
            ("TOLLGATE_KEY", format!("{{ algorithm: {}, {tollgate_key} }}", algorithm.upper())),
        ])
    }

    fn upstream_command(&self, port: u16) -> Vec<String> {
        let program = self.tools.helper("bench-upstream").to_string_lossy().into_owned();
        vec![program, format!("127.0.0.1:{port}")]
    }
}

/// Where cargo says that it runs, else the current folder, or one above it. Not where this was
/// compiled: a checkout may have been moved or copied since.
fn find_root() -> Result<PathBuf> {
    let start = match env::var_os("CARGO_MANIFEST_DIR") {
        Some(manifest) => PathBuf::from(manifest),
        None => env::current_dir().context("there is no current folder")?,
    };
    let is_root = |folder: &&Path| folder.join("bench/configs").is_dir();
    let root = start.ancestors().find(is_root).map(Path::to_owned);
    root.with_context(|| {
        format!("{} is not inside of the repository; call it from there", start.display())
    })
}
