//! The chores of this repository, each one command: `cargo xtask help`.

mod workspace;
mod command;
mod steps;
mod toolchain;
mod build;
mod profile;
mod examples;
mod hosts;
mod fuzz;
mod test;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::build::Optimise;
use crate::command::Tool;
use crate::steps::Steps;
use crate::workspace::Workspace;

/// Builds, tests, shows and measures Tollgate.
///
/// Every command does its own set-up (the wasm32-wasip2 target, the build of the gateway and of
/// its plugins) and says what it cannot do.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_version_flag = true)]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build the gateway (target/release/tollgate) and its plugins (target/plugins/NAME.wasm), as
    /// they are shipped
    Build {
        /// Only the plugins: a running gateway takes them over at once
        #[arg(long)]
        plugins: bool,
        /// Leave out the gateway's optimisation as a whole, which takes minutes
        #[arg(long, conflicts_with = "plugins")]
        fast: bool,
    },
    /// Everything that must hold before a change is merged: format, lints, docs, examples, tests
    Test(test::Options),
    /// Swap a plugin under load, again and again: no request may fail, and memory, file descriptors and
    /// threads must stay as they are
    Soak {
        /// How often
        #[arg(long, default_value_t = 1000)]
        swaps: u32,
    },
    /// Feed the gateway what nobody would write, to find where it does not hold
    Fuzz(fuzz::Options),
    /// Start the gateway before four example services and print curl lines to try
    Demo {
        /// Passed on, for example --check, which runs the lines itself
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Count how often requests take each path through the gateway, for `build`: after other versions of
    /// crates, or much change on a request's way. Half an hour; needs wrk and h2load
    Profile,
    /// Measure the gateway beside nginx, HAProxy and Envoy; `cargo xtask bench --help` for options
    #[command(disable_help_flag = true)]
    Bench {
        /// Passed on: row globs, --passes N, --seconds S, --only WORKLOAD
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let mut steps = Steps::default();
    let outcome = run(Arguments::parse().chore, &mut steps);
    steps.print_summary();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            steps::print_failure(&fault);
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore, steps: &mut Steps) -> Result<()> {
    let workspace = Workspace::find()?;
    match chore {
        Chore::Build { plugins: true, .. } => build::plugins(&workspace, steps),
        Chore::Build { plugins: false, fast } => {
            let optimise = if fast { Optimise::Crates } else { Optimise::Whole };
            build::all(&workspace, optimise, steps)
        }
        Chore::Test(options) => test::all(&workspace, &options, steps),
        Chore::Soak { swaps } => test::soak(&workspace, swaps, steps),
        Chore::Fuzz(options) => fuzz::all(&workspace, &options, steps),
        Chore::Profile => profile::take(&workspace, steps),
        Chore::Demo { arguments } => {
            build::all(&workspace, Optimise::Crates, steps)?;
            Tool::new(workspace.binary("tollgate-demo")).args(arguments).take_over()
        }
        Chore::Bench { arguments } => {
            // What only tells needs nothing that takes minutes.
            let only_tells = |word: &OsString| ["-h", "--help", "--list"].iter().any(|w| word == w);
            if arguments.iter().any(only_tells) {
                build::bench(&workspace)?;
            } else {
                build::all(&workspace, Optimise::Whole, steps)?;
            }
            Tool::new(workspace.binary("tollgate-bench")).args(arguments).take_over()
        }
    }
}
