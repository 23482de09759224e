//! `tollgate diff`.

use std::path::PathBuf;

use super::{Outcome, load_config, print};
use crate::diff::diff;

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
        match (load_config(&self.old), load_config(&self.new)) {
            (Ok(old), Ok(new)) => print(&diff(&old, &new)),
            (Err(faults), Ok(_)) | (Ok(_), Err(faults)) => Err(faults),
            (Err(old), Err(new)) => Err(format!("{old}\n{new}")),
        }
    }
}
