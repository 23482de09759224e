//! `cargo xtask fuzz`: the targets of `fuzz/`, with all that they need, and what they found.

mod run;
mod seeds;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};

use self::run::{Report, Run};
use crate::build;
use crate::steps::Steps;
use crate::workspace::Workspace;

/// Seconds of each target in the tests.
const SMOKE_SECONDS: u64 = 5;

#[derive(Args)]
pub(crate) struct Options {
    /// Only this target
    target: Option<Target>,
    /// How long each target runs, in seconds; 0: until it is stopped
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Run only this input, as a finding's line says
    #[arg(long, value_name = "FILE", requires = "target")]
    replay: Option<PathBuf>,
}

/// What an input is taken for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// A script of calls from a guest to all that a plugin can call
    HostFunctions,
    /// The file of a component
    Loader,
    /// A configuration
    Config,
    /// The path of a request, and patterns of routes
    Path,
}

impl Target {
    /// As the command line and the program call it.
    fn name(self) -> &'static str {
        match self {
            Self::HostFunctions => "host-functions",
            Self::Loader => "loader",
            Self::Config => "config",
            Self::Path => "path",
        }
    }
}

/// The folders of one target.
struct Folders {
    /// Made of the repository's files, anew each time.
    seeds: PathBuf,
    /// What reached something new; kept from run to run.
    corpus: PathBuf,
    findings: PathBuf,
    /// What was found once and is mended: part of the repository.
    regressions: PathBuf,
}

impl Folders {
    fn of(workspace: &Workspace, target: Target) -> Result<Self> {
        let own = workspace.target().join("fuzz").join(target.name());
        let folders = Self {
            seeds: own.join("seeds"),
            corpus: own.join("corpus"),
            findings: own.join("findings"),
            regressions: workspace.root.join("fuzz/regressions").join(target.name()),
        };
        for folder in [&folders.seeds, &folders.corpus, &folders.findings] {
            make(folder)?;
        }
        Ok(folders)
    }

    /// Inputs that are known, in folders that are there.
    fn known(&self) -> Vec<&Path> {
        let known = [self.seeds.as_path(), &self.regressions];
        known.into_iter().filter(|folder| folder.is_dir()).collect()
    }
}

/// Runs the targets one after the other; a finding ends a target, and is told at the end of all.
pub(crate) fn all(workspace: &Workspace, options: &Options, steps: &mut Steps) -> Result<()> {
    build::plugins(workspace, steps)?;
    steps.run("build the test components", || build::test_guests(workspace))?;
    let mut program = PathBuf::new();
    steps.run("build the fuzz targets", || {
        program = build::fuzz_targets(workspace, true)?;
        Ok(())
    })?;
    if let (Some(target), Some(input)) = (options.target, &options.replay) {
        return replay(workspace, &program, target, input, steps);
    }
    let mut reports = Vec::new();
    for target in chosen(options) {
        let folders = Folders::of(workspace, target)?;
        steps.run(&format!("fuzz {}", target.name()), || {
            seeds::write(workspace, target, &folders.seeds)?;
            let run = Run::new(workspace, &program, target).seconds(options.seconds);
            reports.push(run.over(&folders.corpus, &folders.known(), &folders.findings)?);
            Ok(())
        })?;
    }
    tell(&reports)
}

/// Known inputs, and a few seconds of random ones that are the same each time; without counters of
/// branches, so that the gateway is not built twice.
pub(crate) fn smoke(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    let mut program = PathBuf::new();
    steps.run("build the fuzz targets", || {
        program = build::fuzz_targets(workspace, false)?;
        Ok(())
    })?;
    for &target in Target::value_variants() {
        let folders = Folders::of(workspace, target)?;
        steps.run(&format!("fuzz {} for a moment", target.name()), || {
            seeds::write(workspace, target, &folders.seeds)?;
            // What is found by chance must not come back by chance.
            let corpus = folders.corpus.with_extension("none");
            make_empty(&corpus)?;
            let run = Run::new(workspace, &program, target).seconds(SMOKE_SECONDS).repeatable();
            tell(&[run.over(&corpus, &folders.known(), &folders.findings)?])
        })?;
    }
    Ok(())
}

fn replay(
    workspace: &Workspace,
    program: &Path,
    target: Target,
    input: &Path,
    steps: &mut Steps,
) -> Result<()> {
    ensure!(input.is_file(), "{} is no file", input.display());
    let input = std::path::absolute(input)?;
    steps.run(&format!("replay {}", input.display()), || {
        Run::new(workspace, program, target).replay(&input)
    })
}

fn chosen(options: &Options) -> Vec<Target> {
    options.target.map_or_else(|| Target::value_variants().to_vec(), |target| vec![target])
}

/// Prints what each target did.
///
/// # Errors
///
/// One of them found something.
fn tell(reports: &[Report]) -> Result<()> {
    reports.iter().for_each(Report::print);
    let found = reports.iter().filter(|report| report.has_finding()).count();
    match found {
        0 => Ok(()),
        _ => bail!("{found} target(s) ended with a finding; the lines above replay them"),
    }
}

fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))
}

fn make_empty(folder: &Path) -> Result<()> {
    if folder.is_dir() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    make(folder)
}
