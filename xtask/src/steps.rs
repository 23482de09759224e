//! Named steps: what runs now, how long each took, which one failed.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is what a person watches")]

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// The steps of one call, in the order in which they ran.
#[derive(Default)]
pub(crate) struct Steps {
    done: Vec<Step>,
}

struct Step {
    name: String,
    took: Duration,
    outcome: &'static str,
}

impl Steps {
    /// Runs one step; its failure ends the call and names it.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> Result<()>) -> Result<()> {
        println!("==> {name}");
        // What cargo writes to stderr must not overtake the line above.
        let _ = std::io::stdout().flush();
        let start = Instant::now();
        let outcome = step();
        let took = start.elapsed();
        println!("    {name}: {:.1} s", took.as_secs_f64());
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        self.done.push(Step { name: name.to_owned(), took, outcome: word });
        outcome.with_context(|| format!("the step \"{name}\" failed"))
    }

    /// Notes a step that could not run on this machine.
    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        println!("==> {name}: skipped, {why}");
        let took = Duration::ZERO;
        self.done.push(Step { name: name.to_owned(), took, outcome: "skipped" });
    }

    pub(crate) fn print_summary(&self) {
        if self.done.is_empty() {
            return;
        }
        println!();
        for step in &self.done {
            println!("{:>8.1} s  {:<8} {}", step.took.as_secs_f64(), step.outcome, step.name);
        }
        let total: Duration = self.done.iter().map(|step| step.took).sum();
        println!("{:>8.1} s  in all", total.as_secs_f64());
    }
}

pub(crate) fn print_failure(fault: &anyhow::Error) {
    eprintln!("\nxtask: {fault:#}");
}
