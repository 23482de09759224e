//! `tollgate plugin`.

use std::path::PathBuf;

use clap::Subcommand;

use super::{CacheArgument, Outcome, print};
use crate::{
    plugin::{Component, Components, Engine},
    server,
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// Tell what a component is: world, version, needs, imports, schema, size, digest
    Inspect {
        /// The component
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        cache: CacheArgument,
    },
}

impl Command {
    pub(super) fn run(self) -> Outcome {
        let Self::Inspect { file, json, cache } = self;
        let engine = Engine::new().map_err(|error| format!("{error:#}"))?;
        let components = Components::new(engine, cache.folder().as_deref());
        let runtime = server::runtime().map_err(|failed| failed.to_string())?;
        let component =
            runtime.block_on(components.load(&file)).map_err(|error| error.to_string())?;
        print(&if json { as_json(&component) } else { as_text(&component) })
    }
}

fn as_text(component: &Component) -> String {
    let manifest = &component.manifest;
    let needs =
        if manifest.needs.is_empty() { "nothing".into() } else { manifest.needs.join(", ") };
    let imports = component.imports().join("\n           ");
    format!(
        "name       {}\nversion    {}\nsummary    {}\nworld      {}\nneeds      {}\nsize       {} bytes\ndigest     sha256:{}\nimports    {}\nschema     {}\n",
        manifest.name,
        manifest.version,
        manifest.summary,
        component.world(),
        needs,
        component.size,
        component.digest,
        imports,
        pretty(&manifest.config_schema),
    )
}

fn as_json(component: &Component) -> String {
    let manifest = &component.manifest;
    let schema: serde_json::Value =
        serde_json::from_str(&manifest.config_schema).unwrap_or_default();
    let value = serde_json::json!({
        "name": manifest.name,
        "version": manifest.version,
        "summary": manifest.summary,
        "world": component.world(),
        "needs": manifest.needs,
        "bytes": component.size,
        "digest": format!("sha256:{}", component.digest),
        "imports": component.imports(),
        "config_schema": schema,
    });
    format!("{value:#}\n")
}

fn pretty(schema: &str) -> String {
    let indented = |value: serde_json::Value| format!("{value:#}").replace('\n', "\n           ");
    serde_json::from_str(schema).map_or_else(|_| schema.to_owned(), indented)
}
