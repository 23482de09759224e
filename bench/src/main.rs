//! `cargo xtask bench`: the gateway beside its peers, over the same work, in one call.
//!
//! One row is one running proxy, one workload is one kind of load. In every pass each row of a
//! workload is started, checked, warmed and measured in turn, so that a machine that drifts
//! drifts for all of them.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is what a person watches")]

mod bench;
mod workloads;
mod rows;
mod setting;
mod tools;
mod keys;
mod template;
mod proxy;
mod check;
mod load;
mod usage;
mod machine;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Measures the gateway and, where they are installed, nginx, HAProxy and Envoy.
///
/// Prints a table for each workload and writes target/bench/results.json.
#[derive(Parser)]
#[command(name = "cargo xtask bench", version)]
struct Arguments {
    /// Rows to measure, `*` stands for anything: 'tollgate-*' nginx-plain [default: all]
    #[arg(value_name = "ROWGLOB")]
    rows: Vec<String>,
    /// Measure each row of each workload this often
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    passes: u32,
    /// Length of one measurement; one second of warm-up comes before it
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Only workloads of this name, `*` stands for anything (may be repeated)
    #[arg(long, value_name = "WORKLOAD")]
    only: Vec<String>,
    /// Only see whether each row does its work
    #[arg(long)]
    check: bool,
    /// Name the rows and workloads, and do nothing
    #[arg(long)]
    list: bool,
    /// The gateway to measure [default: target/release/tollgate]
    #[arg(long, value_name = "FILE")]
    tollgate: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        list();
        return ExitCode::SUCCESS;
    }
    match bench::run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("tollgate-bench: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

fn list() {
    let rows = rows::all();
    for workload in workloads::all() {
        println!("{:<12} {}", workload.name, workload.title);
        for row in rows.iter().filter(|row| row.workloads.contains(&workload.name)) {
            println!("    {}", row.name);
        }
    }
}
