//! The gateway's profile: how often requests take each path through it. With it the compiler puts what
//! requests run side by side and everything else out of the way, which is most of the program.

#![expect(clippy::print_stdout, reason = "this is what a person watches")]

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::build::{self, Optimise};
use crate::command::Tool;
use crate::steps::Steps;
use crate::toolchain::{self, Compiler};
use crate::workspace::Workspace;

/// The profile in the repository, and what it was taken of: the compiler, and a line for each crate.
const PROFILE: &str = "host/profile/requests.profdata";
const TAKEN_OF: &str = "host/profile/taken-of.txt";

/// What the libraries of the gateway are compiled with in any case; see `.cargo/config.toml`.
const BITCODE: &str = "-Cembed-bitcode=yes";

/// What is run for the counts: the ways of requests. Handshakes and bodies of other sizes have ways that
/// are seldom gone, and what is counted for them takes room from what each request needs.
const LOADS: [&str; 6] = ["plain-*", "hdr-1k", "chain-*", "agg3", "tls-1k", "h2c-1k"];

/// Builds the gateway as it is shipped: by its profile, and with optimisation across all crates. Gives
/// the program.
pub(crate) fn build_by(workspace: &Workspace) -> Result<PathBuf> {
    let compiler = Compiler::find()?;
    let mut flags = vec![BITCODE.to_owned()];
    match usable(workspace, &compiler)? {
        Ok(profile) => {
            let profile = at_a_place_of_its_own(workspace, &profile)?;
            flags.push(format!("-Cprofile-use={}", profile.display()));
            // Functions that have changed since are none to tell of one by one.
            flags.push("-Cllvm-args=-no-pgo-warn-mismatch".to_owned());
        }
        Err(reason) => println!("    built without the profile: {reason}"),
    }
    gateway(workspace, &compiler, &workspace.cargo_output, &flags, &["-C", "lto=fat"])
}

/// Takes the profile: runs the bench's load against a gateway that counts.
pub(crate) fn take(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    let compiler = Compiler::find()?;
    let merger = toolchain::ensure_llvm_profdata(&compiler, steps)?;
    build::all(workspace, Optimise::Crates, steps)?;
    let folder = workspace.target().join("profiling");
    let counts = folder.join("counts");
    let mut counting = PathBuf::new();
    steps.run("build a gateway that counts", || {
        let flags = [BITCODE.to_owned(), format!("-Cprofile-generate={}", counts.display())];
        counting = gateway(workspace, &compiler, &folder, &flags, &[])?;
        Ok(())
    })?;
    steps.run("run the bench's load against it", || load(workspace, &counting, &counts))?;
    steps.run("put the counts together", || {
        merge(&merger, &counts, &workspace.root.join(PROFILE))?;
        let taken_of = taken_of(workspace, &compiler)?.into_iter().collect::<Vec<_>>().join("\n");
        fs::write(workspace.root.join(TAKEN_OF), taken_of + "\n").context("cannot write a list")
    })?;
    println!("{PROFILE} is new: `cargo xtask build` goes by it");
    Ok(())
}

/// Compiles the gateway, for this machine's target by name: what runs while it is compiled is then not
/// compiled with the same flags.
fn gateway(
    workspace: &Workspace,
    compiler: &Compiler,
    output: &Path,
    flags: &[String],
    last: &[&str],
) -> Result<PathBuf> {
    Tool::cargo()
        .args(["rustc", "--release", "--package", "tollgate", "--bin", "tollgate"])
        .args(["--target", &compiler.host, "--target-dir"])
        .arg(output)
        .locked_in_ci()
        .arg("--")
        .args(last)
        // Paths may have spaces.
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .within(&workspace.root)
        .run()?;
    Ok(output.join(&compiler.host).join("release/tollgate"))
}

/// The profile's file, or why this compiler cannot go by it. Says so where it fits only in part.
fn usable(workspace: &Workspace, compiler: &Compiler) -> Result<Result<PathBuf, String>> {
    let profile = workspace.root.join(PROFILE);
    let Ok(taken) = fs::read_to_string(workspace.root.join(TAKEN_OF)) else {
        return Ok(Err(format!("there is no {TAKEN_OF}")));
    };
    let taken: BTreeSet<String> = taken.lines().map(str::to_owned).collect();
    let version = taken.iter().find_map(|line| line.strip_prefix(LLVM)).unwrap_or_default();
    if llvm_number(version) > llvm_number(&compiler.llvm) {
        let llvm = &compiler.llvm;
        return Ok(Err(format!("it is of LLVM {version}, and this compiler's is {llvm}")));
    }
    let others = taken_of(workspace, compiler)?.difference(&taken).cloned().collect::<Vec<_>>();
    if !others.is_empty() {
        println!(
            "    the profile does not know: {}; `cargo xtask profile` takes it anew",
            others.join(", ")
        );
    }
    Ok(Ok(profile))
}

/// How the line of [`TAKEN_OF`] begins that has the version of LLVM.
const LLVM: &str = "(LLVM) ";

/// What a profile depends on: functions of other versions of a crate have other names.
fn taken_of(workspace: &Workspace, compiler: &Compiler) -> Result<BTreeSet<String>> {
    let crates = Tool::cargo()
        .args(["tree", "--package", "tollgate", "--edges", "no-dev,no-build,no-proc-macro"])
        .args(["--prefix", "none", "--no-dedupe"])
        .within(&workspace.root)
        .output()?;
    let name_and_version = |line: &str| {
        let mut words = line.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?))
    };
    let mut lines: BTreeSet<String> = crates.lines().filter_map(name_and_version).collect();
    lines.insert(format!("{LLVM}{}", compiler.llvm));
    Ok(lines)
}

fn llvm_number(version: &str) -> u32 {
    version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(u32::MAX)
}

/// A copy whose path changes with its content: cargo does not look into files that flags name.
fn at_a_place_of_its_own(workspace: &Workspace, profile: &Path) -> Result<PathBuf> {
    let bytes = fs::read(profile).with_context(|| format!("cannot read {}", profile.display()))?;
    let mut sum = DefaultHasher::new();
    sum.write(&bytes);
    let name = format!("{:016x}.profdata", sum.finish());
    let place = workspace.target().join("profile").join(name);
    build::install(profile, &place)?;
    Ok(place)
}

fn load(workspace: &Workspace, gateway: &Path, counts: &Path) -> Result<()> {
    let bench = |arguments: &[&str]| {
        Tool::new(workspace.binary("tollgate-bench"))
            .args(["tollgate-*", "--tollgate"])
            .arg(gateway)
            .args(LOADS.iter().flat_map(|workload| ["--only", workload]))
            .args(arguments)
            .env("LLVM_PROFILE_FILE", counts.join("gateway-%4m.profraw"))
            .within(&workspace.root)
            .run()
    };
    // Fills the cache of compiled code: to compile counts a hundred times what a second of requests does.
    bench(&["--check"])?;
    // Nor would those of another build fit.
    let _ = fs::remove_dir_all(counts);
    bench(&["--passes", "1", "--seconds", "2"])
}

fn merge(merger: &Path, counts: &Path, profile: &Path) -> Result<()> {
    let entries = fs::read_dir(counts).with_context(|| format!("{} is gone", counts.display()))?;
    let counted: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    ensure!(!counted.is_empty(), "the gateway has counted nothing");
    let folder = profile.parent().context("a profile without a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Tool::new(merger).args(["merge", "-sparse", "-o"]).arg(profile).args(counted).run()
}
