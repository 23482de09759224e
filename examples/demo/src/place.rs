//! Where the demo finds its configuration and leaves its files.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The paths of one run, all absolute: the printed lines must work from any folder.
pub(crate) struct Place {
    root: PathBuf,
    pub(crate) gateway: PathBuf,
}

impl Place {
    pub(crate) fn find(gateway: Option<PathBuf>) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .nth(2)
            .context("the demo is not inside a repository")?
            .to_owned();
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
