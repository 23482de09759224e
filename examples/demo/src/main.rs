//! `cargo xtask demo`: four example services, the gateway before them, and curl lines to try.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "this is what a person watches")]

mod place;
mod certificate;
mod ports;
mod identity;
mod services;
mod gateway;
mod trials;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use crate::gateway::Gateway;
use crate::place::Place;

/// Starts example services and the gateway before them, and prints curl lines to try.
#[derive(Parser)]
#[command(name = "tollgate-demo", version)]
struct Arguments {
    /// Run every printed line, compare with what it promises, and exit with 0 or 1
    #[arg(long)]
    check: bool,
    /// Only make the certificate that the configuration names
    #[arg(long, conflicts_with = "check")]
    prepare: bool,
    /// The gateway to start [default: target/release/tollgate]
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("tollgate-demo: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<()> {
    let place = Place::find(arguments.gateway)?;
    certificate::ensure(&place)?;
    if arguments.prepare {
        return Ok(());
    }
    ports::check_gateway_ports().await?;
    services::start().await?;
    let mut gateway = Gateway::start(&place)?;
    let outcome = show(&place, &mut gateway, arguments.check).await;
    gateway.stop().await;
    outcome
}

/// Prints or checks the lines; leaves when a person or a dying gateway ends it.
async fn show(place: &Place, gateway: &mut Gateway, check: bool) -> Result<()> {
    tokio::select! {
        ready = gateway.ready() => ready?,
        () = interruption() => bail!("interrupted before the gateway was ready"),
    }
    let lines = trials::all(place);
    if check {
        return tokio::select! {
            outcome = trials::check(&lines) => outcome,
            fault = gateway.death() => Err(fault),
            () = interruption() => bail!("interrupted"),
        };
    }
    trials::print(&lines);
    println!("The gateway's log: {}\nCtrl-C ends the demo.", place.gateway_log().display());
    tokio::select! {
        fault = gateway.death() => Err(fault),
        () = interruption() => Ok(()),
    }
}

/// Waits for Ctrl-C, for `kill`, or for the terminal to close.
async fn interruption() {
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else {
        eprintln!("tollgate-demo: cannot listen for signals, Ctrl-C may leave the gateway behind");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}
