//! One run of libFuzzer: its command line, its progress, and what it found.

#![expect(clippy::print_stdout, reason = "this is what a person watches")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use anyhow::{Context, Result, bail};

use super::{Target, make, seeds};
use crate::command::Tool;
use crate::workspace::Workspace;

/// Longest that one input may take, in seconds: a component may think for 5 s about who it is, and for
/// as long about its configuration.
const MAX_SECONDS: u32 = 60;

/// Most memory of the process, in MiB.
const MAX_MEMORY: u32 = 4096;

/// What libFuzzer ends with after SIGINT or SIGTERM (`FuzzingOptions::InterruptExitCode`).
const INTERRUPTED: i32 = 72;

/// A target that is about to run.
pub(super) struct Run {
    program: PathBuf,
    /// The components that the target needs.
    components: PathBuf,
    target: Target,
    flags: Vec<String>,
}

/// What came of a run.
pub(super) struct Report {
    target: Target,
    executions: String,
    /// Branches that were taken, of those that there are; empty without counters.
    coverage: String,
    findings: Vec<PathBuf>,
    status: ExitStatus,
}

impl Run {
    pub(super) fn new(workspace: &Workspace, program: &Path, target: Target) -> Self {
        let flags = vec![
            format!("-timeout={MAX_SECONDS}"),
            // A guest may take its 5 s of CPU for each time that it is asked who it is.
            format!("-report_slow_units={MAX_SECONDS}"),
            format!("-rss_limit_mb={MAX_MEMORY}"),
            "-print_final_stats=1".to_owned(),
        ];
        let components = match target {
            Target::Loader => seeds::components(workspace),
            _ => workspace.target().join("test-plugins"),
        };
        Self { program: program.to_owned(), components, target, flags }
    }

    pub(super) fn seconds(mut self, seconds: u64) -> Self {
        self.flags.push(format!("-max_total_time={seconds}"));
        self
    }

    /// Without counters of branches: nothing is kept, so all inputs are random, and the same each time.
    pub(super) fn repeatable(mut self) -> Self {
        self.flags.extend(["-seed=1".to_owned(), "-len_control=0".to_owned()]);
        self
    }

    /// Runs what is known, then makes inputs of it; what reaches something new goes into `corpus`.
    pub(super) fn over(self, corpus: &Path, known: &[&Path], findings: &Path) -> Result<Report> {
        let before = files(findings)?;
        let prefix = format!("-artifact_prefix={}/", findings.display());
        let tool = self.tool().arg(prefix).arg(corpus).args(known);
        let (mut executions, mut coverage, mut branches) = Default::default();
        let status = tool.watched(|line| {
            note(line, "stat::number_of_executed_units:", &mut executions);
            note(line, " cov:", &mut coverage);
            note(line, " PC tables (", &mut branches);
            if is_progress(line) {
                println!("    {line}");
            }
        })?;
        if !branches.is_empty() {
            coverage = format!("{coverage} of {branches} branches");
        }
        let findings = files(findings)?.difference(&before).cloned().collect();
        Ok(Report { target: self.target, executions, coverage, findings, status })
    }

    /// Runs one input, and shows all that is said of it.
    pub(super) fn replay(self, input: &Path) -> Result<()> {
        let status = self.tool().arg(input).watched(|line| println!("    {line}"))?;
        if !status.success() {
            bail!("the finding is still there ({status})");
        }
        Ok(())
    }

    fn tool(&self) -> Tool {
        Tool::new(&self.program)
            .env("TOLLGATE_FUZZ_TARGET", self.target.name())
            .env("TOLLGATE_FUZZ_PLUGINS", &self.components)
            .env("RUST_BACKTRACE", "1")
            .args(&self.flags)
    }
}

impl Report {
    pub(super) fn has_finding(&self) -> bool {
        !self.status.success() && !self.was_stopped()
    }

    /// Whether somebody ended it before its time, and it had found nothing until then.
    fn was_stopped(&self) -> bool {
        self.status.code() == Some(INTERRUPTED) && self.findings.is_empty()
    }

    pub(super) fn print(&self) {
        let name = self.target.name();
        let coverage = match self.coverage.as_str() {
            "" => String::new(),
            coverage => format!(", {coverage}"),
        };
        let found = match () {
            () if self.has_finding() => "ended with a finding",
            () if self.was_stopped() => "stopped; nothing found until then",
            () => "nothing found",
        };
        println!("{name}: {} inputs{coverage}: {found}", self.executions);
        for finding in &self.findings {
            println!("    cargo xtask fuzz {name} --replay {}", finding.display());
        }
    }
}

/// Everything but the many lines that say only that an input was kept.
fn is_progress(line: &str) -> bool {
    !["\tNEW ", "\tREDUCE ", "\tRELOAD "].iter().any(|kind| line.contains(kind))
}

/// Keeps the word that follows `key`.
fn note(line: &str, key: &str, value: &mut String) {
    if let Some((_, rest)) = line.split_once(key) {
        rest.split_whitespace().next().unwrap_or_default().clone_into(value);
    }
}

fn files(folder: &Path) -> Result<BTreeSet<PathBuf>> {
    make(folder)?;
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let files = entries.map(|entry| Ok(entry?.path()));
    files.collect()
}
