//! The configuration: checked, complete, with every default filled in. What stands here can be
//! relied on; whatever a file could say wrongly has been refused by `check`.

mod alternatives;
mod check;
mod containment;
mod document;
mod effective;
mod fault;
mod file;
mod listeners;
pub(crate) mod other;
mod plugin_config;
mod pointer;
mod registries;
mod routes;
pub mod schema;
mod secrets;
mod services;
mod settings;
mod stores;
mod structure;
mod substitute;
mod template;
mod units;
mod unsupported;
mod upstreams;
mod uses;

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ipnet::IpNet;

use crate::{disk, registry::Reference};

pub(crate) use self::{
    check::did_you_mean,
    effective::{Secrets, effective},
    fault::{lines as fault_lines, sort as sort_faults},
    plugin_config::{check_schema, names_any, names_in},
    pointer::written_key,
    secrets::{Schemas, is_mask, masked, may_be_same, shown_field, shown_match, without_passwords},
    substitute::escape,
    units::written_size,
};
pub use self::{
    containment::{AbortOn, Canary, Isolation, Quarantine},
    document::Document,
    fault::{Fault, Faults},
    listeners::{
        Admin, CertificateFiles, ClientAuth, Listener, ListenerTls, RedirectToHttps, Secret,
        TlsVersion,
    },
    plugin_config::{PluginConfigFaults, plugin_config_faults},
    pointer::{Place, Pointer, Step},
    registries::{Registry, Source},
    routes::{Action, Forward, PathRewrite, Route, without_prefix},
    services::Service,
    settings::{AccessLog, Limits, LogFormat, Telemetry},
    stores::{CacheLimits, StoreLimits},
    template::{BadTemplate, Template},
    upstreams::{Endpoint, Protocol, Upstream, UpstreamTls},
    uses::{
        Grants, MAX_ATTRIBUTE_BYTES, MAX_ATTRIBUTES, MAX_PLUGIN_MEMORY, MAX_PLUGIN_TABLE, OnError,
        Use, UseLimits,
    },
};

/// Everything one generation of the gateway is built from.
#[derive(Clone, Debug)]
pub struct Config {
    /// At least one.
    pub listeners: Vec<Listener>,
    pub admin: Admin,
    /// Worker threads; `None`: one for each core that the process may use.
    pub workers: Option<NonZeroUsize>,
    /// Peers whose `x-forwarded-*` and `x-request-id` are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Absolute, or relative to the process; watched for changed components.
    pub plugin_directory: PathBuf,
    /// How registries are spoken to, by host and port; those that the file names.
    pub registries: BTreeMap<String, Registry>,
    /// Every distinct use of a plugin; routes refer to them by index.
    pub uses: Vec<Use>,
    /// Every distinct component at the end of a route; routes refer to them by index.
    pub services: Vec<Service>,
    pub upstreams: BTreeMap<String, Arc<Upstream>>,
    /// Every store that a use is granted or the file names.
    pub stores: BTreeMap<String, StoreLimits>,
    pub cache: CacheLimits,
    pub routes: Vec<Route>,
    pub limits: Limits,
    /// How long to go on accepting after SIGTERM; `None`: not at all.
    pub drain_delay: Option<Duration>,
    /// How long open exchanges may go on after that.
    pub drain: Duration,
    pub telemetry: Telemetry,
    /// The file as read, for faults that only a plugin can find.
    pub document: Arc<Document>,
}

impl Config {
    /// Artifacts in registries that uses, their canaries and services name, with the place of each.
    pub fn references(&self) -> impl Iterator<Item = (&Reference, Pointer)> {
        let services = self.services.iter().filter_map(Service::reference);
        self.uses.iter().flat_map(Use::references).chain(services)
    }

    /// The file beside this one that pins tags.
    pub fn lock(&self) -> PathBuf {
        self.document.beside("lock")
    }
}

/// Reads and checks the file at `path`, whose folder relative paths start from. `note` is told of each
/// file that `${file:..}` names, before it is read.
///
/// # Errors
///
/// Every fault there is, in the order of the file; the configuration is to blame.
pub(crate) fn load(path: &Path, note: &dyn Fn(&Path)) -> Result<Config, Vec<Fault>> {
    sound(examine_noting(path, note))
}

/// Reads the file at `path`, and gives what it says beside its faults: to look for the faults that lie
/// deeper, and not to be run where there are any. `None`: it says nothing that can be read.
pub fn examine(path: &Path) -> (Option<Config>, Vec<Fault>) {
    examine_noting(path, &|_| {})
}

fn examine_noting(path: &Path, note: &dyn Fn(&Path)) -> (Option<Config>, Vec<Fault>) {
    match disk::read_text(path) {
        Ok(text) => examine_text_noting(&text, path, note),
        Err(error) => (None, vec![Fault::unreadable(path, &error)]),
    }
}

/// As [`examine`], of `text` as if `path` held it.
pub(crate) fn examine_text(text: &str, path: &Path) -> (Option<Config>, Vec<Fault>) {
    examine_text_noting(text, path, &|_| {})
}

fn examine_text_noting(
    text: &str,
    path: &Path,
    note: &dyn Fn(&Path),
) -> (Option<Config>, Vec<Fault>) {
    match Document::parse_noting(text, path, note) {
        Ok((document, found)) => {
            let (config, faults) = check::check(document, found);
            (Some(config), faults)
        }
        Err(fault) => (None, vec![fault]),
    }
}

fn sound((config, faults): (Option<Config>, Vec<Fault>)) -> Result<Config, Vec<Fault>> {
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(faults),
    }
}

/// Checks `text` as if `path` held it.
///
/// # Errors
///
/// Every fault there is, in the order of the file.
pub fn parse(text: &str, path: &Path) -> Result<Config, Vec<Fault>> {
    sound(examine_text(text, path))
}

#[cfg(test)]
mod tests;
