//! `cargo xtask test`: all that must hold before a change is merged, cheapest first.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};

use crate::build::{self, Optimise};
use crate::command::Tool;
use crate::examples as example_plugins;
use crate::fuzz;
use crate::hosts;
use crate::steps::Steps;
use crate::toolchain::{self, GUEST_TARGET};
use crate::workspace::Workspace;

#[derive(Args)]
pub(crate) struct Options {
    /// Leave out documentation and dependencies, which rarely break
    #[arg(long)]
    fast: bool,
    /// Run only this step, with what earlier ones left (may be repeated)
    #[arg(long, value_name = "STEP")]
    only: Vec<Step>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// cargo fmt --check
    Format,
    /// The gateway, its plugins and the components for tests
    Build,
    /// The examples in other languages, those whose tools are installed, and wasmtime for the tests
    ExamplePlugins,
    /// clippy, warnings are errors
    Lints,
    /// cargo doc, warnings are errors
    Docs,
    /// The configurations below examples/
    Examples,
    /// Every curl line that the demo prints, run and compared with what it says
    Demo,
    /// Unit, integration and documentation tests
    Tests,
    /// Known inputs of the fuzz targets, and a few seconds of random ones
    Fuzz,
    /// Advisories, licences and sources of dependencies, by cargo-deny
    Dependencies,
}

impl Options {
    fn wants(&self, step: Step) -> bool {
        let slow = matches!(step, Step::Docs | Step::Dependencies);
        match self.only.is_empty() {
            true => !(self.fast && slow),
            false => self.only.contains(&step),
        }
    }
}

pub(crate) fn all(workspace: &Workspace, options: &Options, steps: &mut Steps) -> Result<()> {
    if options.wants(Step::Format) {
        steps.run("format", || format(workspace))?;
    }
    if options.wants(Step::Build) {
        build::all(workspace, Optimise::Crates, steps)?;
        steps.run("build the test components", || build::test_guests(workspace))?;
    }
    if options.wants(Step::ExamplePlugins) {
        example_plugins::all(workspace, steps)?;
        hosts::wasmtime(workspace, steps)?;
    }
    if options.wants(Step::Lints) {
        steps.run("lints", || lints(workspace))?;
        steps.run("lints of what becomes a component", || guest_lints(workspace))?;
    }
    if options.wants(Step::Docs) {
        steps.run("docs", || docs(workspace))?;
    }
    if options.wants(Step::Examples) {
        steps.run("examples", || examples(workspace))?;
    }
    if options.wants(Step::Demo) {
        steps.run("demo", || Tool::new(workspace.binary("tollgate-demo")).arg("--check").run())?;
    }
    if options.wants(Step::Tests) {
        steps.run("tests", || tests(workspace))?;
    }
    if options.wants(Step::Fuzz) {
        fuzz::smoke(workspace, steps)?;
    }
    if options.wants(Step::Dependencies) {
        dependencies(workspace, steps)?;
    }
    Ok(())
}

fn format(workspace: &Workspace) -> Result<()> {
    toolchain::ensure_component("rustfmt", "fmt")?;
    Tool::cargo()
        .args(["fmt", "--all", "--check"])
        .within(&workspace.root)
        .run()
        .context("`cargo fmt --all` formats what is shown above")
}

/// In the release profile like all else here: a second profile would be a second engine.
fn lints(workspace: &Workspace) -> Result<()> {
    toolchain::ensure_component("clippy", "clippy")?;
    Tool::cargo()
        .args(["clippy", "--release", "--workspace", "--all-targets"])
        .locked_in_ci()
        .args(["--", "-D", "warnings"])
        .within(&workspace.root)
        .run()
}

/// Code for the component's target only is not seen by the lints of this machine's target.
fn guest_lints(workspace: &Workspace) -> Result<()> {
    let folders = ["plugins", "examples/components", "tests/components"];
    let guests = folders.map(|folder| workspace.guests(folder));
    let guests = guests.into_iter().collect::<Result<Vec<_>>>()?.concat();
    Tool::cargo()
        .args(["clippy", "--target", GUEST_TARGET, "--profile", build::guest_profile(workspace)?])
        .args(guests.iter().flat_map(|guest| ["--package", &guest.package]))
        .locked_in_ci()
        .args(["--", "-D", "warnings"])
        .within(&workspace.root)
        .run()
}

fn docs(workspace: &Workspace) -> Result<()> {
    Tool::cargo()
        .args(["doc", "--release", "--workspace", "--no-deps"])
        .locked_in_ci()
        .env("RUSTDOCFLAGS", "-D warnings")
        .within(&workspace.root)
        .run()
}

fn examples(workspace: &Workspace) -> Result<()> {
    Tool::new(workspace.binary("tollgate-demo")).arg("--prepare").run()?;
    let configurations = configurations_below(&workspace.root.join("examples"))?;
    ensure!(!configurations.is_empty(), "there is no configuration below examples/");
    for configuration in configurations {
        Tool::new(workspace.binary("tollgate"))
            .args(["validate", "-c"])
            .arg(&configuration)
            .run()
            .with_context(|| format!("{} is not valid", configuration.display()))?;
    }
    Ok(())
}

/// The YAML files with `listeners:`, which is what makes one a configuration of the gateway.
fn configurations_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot list {}", folder.display()))?.path();
        if path.is_dir() {
            found.append(&mut configurations_below(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            let text = fs::read_to_string(&path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            if text.lines().any(|line| line.starts_with("listeners:")) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn tests(workspace: &Workspace) -> Result<()> {
    Tool::cargo()
        .args(["test", "--release", "--workspace"])
        .locked_in_ci()
        // A failure is a line with its place; the frames below it would bury it.
        .env("RUST_BACKTRACE", "0")
        .within(&workspace.root)
        .run()
}

/// The test of swaps, for longer than it takes among the others.
pub(crate) fn soak(workspace: &Workspace, swaps: u32, steps: &mut Steps) -> Result<()> {
    build::all(workspace, Optimise::Crates, steps)?;
    steps.run("build the test components", || build::test_guests(workspace))?;
    steps.run(&format!("{swaps} swaps under load"), || {
        Tool::cargo()
            // As the tests are built: another selection would have other features, and be built anew.
            .args(["test", "--release", "--workspace", "--test", "it"])
            .locked_in_ci()
            .args([
                "--",
                "--exact",
                "reload::soak::swaps_under_load_lose_no_request_and_leave_nothing_behind",
            ])
            .env("TOLLGATE_SOAK_SWAPS", swaps.to_string())
            .within(&workspace.root)
            .run()
    })
}

fn dependencies(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    if !Tool::cargo().args(["deny", "--version"]).works() {
        steps.skip("dependencies", "cargo-deny is missing (`cargo install --locked cargo-deny`)");
        return Ok(());
    }
    let deny = |arguments: &[&str]| {
        Tool::cargo().args(["deny", "--workspace"]).args(arguments).within(&workspace.root)
    };
    steps.run("licences, sources and bans of dependencies", || {
        deny(&["check", "--hide-inclusion-graph", "bans", "licenses", "sources"]).run()
    })?;
    // Advisories change by the day and are fetched; without them a build is as good as before.
    if !deny(&["fetch", "db"]).works() {
        steps.skip("advisories about dependencies", "the advisory database cannot be fetched");
        return Ok(());
    }
    steps.run("advisories about dependencies", || deny(&["check", "advisories"]).run())
}
