//! From a project to a component, by the tools of its language.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    Error, Language,
    tools::{self, CARGO, MAKE, NPM, PYTHON, RUSTUP, Tool},
};
use crate::disk;

const GUEST_TARGET: &str = "wasm32-wasip2";

/// Where a project has its component, as seen from its folder.
const OUTPUT: &str = "build";

/// Builds the project in `folder`, and gives the component's file. What the tools say goes to
/// standard error.
///
/// # Errors
///
/// It is no project, a tool is missing, or a tool failed.
pub(crate) fn build(folder: &Path) -> Result<PathBuf, Error> {
    let language = Language::of(folder).ok_or_else(|| Error::NoProject(folder.to_owned()))?;
    match language {
        Language::Rust => rust(folder),
        Language::Js => {
            NPM.check()?;
            install_packages(folder)?;
            NPM.run(folder, &["run", "build"])?;
            only_component(folder)
        }
        Language::Python => {
            MAKE.check()?;
            install_requirements(folder)?;
            MAKE.run(folder, &[])?;
            only_component(folder)
        }
        Language::C => {
            MAKE.run(folder, &[])?;
            only_component(folder)
        }
    }
}

/// Copies the component to `place` in one step: a gateway may watch it.
///
/// # Errors
///
/// It cannot be written.
pub(crate) fn install(component: &Path, place: &Path) -> Result<(), Error> {
    let wrong = |source| Error::Write { path: place.to_owned(), source };
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent).map_err(wrong)?;
    }
    let unfinished = place.with_extension("unfinished");
    fs::copy(component, &unfinished).and_then(|_| fs::rename(&unfinished, place)).map_err(wrong)
}

fn rust(folder: &Path) -> Result<PathBuf, Error> {
    CARGO.check()?;
    add_target(folder)?;
    CARGO.run(folder, &["build", "--release", "--target", GUEST_TARGET])?;
    let metadata = CARGO.output(folder, &["metadata", "--no-deps", "--format-version", "1"])?;
    let metadata: Value = serde_json::from_slice(&metadata).unwrap_or_default();
    let (name, file) = library(folder, &metadata).ok_or_else(|| {
        Error::NoComponent("the package has no library with the crate type `cdylib`".into())
    })?;
    let target = metadata["target_directory"].as_str().unwrap_or("target");
    let built = Path::new(target).join(GUEST_TARGET).join("release").join(file);
    let component = super::below(folder, OUTPUT).join(format!("{name}.wasm"));
    install(&built, &component)?;
    Ok(component)
}

/// Name of the package in `folder`, and the file that its component library becomes.
fn library(folder: &Path, metadata: &Value) -> Option<(String, String)> {
    let manifest = fs::canonicalize(folder.join("Cargo.toml")).ok()?;
    let is_here = |package: &&Value| {
        package["manifest_path"].as_str().is_some_and(|path| Path::new(path) == manifest)
    };
    let package = metadata["packages"].as_array()?.iter().find(is_here)?;
    let is_component = |target: &&Value| {
        let kinds = target["crate_types"].as_array();
        kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind == "cdylib"))
    };
    let target = package["targets"].as_array()?.iter().find(is_component)?;
    let file = format!("{}.wasm", target["name"].as_str()?.replace('-', "_"));
    Some((package["name"].as_str()?.to_owned(), file))
}

/// Adds the target of components to the tool chain that cargo uses here, where it is missing.
fn add_target(folder: &Path) -> Result<(), Error> {
    let rustc = Tool { program: "rustc", remedy: CARGO.remedy };
    let sysroot = rustc.output(folder, &["--print", "sysroot"])?;
    let sysroot = String::from_utf8_lossy(&sysroot);
    if Path::new(sysroot.trim()).join("lib/rustlib").join(GUEST_TARGET).is_dir() {
        return Ok(());
    }
    RUSTUP.run(folder, &["target", "add", GUEST_TARGET])
}

/// What the lock file says, where there is one.
fn install_packages(folder: &Path) -> Result<(), Error> {
    if folder.join("node_modules").is_dir() {
        return Ok(());
    }
    let command = if folder.join("package-lock.json").is_file() { "ci" } else { "install" };
    NPM.run(folder, &[command, "--no-audit", "--no-fund"])
}

/// Into a virtual environment in the project.
fn install_requirements(folder: &Path) -> Result<(), Error> {
    if folder.join(".venv/bin/componentize-py").is_file() {
        return Ok(());
    }
    PYTHON.run(folder, &["-m", "venv", ".venv"])?;
    let wanted: &[&str] = match folder.join("requirements.txt").is_file() {
        true => &["install", "--quiet", "-r", "requirements.txt"],
        false => &["install", "--quiet", "."],
    };
    // As seen from here: a program's path is not searched from the folder that it is to run in.
    let pip = std::path::absolute(folder.join(".venv/bin/pip"));
    tools::run(pip.unwrap_or_default().as_os_str(), folder, wanted)
}

/// The one component in the folder for what was built.
fn only_component(folder: &Path) -> Result<PathBuf, Error> {
    let output = super::below(folder, OUTPUT);
    let mut components = disk::components(&output);
    match components.as_slice() {
        [component] => Ok(component.clone()),
        [_, ..] => {
            components.sort();
            let names = components.iter().map(|component| component.display().to_string());
            let names = names.collect::<Vec<_>>().join(", ");
            Err(Error::NoComponent(format!("there are several, of which one has to go: {names}")))
        }
        [] => Err(Error::NoComponent(format!("`{}` has no component", output.display()))),
    }
}
