//! `tollgate plugin build`.

use std::path::PathBuf;

use super::{CacheArgument, Outcome, load, print};
use crate::project;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The project's folder
    #[arg(default_value = ".")]
    path: PathBuf,
    /// Bring the component to this file too, in one step: into the plugin directory of a gateway
    /// that runs, for one
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    cache: CacheArgument,
}

impl Arguments {
    pub(super) fn run(self) -> Outcome {
        let built = project::build(&self.path).map_err(|error| error.to_string())?;
        // A gateway would refuse what cannot be loaded here.
        let component = load(&built, self.cache)?;
        let mut place = built;
        if let Some(out) = self.out {
            project::install(&place, &out).map_err(|error| error.to_string())?;
            place = out;
        }
        print(&format!(
            "{}\n{} {}, {}, {} bytes, {}\n",
            place.display(),
            component.manifest.name,
            component.manifest.version,
            component.world(),
            component.size,
            component.digest,
        ))
    }
}
