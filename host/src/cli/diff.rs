//! `tollgate diff`.

use std::path::{Path, PathBuf};

use super::{Outcome, check_exists, print};
use crate::{
    config::{self, Config},
    diff::diff,
};

const LINES: &str = "Lines begin with `+` (added), `-` (removed), `~` (changed) or `!` (needs a restart). Components are
told by their names: whether their files have changed is not looked at. Secrets are not shown.";

#[derive(clap::Args)]
#[command(after_help = LINES)]
pub(super) struct Arguments {
    /// The configuration that runs
    old: PathBuf,
    /// The one that is to take its place
    new: PathBuf,
}

impl Arguments {
    pub(super) fn run(self) -> Outcome {
        match (load(&self.old), load(&self.new)) {
            (Ok(old), Ok(new)) => print(&diff(&old, &new)),
            (Err(faults), Ok(_)) | (Ok(_), Err(faults)) => Err(faults),
            (Err(old), Err(new)) => Err(format!("{old}\n{new}")),
        }
    }
}

fn load(path: &Path) -> Result<Config, String> {
    check_exists(path)?;
    let told = |faults: Vec<config::Fault>| {
        faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    config::load(path).map_err(told)
}
