//! `tollgate plugin push`.

use std::path::PathBuf;

use super::{CacheArgument, Outcome, load, load_service, print, registry::RegistryArgument};
use crate::{
    disk,
    plugin::{Kind, World},
    registry::{self, Loaded, MAX_COMPONENT, Publication, Reference},
    server,
};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The component
    file: PathBuf,
    /// Where to: `REGISTRY/NAME:TAG`
    #[arg(value_name = "REF")]
    reference: Reference,
    #[command(flatten)]
    registry: RegistryArgument,
    #[command(flatten)]
    cache: CacheArgument,
}

impl Arguments {
    pub(super) fn run(self) -> Outcome {
        let Self { file, reference, registry, cache } = self;
        let unreadable = |error| format!("cannot read `{}`: {error}", file.display());
        let created = std::fs::metadata(&file).map_err(unreadable)?;
        let created = registry::built_at(&created);
        let bytes = disk::read(&file, MAX_COMPONENT).map_err(unreadable)?;
        // Nobody is served by an artifact that no gateway can load.
        let loaded = match World::of(&bytes).map(|world| world.kind) {
            Some(Kind::Proxy | Kind::Service | Kind::Middleware) => {
                load_service(&file, cache).map(Loaded::Service)
            }
            Some(Kind::Plugin) | None => load(&file, cache).map(Loaded::Plugin),
        };
        let loaded = loaded?;
        let access = registry.registry()?;
        let runtime = server::runtime().map_err(|failed| failed.to_string())?;
        let publication = Publication { loaded, bytes, created };
        let pushed = runtime.block_on(registry::push(&reference, Some(&access), publication));
        let digest = pushed.map_err(|error| format!("`{reference}` cannot be pushed: {error}"))?;
        print(&format!("{reference}@{digest}\n"))
    }
}
