//! The command line.

mod explain;
mod plugin;
mod run;
mod schema;
mod validate;

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

/// A programmable API gateway: TLS, routes and upstreams in a lean host, every policy a
/// WebAssembly component, swapped while traffic flows.
#[derive(Parser)]
#[command(name = "tollgate", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the gateway. SIGTERM or SIGINT drains, a second one ends it; SIGHUP reloads
    Run(run::Arguments),
    /// Check a configuration and all its plugins; exit 0 or 1
    Validate(validate::Arguments),
    /// Tell which route takes a request, and what happens to it; sends nothing
    Explain(explain::Arguments),
    /// Print the JSON Schema of the configuration, with that of every plugin
    Schema(schema::Arguments),
    /// Work with plugins
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Print the version
    Version,
    /// Print completions for a shell
    Completions { shell: Shell },
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
    #[arg(long, env = "TOLLGATE_CACHE", value_name = "FOLDER")]
    cache: Option<PathBuf>,
    /// Compile and fetch every plugin at each start
    #[arg(long, conflicts_with = "cache")]
    no_cache: bool,
}

impl CacheArgument {
    /// Every component is compiled.
    fn none() -> Self {
        Self { cache: None, no_cache: true }
    }

    fn folder(self) -> Option<PathBuf> {
        if self.no_cache { None } else { self.cache.or_else(default_cache) }
    }
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
    let outcome = match Arguments::parse().command {
        Command::Run(arguments) => arguments.run(),
        Command::Validate(arguments) => arguments.run(),
        Command::Explain(arguments) => arguments.run(),
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
            // Nothing can be done where even standard error is closed.
            let _ = writeln!(std::io::stderr(), "{message}");
            ExitCode::FAILURE
        }
    }
}

/// Prints to standard output; a reader that has gone (`| head`) is no failure.
fn print(text: &str) -> Outcome {
    let mut out = std::io::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// A missing file gets a hint: the default name is easily taken for one that was given.
fn check_exists(config: &Path) -> Outcome {
    if config.exists() {
        return Ok(());
    }
    Err(format!(
        "{}: no such file; name the configuration with `--config FILE` or TOLLGATE_CONFIG",
        config.display()
    ))
}
