//! `tollgate plugin lock`.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::super::ConfigArgument;
use super::{CacheArgument, Outcome, print};
use crate::{
    cli::given,
    config::{self, Config, Fault, fault_lines},
    digest::Digest,
    registry::{Error, Fetched, Lock, Reference, Registries},
    server,
};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    config: ConfigArgument,
    /// Take up what tags mean now, also of those that are pinned; with references, of these alone
    #[arg(long, value_name = "REF", num_args = 0..)]
    update: Option<Vec<Reference>>,
    #[command(flatten)]
    cache: CacheArgument,
}

impl Arguments {
    pub(super) fn run(self) -> Outcome {
        let path = &self.config.config;
        let config = given::load(path)?;
        let registries = Registries::new(self.cache.folder().as_ref(), false);
        let lock = config.lock();
        let lock = Lock::read(&lock, registries.beside(&lock).as_deref());
        let lock = lock.map_err(|faults| fault_lines(&faults))?;
        let named: HashSet<_> = config.references().map(|(reference, _)| reference).collect();
        if let Some(unknown) = self.update.iter().flatten().find(|r| !named.contains(r)) {
            return Err(format!("{}: nothing is `{unknown}`", path.display()));
        }
        let pin = |reference: &Reference| {
            let moves = |only: &Vec<Reference>| only.is_empty() || only.contains(reference);
            let moves = self.update.as_ref().is_some_and(moves);
            if moves { None } else { lock.pin(reference) }
        };
        let wanted = named.into_iter().map(|reference| (reference, pin(reference))).collect();
        let runtime = server::runtime().map_err(|failed| failed.to_string())?;
        let fetched = runtime.block_on(registries.fetch_all(wanted, &config.registries));
        let pins = pins(&config, fetched).map_err(|faults| fault_lines(&faults))?;
        let written = lock.replace(&pins);
        written.map_err(|error| format!("cannot write `{}`: {error}", lock.path().display()))?;
        print(&changes(lock.pins(), &pins))
    }
}

/// What each tag means; every fault of what could not be fetched.
fn pins(
    config: &Config,
    fetched: HashMap<Reference, Result<Fetched, Error>>,
) -> Result<BTreeMap<String, Digest>, Vec<Fault>> {
    let mut faults = Vec::new();
    let mut pins = BTreeMap::new();
    for (reference, at) in config.references() {
        match &fetched[reference] {
            Ok(fetched) if reference.digest().is_none() => {
                pins.insert(reference.to_string(), fetched.artifact.clone());
            }
            Ok(_) => {}
            Err(error) => {
                let message = format!("`{reference}` cannot be used: {error}");
                faults.push(config.document.fault(&at, message));
            }
        }
    }
    config::sort_faults(&mut faults);
    if faults.is_empty() { Ok(pins) } else { Err(faults) }
}

/// A line for each tag, of what has become of it.
fn changes(old: &BTreeMap<String, Digest>, new: &BTreeMap<String, Digest>) -> String {
    let mut text = String::new();
    for (reference, digest) in new {
        text.push_str(&match old.get(reference) {
            None => format!("pinned   {reference} to {digest}\n"),
            Some(before) if before == digest => format!("kept     {reference} at {digest}\n"),
            Some(before) => format!("moved    {reference} from {before} to {digest}\n"),
        });
    }
    for reference in old.keys().filter(|reference| !new.contains_key(*reference)) {
        text.push_str(&format!("dropped  {reference}\n"));
    }
    text
}
