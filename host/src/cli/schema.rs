//! `tollgate schema`.

use std::path::{Path, PathBuf};

use super::{CacheArgument, Outcome, print};
use crate::{
    config::schema::{schema, with_plugins},
    disk,
    plugin::{Components, Engine, LoadError},
    server,
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The folder whose plugins' schemas are merged in [default: plugins, where there is one]
    #[arg(long, env = "TOLLGATE_PLUGIN_DIRECTORY", value_name = "FOLDER", value_parser = folder)]
    plugin_directory: Option<PathBuf>,
    #[command(flatten)]
    cache: CacheArgument,
}

impl Arguments {
    pub(super) fn run(self) -> Outcome {
        let folder = self.plugin_directory.unwrap_or_else(|| "plugins".into());
        let files = components(&folder);
        let mut plugins = Vec::new();
        if !files.is_empty() {
            let engine = Engine::new().map_err(|error| format!("{error:#}"))?;
            let components = Components::new(engine, self.cache.folder().as_ref());
            let runtime = server::runtime().map_err(|failed| failed.to_string())?;
            for (name, path) in files {
                let component = match runtime.block_on(components.load(&path)) {
                    Ok(component) => component,
                    // They have no configuration.
                    Err(LoadError::NotAPlugin { .. } | LoadError::Middleware { .. }) => continue,
                    Err(error) => return Err(error.to_string()),
                };
                let schema =
                    serde_json::from_str(&component.manifest.config_schema).map_err(|error| {
                        format!("{}: its config-schema is not JSON: {error}", path.display())
                    })?;
                plugins.push((name, schema));
            }
        }
        print(&format!("{:#}\n", with_plugins(schema(), &plugins)))
    }
}

fn folder(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if path.is_dir() { Ok(path) } else { Err("there is no such folder".into()) }
}

/// Name and path of each component in the folder, by name.
fn components(folder: &Path) -> Vec<(String, PathBuf)> {
    let named = |path: PathBuf| Some((path.file_stem()?.to_str()?.to_owned(), path));
    disk::components(folder).into_iter().filter_map(named).collect()
}
