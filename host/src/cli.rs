//! The command line.

mod diff;
mod explain;
mod given;
mod piped;
mod plugin;
mod run;
mod schema;
mod validate;

use std::{ffi::OsString, io::Write, path::PathBuf, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::{
    config::other,
    disk::CacheFolder,
    generation::Builder,
    plugin::compiler::{self, Guests},
    printable,
    server::{self, Options},
    telemetry,
};

const FIRST_STEPS: &str =
    "First steps: write `tollgate.yaml`, see what is wrong with it by `tollgate validate`, start by
`tollgate run`. Exit codes: 0 well, 1 a fault or failure, 2 wrong use; `diff` has its own.
Documentation: https://github.com/tollgate-gateway/tollgate";

const COMPLETIONS: &str = "Where shells look for them:
  tollgate completions bash > ~/.local/share/bash-completion/completions/tollgate
  tollgate completions zsh > \"${fpath[1]}/_tollgate\"
  tollgate completions fish > ~/.config/fish/completions/tollgate.fish";

/// A programmable API gateway: TLS, routes and upstreams in a lean host, every policy a
/// WebAssembly component, swapped while traffic flows.
#[derive(Parser)]
#[command(name = "tollgate", version, max_term_width = 100, after_help = FIRST_STEPS)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway. SIGTERM or SIGINT drains, a second one ends it; SIGHUP reloads
    Run(run::Arguments),
    /// Check a configuration with its plugins, certificates and other files, and tell every fault
    Validate(validate::Arguments),
    /// Tell which route takes a request, and what happens to it; sends nothing
    Explain(explain::Arguments),
    /// Tell what another configuration would change: routes, upstreams, plugins and the rest
    Diff(diff::Arguments),
    /// Print the JSON Schema of the configuration, with that of every plugin
    Schema(schema::Arguments),
    /// Make, build, test, measure, push and pull plugins
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Print the version
    Version,
    /// Print completions for a shell
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Compile a component from standard input to standard output; what the gateway starts itself
    #[command(name = compiler::COMMAND, hide = true)]
    Compile { guests: Guests },
}

/// Which configuration.
#[derive(clap::Args)]
struct ConfigArgument {
    /// The configuration file
    #[arg(
        short,
        long,
        env = "TOLLGATE_CONFIG",
        default_value = "tollgate.yaml",
        value_name = "FILE"
    )]
    config: PathBuf,
}

/// Where compiled and fetched plugins are kept.
#[derive(Clone, clap::Args)]
struct CacheArgument {
    /// Folder for compiled and fetched plugins [default: tollgate in the user's cache folder]
    // A text: an empty variable is as good as none.
    #[arg(long, env = "TOLLGATE_CACHE", value_name = "FOLDER")]
    cache: Option<OsString>,
    /// Bytes that are kept there; what was not used for the longest time makes room
    #[arg(
        long,
        env = "TOLLGATE_CACHE_SIZE",
        value_name = "SIZE",
        default_value = "1GiB",
        value_parser = size
    )]
    cache_size: u64,
    /// Compile and fetch every plugin at each start, whatever the environment says of a cache
    #[arg(long)]
    no_cache: bool,
}

impl CacheArgument {
    /// Every component is compiled.
    fn none() -> Self {
        Self { cache: None, cache_size: 0, no_cache: true }
    }

    fn folder(self) -> Option<CacheFolder> {
        let named = self.cache.filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let path = if self.no_cache { None } else { named.or_else(default_cache) };
        path.map(|path| CacheFolder { path, max_bytes: self.cache_size })
    }
}

fn size(text: &str) -> Result<u64, String> {
    other::size(text).map_err(|error| error.to_string())
}

/// By the XDG base directory specification.
fn default_cache() -> Option<PathBuf> {
    let folder = |name| std::env::var_os(name).map(PathBuf::from).filter(|f| f.is_absolute());
    let base = folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")));
    base.map(|base| base.join("tollgate"))
}

/// What a command ends with: a text for standard error, which may be empty, and exit code 1.
type Outcome = Result<(), String>;

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let command = Arguments::parse().command;
    compiler::start_apart();
    if !matches!(command, Command::Run(_) | Command::Compile { .. }) {
        telemetry::progress();
    }
    let outcome = match command {
        Command::Run(arguments) => arguments.run(),
        Command::Validate(arguments) => arguments.run(),
        Command::Explain(arguments) => arguments.run(),
        // It tells a difference apart from a failure.
        Command::Diff(arguments) => return arguments.run(),
        Command::Compile { guests } => return compiler::child(guests),
        Command::Schema(arguments) => arguments.run(),
        Command::Plugin(command) => command.run(),
        Command::Version => print(&format!("tollgate {}\n", env!("CARGO_PKG_VERSION"))),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "tollgate", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) if message.is_empty() => ExitCode::FAILURE,
        Err(message) => {
            complain(&message);
            ExitCode::FAILURE
        }
    }
}

/// What looks into a configuration as a gateway would, and the runtime that it does so in.
fn builder(options: &Options) -> Result<(Builder, tokio::runtime::Runtime), String> {
    let builder = server::builder(options).map_err(|failed| failed.to_string())?;
    let runtime = server::runtime().map_err(|failed| failed.to_string())?;
    Ok((builder, runtime))
}

fn complain(message: &str) {
    // Nothing can be done where even standard error is closed.
    let _ = writeln!(std::io::stderr(), "{}", printable::lines(message));
}

/// Prints to standard output; a reader that has gone (`| head`) is no failure.
fn print(text: &str) -> Outcome {
    let mut out = std::io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// `1 route`, `2 routes`.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
