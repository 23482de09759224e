//! `tollgate run`.

use std::path::Path;

use super::{CacheArgument, ConfigArgument, Outcome, given, print};
use crate::{
    config::other,
    server::{self, Listening, Options},
};

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    #[command(flatten)]
    cache: CacheArgument,
    /// What to log: `warn`, `info`, `debug`, or directives such as `info,plugin=debug` [default: the
    /// configuration's]
    #[arg(long, env = "TOLLGATE_LOG", value_name = "FILTER", value_parser = filter)]
    log: Option<String>,
}

impl Arguments {
    pub(super) fn run(self) -> Outcome {
        if self.config.config == Path::new("-") {
            return Err(
                "`run` reads its configuration again when it changes, so it needs a file".into()
            );
        }
        given::must_exist(&self.config.config)?;
        let options = Options {
            config: self.config.config,
            cache: self.cache.folder(),
            offline: false,
            log: self.log,
        };
        server::run(&options, announce).map_err(|failed| failed.to_string())
    }
}

fn filter(text: &str) -> Result<String, String> {
    other::log_level_fault(text).map_or_else(|| Ok(text.to_owned()), Err)
}

/// One line for each listener, for people and for scripts that wait for it.
fn announce(listening: &Listening) {
    let mut text = String::new();
    for (address, tls) in &listening.listeners {
        let scheme = if *tls { "https" } else { "http" };
        text.push_str(&format!("listening on {scheme}://{address}\n"));
    }
    text.push_str(&format!("admin on http://{}\n", listening.admin));
    // A closed standard output does not stop a gateway.
    let _ = print(&text);
}
