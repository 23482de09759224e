//! Where things are: the repository, cargo's output, the crates that become components.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command::Tool;

/// This repository on disk.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Where cargo puts what it builds: `target`, unless `CARGO_TARGET_DIR` says otherwise.
    pub(crate) cargo_output: PathBuf,
}

/// A crate that is built into a WebAssembly component.
#[derive(Clone)]
pub(crate) struct Guest {
    /// The folder's name, which is the component's name.
    pub(crate) name: String,
    /// Cargo's identifier: a bare name could mean a crate of the registry as well.
    pub(crate) package: String,
    /// The workspace it belongs to; guests of one workspace are built together.
    pub(crate) workspace_root: PathBuf,
    /// Where its component is, below the folder of target and profile.
    pub(crate) file_name: String,
    pub(crate) cargo_output: PathBuf,
}

impl Workspace {
    /// The repository that it is called in.
    pub(crate) fn find() -> Result<Self> {
        let root = find_root()?;
        let metadata = cargo_metadata(&root.join("Cargo.toml"))?;
        let cargo_output = path_member(&metadata, "target_directory")?;
        Ok(Self { root, cargo_output })
    }

    /// Where the repository's documents say that results are, whatever `CARGO_TARGET_DIR` is.
    pub(crate) fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.target().join("release").join(name)
    }

    /// Whether the root manifest has a profile of this name.
    pub(crate) fn has_profile(&self, name: &str) -> Result<bool> {
        let manifest = self.root.join("Cargo.toml");
        let text = fs::read_to_string(&manifest)
            .with_context(|| format!("cannot read {}", manifest.display()))?;
        Ok(text.lines().any(|line| line.trim() == format!("[profile.{name}]")))
    }

    /// The guest crates right below `folder`, by name.
    pub(crate) fn guests(&self, folder: &str) -> Result<Vec<Guest>> {
        let mut guests = Vec::new();
        for directory in directories(&self.root.join(folder))? {
            let manifest = directory.join("Cargo.toml");
            if manifest.is_file() {
                guests.push(Guest::read(&manifest)?);
            }
        }
        guests.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(guests)
    }
}

impl Guest {
    fn read(manifest: &Path) -> Result<Self> {
        let metadata = cargo_metadata(manifest)?;
        let package = array(&metadata, "packages")
            .iter()
            .find(|package| package["manifest_path"].as_str().map(Path::new) == Some(manifest))
            .with_context(|| format!("cargo does not know {}", manifest.display()))?;
        let library = array(package, "targets")
            .iter()
            .find(|target| array(target, "crate_types").contains(&Value::from("cdylib")));
        let Some(library) = library else {
            bail!("{} has no library of crate-type \"cdylib\"", manifest.display());
        };
        Ok(Self {
            name: folder_name(manifest),
            package: text(package, "id").to_owned(),
            workspace_root: path_member(&metadata, "workspace_root")?,
            file_name: format!("{}.wasm", text(library, "name").replace('-', "_")),
            cargo_output: path_member(&metadata, "target_directory")?,
        })
    }
}

/// Where cargo says that it runs this program from, else the current folder, or one above it. Not
/// where it was compiled: a checkout may have been moved or copied since.
fn find_root() -> Result<PathBuf> {
    let start = match env::var_os("CARGO_MANIFEST_DIR") {
        Some(manifest) => PathBuf::from(manifest),
        None => env::current_dir().context("there is no current folder")?,
    };
    let is_root = |folder: &&Path| {
        folder.join("Cargo.toml").is_file() && folder.join("xtask/Cargo.toml").is_file()
    };
    let root = start.ancestors().find(is_root).map(Path::to_owned);
    root.with_context(|| {
        format!("{} is not inside of this repository; call it from there", start.display())
    })
}

fn cargo_metadata(manifest: &Path) -> Result<Value> {
    let json = Tool::cargo()
        .args(["metadata", "--no-deps", "--format-version", "1", "--manifest-path"])
        .arg(manifest)
        .output()?;
    serde_json::from_str(&json).context("cargo metadata printed something that is not JSON")
}

/// The folders in `parent`; none if it does not exist.
fn directories(parent: &Path) -> Result<Vec<PathBuf>> {
    if !parent.is_dir() {
        return Ok(Vec::new());
    }
    let entries =
        fs::read_dir(parent).with_context(|| format!("cannot list {}", parent.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", parent.display()))?.path();
        if path.is_dir() {
            found.push(path);
        }
    }
    Ok(found)
}

fn folder_name(manifest: &Path) -> String {
    let folder = manifest.parent().and_then(Path::file_name).unwrap_or_default();
    folder.to_string_lossy().into_owned()
}

fn path_member(value: &Value, member: &str) -> Result<PathBuf> {
    let path = value[member].as_str().with_context(|| format!("cargo metadata has no {member}"))?;
    Ok(PathBuf::from(path))
}

fn array<'a>(value: &'a Value, member: &str) -> &'a [Value] {
    value[member].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}
