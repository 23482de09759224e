//! `tollgate plugin pull`.

use std::path::PathBuf;

use super::{
    CacheArgument, Outcome, print,
    registry::{self, RegistryArgument},
};
use crate::{project, registry::Reference};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// What: `REGISTRY/NAME:TAG` or `REGISTRY/NAME@sha256:..`
    #[arg(value_name = "REF")]
    reference: Reference,
    /// The file that it is brought to in one step [default: NAME.wasm]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    registry: RegistryArgument,
    #[command(flatten)]
    cache: CacheArgument,
}

impl Arguments {
    pub(super) fn run(self) -> Outcome {
        let Self { reference, out, registry, cache } = self;
        let (_registries, fetched) = registry::fetch(&reference, registry, cache)?;
        let out = out.unwrap_or_else(|| format!("{}.wasm", reference.name()).into());
        project::install(&fetched.file, &out).map_err(|error| error.to_string())?;
        print(&format!("{}\n{reference}\n{}\n", out.display(), fetched.artifact))
    }
}
