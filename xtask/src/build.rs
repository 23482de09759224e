//! `cargo xtask build`: the gateway and its plugins, each at the place that documents name.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::Tool;
use crate::profile;
use crate::steps::Steps;
use crate::toolchain::{self, GUEST_TARGET};
use crate::workspace::{Guest, Workspace};

/// The programs that this repository builds for people to run: the gateway, and those about it.
const GATEWAY: &str = "tollgate";
const OTHERS: [&str; 5] =
    ["tollgate-demo", "tollgate-bench", "bench-upstream", "hyper-floor", "tls-load"];

/// How much is done for the gateway's speed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Optimise {
    /// As a whole and by its profile, which takes minutes after every change: what is measured and
    /// shipped.
    Whole,
    /// Crate by crate: enough for tests and the demo.
    Crates,
}

pub(crate) fn all(workspace: &Workspace, optimise: Optimise, steps: &mut Steps) -> Result<()> {
    // First, because it is what can be missing, and the programs take minutes.
    toolchain::ensure_guest_target(steps)?;
    steps.run("build the programs", || programs(workspace, optimise))?;
    if optimise == Optimise::Whole {
        steps.run("build the gateway as it is shipped", || {
            install(&profile::build_by(workspace)?, &workspace.binary(GATEWAY))
        })?;
    }
    plugins(workspace, steps)
}

pub(crate) fn plugins(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    toolchain::ensure_guest_target(steps)?;
    steps.run("build the plugins", || guests(workspace, "plugins", "plugins"))?;
    steps.run("build the components of the examples", || {
        guests(workspace, "examples/components", "components")
    })
}

/// The bench alone, which is enough for what it tells of itself.
pub(crate) fn bench(workspace: &Workspace) -> Result<()> {
    Tool::cargo()
        .args(["build", "--release", "--package", "tollgate-bench", "--bin", "tollgate-bench"])
        .locked_in_ci()
        .within(&workspace.root)
        .run()?;
    install_program(workspace, "tollgate-bench")
}

/// The components that only tests use, which misbehave on purpose.
pub(crate) fn test_guests(workspace: &Workspace) -> Result<()> {
    guests(workspace, "tests/plugins", "test-plugins")?;
    guests(workspace, "tests/components", "test-plugins")
}

/// Builds the fuzz targets. `instrumented`: the gateway's crate with counters of its branches, beside
/// its plain build; all that it depends on is shared.
pub(crate) fn fuzz_targets(workspace: &Workspace, instrumented: bool) -> Result<PathBuf> {
    let mut cargo = Tool::cargo().args(["build", "--release", "--package", "tollgate-fuzz"]);
    if instrumented {
        let wrapper = workspace.root.join("fuzz/rustc.sh");
        cargo = cargo.env("RUSTC_WORKSPACE_WRAPPER", wrapper);
    }
    cargo.locked_in_ci().within(&workspace.root).run()?;
    let built = workspace.cargo_output.join("release/tollgate-fuzz");
    let name = if instrumented { "instrumented" } else { "plain" };
    let program = workspace.target().join("fuzz").join(name);
    install(&built, &program)?;
    Ok(program)
}

/// Builds all programs in one call: cargo unites the features of what is built together, and
/// another selection could mean another build of the WebAssembly engine.
///
/// The gateway among them is the one that is built crate by crate.
fn programs(workspace: &Workspace, optimise: Optimise) -> Result<()> {
    let (excluded, gateway) = match optimise {
        Optimise::Whole => (&["--exclude", GATEWAY][..], None),
        Optimise::Crates => (&[][..], Some(GATEWAY)),
    };
    Tool::cargo()
        .args(["build", "--release", "--workspace", "--bins", "--exclude", "xtask"])
        // Nobody runs it by hand, and it needs a C++ compiler.
        .args(["--exclude", "tollgate-fuzz"])
        .args(excluded)
        .locked_in_ci()
        .within(&workspace.root)
        .run()?;
    for name in OTHERS.into_iter().chain(gateway) {
        install_program(workspace, name)?;
    }
    Ok(())
}

fn install_program(workspace: &Workspace, name: &str) -> Result<()> {
    install(&workspace.cargo_output.join("release").join(name), &workspace.binary(name))
}

/// Builds every crate right below `folder` into `target/OUTPUT/NAME.wasm`.
pub(crate) fn guests(workspace: &Workspace, folder: &str, output: &str) -> Result<()> {
    let profile = guest_profile(workspace)?;
    for (root, guests) in by_workspace(workspace.guests(folder)?) {
        build_guests(&root, &guests, profile)?;
        for guest in guests {
            let built = guest.cargo_output.join(GUEST_TARGET).join(profile).join(&guest.file_name);
            let component = workspace.target().join(output).join(format!("{}.wasm", guest.name));
            install(&built, &component)?;
        }
    }
    Ok(())
}

pub(crate) fn guest_profile(workspace: &Workspace) -> Result<&'static str> {
    Ok(if workspace.has_profile("plugin")? { "plugin" } else { "release" })
}

fn by_workspace(guests: Vec<Guest>) -> BTreeMap<PathBuf, Vec<Guest>> {
    let mut groups = BTreeMap::<PathBuf, Vec<Guest>>::new();
    for guest in guests {
        groups.entry(guest.workspace_root.clone()).or_default().push(guest);
    }
    groups
}

fn build_guests(root: &Path, guests: &[Guest], profile: &str) -> Result<()> {
    Tool::cargo()
        .args(["build", "--target", GUEST_TARGET, "--profile", profile])
        .args(guests.iter().flat_map(|guest| ["--package", &guest.package]))
        .locked_in_ci()
        .within(root)
        .run()
}

/// Puts a built file at its place in one step, because a running gateway watches that place.
/// A file that is already the same stays untouched, so that nothing is reloaded for it.
pub(crate) fn install(built: &Path, place: &Path) -> Result<()> {
    if built == place {
        return Ok(());
    }
    let content =
        fs::read(built).with_context(|| format!("cannot read what was built: {built:?}"))?;
    if fs::read(place).is_ok_and(|present| present == content) {
        return Ok(());
    }
    let folder = place.parent().context("a place without a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let unfinished = place.with_extension("unfinished");
    fs::copy(built, &unfinished)
        .and_then(|_| fs::rename(&unfinished, place))
        .with_context(|| format!("cannot write {}", place.display()))
}
