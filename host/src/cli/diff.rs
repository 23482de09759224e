//! `tollgate diff`.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use super::{CacheArgument, builder, complain, count, given, print};
use crate::{
    config::Config,
    diff::{Differences, diff},
    server::Options,
};

const LINES: &str = "Lines begin with `+` (added), `-` (removed), `~` (changed) or `!` (needs a restart). Components are
told by their names: whether their files have changed is not looked at. Secrets are not shown,
nor is what a plugin is configured with where its component is not there to tell what is one.
Values that are masked in either file (`***`, as GET /config has them) are not compared.
Exit codes, as those of diff(1): 0 no difference, 1 differences, 2 a fault or failure.";

/// There are differences.
const DIFFERENT: u8 = 1;

/// They cannot be told.
const TROUBLE: u8 = 2;

#[derive(clap::Args)]
#[command(after_help = LINES)]
pub(super) struct Arguments {
    /// The configuration that runs; `-` for standard input
    old: PathBuf,
    /// The one that is to take its place
    new: PathBuf,
    #[command(flatten)]
    cache: CacheArgument,
}

impl Arguments {
    pub(super) fn run(self) -> ExitCode {
        let told = self.differences().and_then(|differences| {
            let Differences { text, masked } = &differences;
            print(if text.is_empty() { "no differences\n" } else { text })?;
            if !masked.is_empty() {
                let values = count(masked.len(), "masked value");
                let places: String = masked.iter().map(|at| format!("  {at}\n")).collect();
                print(&format!("{values} (`***`) not compared:\n{places}"))?;
            }
            Ok(!text.is_empty())
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

    fn differences(self) -> Result<Differences, String> {
        if self.old == self.new && self.old == Path::new("-") {
            return Err("only one of OLD and NEW can come from standard input".into());
        }
        match (load(&self.old, "OLD"), load(&self.new, "NEW")) {
            (Ok(old), Ok(new)) => self.compare(&old, &new),
            (Err(faults), Ok(_)) | (Ok(_), Err(faults)) => Err(faults),
            (Err(old), Err(new)) => Err(format!("{old}\n{new}")),
        }
    }

    /// With what the plugins say of their configurations, as far as they are here.
    fn compare(self, old: &Config, new: &Config) -> Result<Differences, String> {
        let (config, cache) = (self.old, self.cache.folder());
        let options = Options { config, cache, offline: true, log: None };
        let (builder, runtime) = builder(&options)?;
        let schemas = |config| runtime.block_on(builder.config_schemas(config));
        Ok(diff((old, &schemas(old)), (new, &schemas(new))))
    }
}

/// `argument`: what the usage calls the file.
fn load(path: &Path, argument: &str) -> Result<Config, String> {
    given::load_hinting(path, &format!("it was given as {argument}"))
}
