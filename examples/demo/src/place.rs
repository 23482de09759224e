//! Where the demo finds its configuration and leaves its files.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The paths of one run, all absolute: the printed lines must work from any folder.
pub(crate) struct Place {
    root: PathBuf,
    pub(crate) gateway: PathBuf,
}

impl Place {
    pub(crate) fn find(gateway: Option<PathBuf>) -> Result<Self> {
        let root = find_root()?;
        let gateway = gateway.unwrap_or_else(|| root.join("target/release/tollgate"));
        Ok(Self { root, gateway })
    }

    pub(crate) fn ensure_gateway(&self) -> Result<()> {
        let gateway = self.gateway.display();
        ensure!(self.gateway.is_file(), "there is no {gateway}; `cargo xtask build` makes it");
        Ok(())
    }

    pub(crate) fn configuration(&self) -> PathBuf {
        self.root.join("examples/demo/tollgate.yaml")
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.output().join("localhost.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.output().join("localhost.key")
    }

    pub(crate) fn gateway_log(&self) -> PathBuf {
        self.output().join("gateway.log")
    }

    /// The folder of everything that the demo makes.
    pub(crate) fn output(&self) -> PathBuf {
        self.root.join("target/demo")
    }
}

/// Where cargo says that it runs, else the current folder, or one above it. Not where this was
/// compiled: a checkout may have been moved or copied since.
fn find_root() -> Result<PathBuf> {
    let start = match env::var_os("CARGO_MANIFEST_DIR") {
        Some(manifest) => PathBuf::from(manifest),
        None => env::current_dir().context("there is no current folder")?,
    };
    let is_root = |folder: &&Path| folder.join("examples/demo/tollgate.yaml").is_file();
    let root = start.ancestors().find(is_root).map(Path::to_owned);
    root.with_context(|| {
        format!("{} is not inside of the repository; call it from there", start.display())
    })
}
