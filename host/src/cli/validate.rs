//! `tollgate validate`.

use super::{CacheArgument, ConfigArgument, Outcome, builder, count, given, print};
use crate::server::Options;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    #[command(flatten)]
    cache: CacheArgument,
    /// Contact nothing: what is kept of fetched plugins and pinned in the lock has to do
    #[arg(long)]
    offline: bool,
}

impl Arguments {
    pub(super) fn run(self) -> Outcome {
        let Self { config, cache, offline } = self;
        let examined = given::examine(&config.config)?;
        let options =
            Options { config: config.config.clone(), cache: cache.folder(), offline, log: None };
        let (builder, runtime) = builder(&options)?;
        let checked = runtime.block_on(builder.check_examined(examined));
        let file = given::name(&config.config);
        let summary = match checked {
            Ok(summary) => summary,
            Err(failure) => {
                // Standard error has the faults and nothing else, a line each.
                print(&format!("{file}: not valid ({})\n", count(failure.0.len(), "fault")))?;
                return Err(failure.to_string());
            }
        };
        for warning in &summary.warnings {
            print(&format!("warning: {warning}\n"))?;
        }
        print(&format!(
            "{file}: valid ({}, {}, {})\n",
            count(summary.routes, "route"),
            count(summary.uses, "plugin use"),
            count(summary.upstreams, "upstream"),
        ))
    }
}
