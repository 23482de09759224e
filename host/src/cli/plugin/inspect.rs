//! `tollgate plugin inspect`.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{
    CacheArgument, Outcome, load, print,
    registry::{self, RegistryArgument},
};
use crate::{
    cases,
    plugin::Component,
    registry::{Fetched, Reference, SCHEME},
};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The component: a file, or `oci://REGISTRY/NAME:TAG`
    file: PathBuf,
    /// Tell which hooks this configuration of the plugin wants, a YAML or JSON file
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    registry: RegistryArgument,
    #[command(flatten)]
    cache: CacheArgument,
}

impl Arguments {
    pub(super) fn run(self) -> Outcome {
        let reference = self.file.to_str().filter(|file| file.starts_with(SCHEME));
        let reference = reference.map(str::parse::<Reference>).transpose();
        let reference = reference.map_err(|error| error.to_string())?;
        let fetched = reference.map(|r| registry::fetch(&r, self.registry, self.cache.clone()));
        let fetched = fetched.transpose()?;
        let file = fetched.as_ref().map_or(&self.file, |(_, fetched)| &fetched.file);
        let hooks = match &self.config {
            Some(config) => {
                let cache = self.cache.clone().folder();
                Some(cases::hooks(file, config, cache.as_deref())?)
            }
            None => None,
        };
        let component = load(file, self.cache)?;
        let artifact = fetched.as_ref().map(|(_, Fetched { artifact, .. })| artifact.to_string());
        let told = if self.json {
            format!("{:#}\n", as_json(&component, hooks.as_deref(), artifact))
        } else {
            as_text(&component, hooks.as_deref(), artifact)
        };
        print(&told)
    }
}

fn as_text(component: &Component, hooks: Option<&[&str]>, artifact: Option<String>) -> String {
    let manifest = &component.manifest;
    let list = |names: &[&str]| match names {
        [] => "nothing".to_owned(),
        names => names.join(", "),
    };
    let mut rows = vec![
        ("name", manifest.name.clone()),
        ("version", manifest.version.clone()),
        ("summary", manifest.summary.clone()),
        ("world", component.world()),
        ("needs", list(&manifest.needs)),
        ("size", format!("{} bytes", component.size)),
        ("digest", format!("sha256:{}", component.digest)),
        ("imports", component.imports().join("\n")),
        ("exports", component.exports().join("\n")),
        ("schema", pretty(&manifest.config_schema)),
    ];
    if let Some(artifact) = artifact {
        rows.insert(7, ("artifact", artifact));
    }
    if let Some(hooks) = hooks {
        rows.insert(5, ("hooks", list(hooks)));
    }
    let row = |(name, value): (&str, String)| {
        format!("{name:<10} {}\n", value.replace('\n', "\n           "))
    };
    rows.into_iter().map(row).collect()
}

fn as_json(component: &Component, hooks: Option<&[&str]>, artifact: Option<String>) -> Value {
    let manifest = &component.manifest;
    let schema: Value = serde_json::from_str(&manifest.config_schema).unwrap_or_default();
    let mut told = json!({
        "name": manifest.name,
        "version": manifest.version,
        "summary": manifest.summary,
        "world": component.world(),
        "needs": manifest.needs,
        "bytes": component.size,
        "digest": format!("sha256:{}", component.digest),
        "imports": component.imports(),
        "exports": component.exports(),
        "config_schema": schema,
    });
    if let Some(artifact) = artifact {
        told["artifact"] = json!(artifact);
    }
    if let Some(hooks) = hooks {
        told["hooks"] = json!(hooks);
    }
    told
}

fn pretty(schema: &str) -> String {
    let indented = |value: Value| format!("{value:#}");
    serde_json::from_str(schema).map_or_else(|_| schema.to_owned(), indented)
}
