//! `tollgate plugin inspect`.

use std::{
    iter,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use super::{
    CacheArgument, Outcome, load, load_service,
    piped_file::{self, PipedFile},
    print,
    registry::{self, RegistryArgument},
};
use crate::{
    cases, disk,
    plugin::{Component, Kind, ServiceComponent, World},
    printable,
    registry::{Fetched, MAX_COMPONENT, Reference, SCHEME},
};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The component: a file, `oci://REGISTRY/NAME:TAG`, or `-` for standard input
    file: PathBuf,
    /// Tell which hooks this configuration of the plugin wants, a YAML or JSON file or `-`
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
        let Self { file, config, json, registry, cache } = self;
        let reference = file.to_str().filter(|file| file.starts_with(SCHEME));
        let reference = reference.map(str::parse::<Reference>).transpose();
        let reference = reference.map_err(|error| error.to_string())?;
        let fetched =
            reference.map(|r| registry::fetch(&r, registry, cache.clone())).transpose()?;
        let artifact = fetched.as_ref().map(|(_, Fetched { artifact, .. })| artifact.to_string());
        let file = match fetched {
            Some(_) => PipedFile::fetched(file),
            None => PipedFile::component(file)?,
        };
        let config = config.map(PipedFile::config).transpose()?;
        let fetched = fetched.as_ref().map(|(_, fetched)| &*fetched.file);
        let path = fetched.unwrap_or(file.path());
        let told = told(path, config.as_ref().map(PipedFile::path), json, cache, artifact);
        let as_given = |message| piped_file::as_given(message, iter::once(&file).chain(&config));
        let told = told.map_err(as_given)?;
        print(&if json { told.into() } else { printable::lines(&told) })
    }
}

/// What a component is; `artifact`: where it was fetched from.
fn told(
    file: &Path,
    config: Option<&Path>,
    json: bool,
    cache: CacheArgument,
    artifact: Option<String>,
) -> Result<String, String> {
    Ok(match (is_service(file), config) {
        (true, Some(_)) => {
            return Err("a `wasi:http` component has no configuration and no hooks".into());
        }
        (true, None) => {
            let component = load_service(file, cache)?;
            if json {
                format!("{:#}\n", service_as_json(&component, artifact))
            } else {
                table(service_rows(&component, artifact))
            }
        }
        (false, _) => {
            let folder = cache.clone().folder();
            let hooks = config.map(|config| cases::hooks(file, config, folder.as_ref()));
            let hooks = hooks.transpose()?;
            let component = load(file, cache)?;
            if json {
                format!("{:#}\n", as_json(&component, hooks.as_deref(), artifact))
            } else {
                as_text(&component, hooks.as_deref(), artifact)
            }
        }
    })
}

/// Whether it is of one of the worlds of `wasi:http`. What cannot be read is told by who loads it.
fn is_service(file: &Path) -> bool {
    let world = disk::read(file, MAX_COMPONENT).ok().and_then(|bytes| World::of(&bytes));
    world.is_some_and(|world| world.kind != Kind::Plugin)
}

fn service_rows(
    component: &ServiceComponent,
    artifact: Option<String>,
) -> Vec<(&'static str, String)> {
    let rows = [
        ("world", Some(component.world.to_string())),
        ("size", Some(format!("{} bytes", component.size))),
        ("digest", Some(component.digest.to_string())),
        ("artifact", artifact),
        ("imports", Some(component.surface.imports.join("\n"))),
        ("exports", Some(component.surface.exports.join("\n"))),
    ];
    rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn service_as_json(component: &ServiceComponent, artifact: Option<String>) -> Value {
    let mut told = json!({
        "world": component.world.to_string(),
        "bytes": component.size,
        "digest": component.digest.to_string(),
        "imports": component.surface.imports,
        "exports": component.surface.exports,
    });
    if let Some(artifact) = artifact {
        told["artifact"] = json!(artifact);
    }
    told
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
        ("digest", component.digest.to_string()),
        ("imports", component.surface.imports.join("\n")),
        ("exports", component.surface.exports.join("\n")),
        ("schema", pretty(&manifest.config_schema)),
    ];
    if let Some(artifact) = artifact {
        rows.insert(7, ("artifact", artifact));
    }
    if let Some(hooks) = hooks {
        rows.insert(5, ("hooks", list(hooks)));
    }
    table(rows)
}

fn table(rows: Vec<(&str, String)>) -> String {
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
        "digest": component.digest.to_string(),
        "imports": component.surface.imports,
        "exports": component.surface.exports,
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
