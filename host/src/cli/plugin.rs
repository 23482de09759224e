//! `tollgate plugin`.

mod bench;
mod build;
mod create;
mod inspect;
mod lock;
mod piped_file;
mod pull;
mod push;
mod registry;
mod test;

use std::{path::Path, sync::Arc};

use clap::Subcommand;

use super::{CacheArgument, Outcome, print};
use crate::{
    config,
    plugin::{Component, Components, Engine, ServiceComponent},
    server,
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Make a new plugin that builds and passes its test
    New(create::Arguments),
    /// Build a plugin into a component, by the tools of its language
    Build(build::Arguments),
    /// Tell what a component is: world, version, needs, hooks, imports, schema, size, digest
    Inspect(inspect::Arguments),
    /// Run cases against a component, in this process, by the code that runs it in production
    Test(test::Arguments),
    /// Measure what each hook of a component costs, by the code that runs it in production
    Bench(bench::Arguments),
    /// Bring a component to an OCI registry, and print the reference with its digest
    Push(push::Arguments),
    /// Fetch a component from an OCI registry into a file
    Pull(pull::Arguments),
    /// Pin the tags that a configuration names to digests, and fetch what it needs
    Lock(lock::Arguments),
}

impl Command {
    pub(super) fn run(self) -> Outcome {
        match self {
            Self::New(arguments) => arguments.run(),
            Self::Build(arguments) => arguments.run(),
            Self::Inspect(arguments) => arguments.run(),
            Self::Test(arguments) => arguments.run(),
            Self::Bench(arguments) => arguments.run(),
            Self::Push(arguments) => arguments.run(),
            Self::Pull(arguments) => arguments.run(),
            Self::Lock(arguments) => arguments.run(),
        }
    }
}

/// Compiles and links the component, and asks it who it is.
fn load(file: &Path, cache: CacheArgument) -> Result<Arc<Component>, String> {
    let runtime = server::runtime().map_err(|failed| failed.to_string())?;
    let loaded = runtime.block_on(components(cache)?.load(file));
    let component = loaded.map_err(|error| error.to_string())?;
    // Else the first who configures the plugin would be told.
    config::check_schema(&component.manifest.config_schema).map_err(|error| {
        format!("`{}`: the schema of its configuration is invalid: {error}", file.display())
    })?;
    Ok(component)
}

/// Compiles and links a `wasi:http` component.
fn load_service(file: &Path, cache: CacheArgument) -> Result<Arc<ServiceComponent>, String> {
    components(cache)?.load_service(file).map_err(|error| error.to_string())
}

fn components(cache: CacheArgument) -> Result<Components, String> {
    let engine = Engine::new().map_err(|error| format!("{error:#}"))?;
    Ok(Components::new(engine, cache.folder().as_ref()))
}
