//! `tollgate diff`.

use std::{path::PathBuf, process::ExitCode};

use super::{complain, load_config, print};
use crate::diff::diff;

const LINES: &str = "Lines begin with `+` (added), `-` (removed), `~` (changed) or `!` (needs a restart). Components are
told by their names: whether their files have changed is not looked at. Secrets are not shown.
Exit codes, as those of diff(1): 0 no difference, 1 differences, 2 a fault or failure.";

/// There are differences.
const DIFFERENT: u8 = 1;

/// They cannot be told.
const TROUBLE: u8 = 2;

#[derive(clap::Args)]
#[command(after_help = LINES)]
pub(super) struct Arguments {
    /// The configuration that runs
    old: PathBuf,
    /// The one that is to take its place
    new: PathBuf,
}

impl Arguments {
    pub(super) fn run(self) -> ExitCode {
        let told = self.differences().and_then(|differences| {
            print(differences.as_deref().unwrap_or("no differences\n"))?;
            Ok(differences.is_some())
        });
        match told {
            Ok(false) => ExitCode::SUCCESS,
            Ok(true) => ExitCode::from(DIFFERENT),
            Err(message) => {
                complain(&message);
                ExitCode::from(TROUBLE)
            }
        }
    }

    fn differences(&self) -> Result<Option<String>, String> {
        match (load_config(&self.old), load_config(&self.new)) {
            (Ok(old), Ok(new)) => Ok(diff(&old, &new)),
            (Err(faults), Ok(_)) | (Ok(_), Err(faults)) => Err(faults),
            (Err(old), Err(new)) => Err(format!("{old}\n{new}")),
        }
    }
}
