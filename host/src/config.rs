//! The configuration: checked, complete, with every default filled in. What stands here can be
//! relied on; whatever a file could say wrongly has been refused by `check`.

mod alternatives;
mod check;
mod containment;
mod document;
mod effective;
mod fault;
mod file;
pub(crate) mod other;
mod plugin_config;
mod pointer;
mod registries;
pub mod schema;
mod secrets;
mod structure;
mod substitute;
mod template;
mod unsupported;
mod units;

use std::{
    collections::BTreeMap,
    fmt,
    net::SocketAddr,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use http::{HeaderName, HeaderValue, StatusCode, uri::Authority};
use ipnet::IpNet;

use crate::{disk, registry::Reference, router::Match};

pub use self::{
    containment::{AbortOn, Canary, Isolation, Quarantine},
    document::Document,
    fault::{Fault, Faults},
    plugin_config::{PluginConfigFaults, plugin_config_faults},
    pointer::{Place, Pointer, Step},
    registries::{Registry, Source},
    template::{BadTemplate, Template},
};
pub(crate) use self::{
    effective::{Secrets, effective},
    fault::{lines as fault_lines, sort as sort_faults},
    plugin_config::names_any,
    secrets::{Schemas, shown_field, shown_match},
    substitute::escape,
    units::written_size,
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

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listener {
    /// Where it stands in the file.
    pub at: Pointer,
    pub address: SocketAddr,
    pub tls: Option<ListenerTls>,
    /// Every request is sent to https; of cleartext listeners only.
    pub redirect_to_https: Option<RedirectToHttps>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RedirectToHttps {
    /// Default 443, which is not written out.
    pub port: u16,
    /// A redirection; default 308.
    pub status: StatusCode,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListenerTls {
    /// Where it stands in the file.
    pub at: Pointer,
    /// At least one; the first is for clients whose server name fits none.
    pub certificates: Vec<CertificateFiles>,
    pub client_ca: Option<PathBuf>,
    pub client_auth: ClientAuth,
    pub min_version: TlsVersion,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateFiles {
    /// Where the table with both stands in the file.
    pub at: Pointer,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientAuth {
    /// No client certificate is asked for.
    Off,
    Optional,
    Required,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlsVersion {
    V1_2,
    V1_3,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admin {
    pub address: SocketAddr,
    /// Bearer token for what changes state. Present wherever `address` is not loopback.
    pub token: Option<Secret>,
}

/// A string that `Debug` does not show.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(pub String);

/// One plugin with one configuration: what a route's chain lists.
#[derive(Clone, Debug, PartialEq)]
pub struct Use {
    /// The name in logs, metrics and messages: the name of the `plugins` entry, else the
    /// component's.
    pub name: String,
    /// Whose rate limits it has: those of its `plugins` entry, or its own where it stands in a
    /// route only.
    pub scope: String,
    pub component: Source,
    /// Where the component is named in the file.
    pub component_at: Pointer,
    /// As the plugin's `configure` gets it.
    pub config: serde_json::Value,
    pub grants: Grants,
    pub on_error: OnError,
    pub isolation: Isolation,
    /// `None`: never.
    pub quarantine: Option<Quarantine>,
    pub canary: Option<Canary>,
    pub limits: UseLimits,
    /// Where the use stands in the file.
    pub at: Pointer,
    /// Where its `config` stands in the file; the use itself where it has none.
    pub config_at: Pointer,
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

impl Use {
    /// Artifacts in registries that it and its canary name, with the place of each.
    pub fn references(&self) -> impl Iterator<Item = (&Reference, Pointer)> {
        let own = (&self.component, self.component_at.clone());
        let canary = self.canary.as_ref();
        let canary = canary.map(|canary| (&canary.component, canary.at.key("component")));
        [own].into_iter().chain(canary).filter_map(|(source, at)| Some((source.reference()?, at)))
    }

    /// What tells it from other uses, whatever the place in the file.
    pub fn identity(&self) -> String {
        let mut nowhere = Self {
            at: Pointer::default(),
            component_at: Pointer::default(),
            config_at: Pointer::default(),
            ..self.clone()
        };
        if let Some(canary) = &mut nowhere.canary {
            canary.at = Pointer::default();
        }
        format!("{nowhere:?}")
    }
}

/// A `wasi:http` component at the end of a route.
#[derive(Clone, Debug, PartialEq)]
pub struct Service {
    /// The component's name, in logs, metrics and messages.
    pub name: String,
    pub component: Source,
    /// Where the component is named in the file.
    pub component_at: Pointer,
    /// Upstreams that it may send requests to.
    pub upstreams: Vec<String>,
    pub limits: UseLimits,
    /// Where it first stands in the file.
    pub at: Pointer,
}

impl Service {
    /// What a use of a middleware says; it answers to no other key.
    pub(crate) fn of_use(use_: &Use) -> Self {
        Self {
            name: use_.name.clone(),
            component: use_.component.clone(),
            component_at: use_.component_at.clone(),
            upstreams: use_.grants.upstreams.clone(),
            limits: use_.limits.clone(),
            at: use_.at.clone(),
        }
    }

    /// The artifact in a registry that it names, with the place of the name.
    pub fn reference(&self) -> Option<(&Reference, Pointer)> {
        Some((self.component.reference()?, self.component_at.clone()))
    }

    /// Whether both are one, whatever the place in the file.
    fn is_same_as(&self, other: &Self) -> bool {
        let (at, component_at) = (self.at.clone(), self.component_at.clone());
        *self == Self { at, component_at, ..other.clone() }
    }
}

/// What a use may reach; nothing unless named.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Grants {
    pub upstreams: Vec<String>,
    /// Names of [`Config::stores`].
    pub stores: Vec<String>,
    pub request_body: bool,
    pub response_body: bool,
    pub cache: bool,
}

/// What becomes of an exchange whose plugin failed.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum OnError {
    /// It ends with 503.
    #[default]
    Reject,
    /// It goes on as if the plugin were not there.
    Skip,
}

impl OnError {
    /// As the configuration writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Skip => "skip",
        }
    }
}

/// The most memory that one instance can be granted, in bytes: address space is reserved for it.
pub const MAX_PLUGIN_MEMORY: usize = 1 << 30;

/// The most elements that one table of an instance can be granted.
pub const MAX_PLUGIN_TABLE: usize = 1_000_000;

/// The most attributes that one exchange can be granted, and their bytes together: each exchange
/// holds them until its end.
pub const MAX_ATTRIBUTES: usize = 1024;
pub const MAX_ATTRIBUTE_BYTES: usize = 1 << 20;

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UseLimits {
    /// CPU time of one hook; waiting does not count. Default 10 ms.
    pub cpu: Duration,
    /// One hook as a whole, waiting included; the exchange may have less time. Default 60 s.
    pub timeout: Duration,
    /// Linear memory of one instance, in bytes. Default 64 MiB.
    pub memory: usize,
    /// Elements of one table of an instance. Default 100,000.
    pub table: usize,
    /// Largest body that `body()` reads, in bytes. Default 10 MiB.
    pub max_body: u64,
    /// Instances in one worker. Default 64.
    pub max_instances: usize,
    /// Outbound calls that the use makes in one exchange. Default 16.
    pub calls: u32,
    /// Attributes of an exchange that this use may bring it to. Default 64.
    pub attributes: usize,
    /// Bytes of these, names and values together. Default 8 KiB.
    pub attribute_bytes: usize,
    /// Log lines in a second, of all instances together. Default 100.
    pub log_lines: u32,
    /// Series that it makes by counting and observing. Default 200.
    pub series: usize,
}

/// How much a store may hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StoreLimits {
    /// Keys and values, and 128 bytes for each entry. Default 16 MiB.
    pub max_bytes: usize,
    /// Default 100,000.
    pub max_entries: usize,
    /// One value, in bytes. Default 1 MiB, or `max_bytes` if that is less.
    pub max_value: usize,
}

/// How much the response cache may hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CacheLimits {
    /// Whole responses, and 128 bytes for each. Default 64 MiB.
    pub max_bytes: usize,
    /// One response. Default 1 MiB, or `max_bytes` if that is less.
    pub max_entry: usize,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Upstream {
    pub name: String,
    /// At least one.
    pub endpoints: Vec<Endpoint>,
    pub protocol: Protocol,
    pub tls: Option<UpstreamTls>,
    /// Until a connection is there, its TLS handshake included. Default 2 s.
    pub connect_timeout: Duration,
    /// From the request's last byte to the response head. Default 30 s.
    pub first_byte_timeout: Duration,
    /// Between two pieces of a body. Default 60 s.
    pub idle_timeout: Duration,
    /// Idle connections kept for each worker and endpoint. Default 128.
    pub keepalive_max_idle: usize,
    /// How long an idle connection is kept. Default 60 s.
    pub keepalive_idle: Duration,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// A name to resolve or an IP address (IPv6 without brackets).
    pub host: String,
    pub port: u16,
    /// At least 1; default 1.
    pub weight: u32,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Protocol {
    #[default]
    Http1,
    Http2,
    /// By ALPN; HTTP/1.1 without TLS.
    Auto,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UpstreamTls {
    /// Where it stands in the file.
    pub at: Pointer,
    /// Name to verify and to send; `None`: each endpoint's host.
    pub server_name: Option<String>,
    /// Authorities to trust; `None`: the system's.
    pub ca: Option<PathBuf>,
    pub client_certificate: Option<CertificateFiles>,
    pub verify: bool,
}

#[derive(Clone, Debug)]
pub struct Route {
    /// Unique; the label in logs and metrics.
    pub name: String,
    pub matching: Match,
    /// Indices into [`Config::uses`], in chain order.
    pub plugins: Vec<usize>,
    pub action: Action,
    /// The whole exchange, the response body included; `None`: no bound on the body, and
    /// 60 s until the response head.
    pub timeout: Option<Duration>,
    pub at: Pointer,
}

/// How a route ends.
#[derive(Clone, Debug)]
pub enum Action {
    Forward(Forward),
    /// An index into [`Config::services`].
    Component(usize),
    /// Its plugins answer; 404 where none does.
    Nothing,
    Redirect {
        status: StatusCode,
        location: Template,
    },
    Respond {
        status: StatusCode,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: String,
    },
}

#[derive(Clone, Debug)]
pub struct Forward {
    /// A key of [`Config::upstreams`].
    pub upstream: String,
    pub path: PathRewrite,
    /// The `host` that the upstream sees; `None`: the client's.
    pub host: Option<Authority>,
}

#[derive(Clone, Debug)]
pub enum PathRewrite {
    /// As normalised.
    Keep,
    /// The path is replaced; the query stays.
    Replace(Template),
    /// The prefix is cut off where the path has it; what is left begins with `/`.
    StripPrefix(String),
}

/// Limits of client connections.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// All listeners and workers together. Default 10,000.
    pub max_connections: usize,
    /// A whole request head, from its first byte. Default 10 s.
    pub header_timeout: Duration,
    /// Between two pieces of a request body, and for a client to take up response bytes.
    /// Default 30 s.
    pub body_idle: Duration,
    /// Between two requests. Default 75 s.
    pub keepalive_idle: Duration,
    /// For a tunnel on which neither side sends anything; `None`: no bound. Default 1 h.
    pub tunnel_idle: Option<Duration>,
    /// Default 64 KiB; at least 8 KiB.
    pub max_header_bytes: usize,
    /// Default 100.
    pub max_headers: usize,
    /// Default 16 KiB.
    pub max_uri_bytes: usize,
    /// Default none.
    pub max_request_body: Option<u64>,
    pub http2_max_concurrent_streams: u32,
    pub http2_max_reset_streams: usize,
    /// Bytes.
    pub http2_initial_window: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Telemetry {
    /// A `tracing` filter directive such as `info`.
    pub log_level: String,
    pub log_format: LogFormat,
    /// `None`: no access log.
    pub access_log: Option<AccessLog>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LogFormat {
    /// Text on a terminal, JSON lines elsewhere.
    #[default]
    Auto,
    Text,
    Json,
}

#[derive(Clone, Debug, PartialEq)]
pub struct AccessLog {
    /// `None`: standard output.
    pub path: Option<PathBuf>,
    /// 0.0 to 1.0 of the exchanges.
    pub sample: f64,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { max_bytes: 64 << 20, max_entry: 1 << 20 }
    }
}

/// Reads and checks the file at `path`, whose folder relative paths start from.
///
/// # Errors
///
/// Every fault there is, in the order of the file; the configuration is to blame.
pub fn load(path: &Path) -> Result<Config, Vec<Fault>> {
    load_noting(path, &|_| {})
}

/// As [`load`]; `note` is told of each file that `${file:..}` names, before it is read.
pub(crate) fn load_noting(path: &Path, note: &dyn Fn(&Path)) -> Result<Config, Vec<Fault>> {
    sound(examine_noting(path, note))
}

/// As [`load`], but with what the file says beside its faults: to look for the faults that lie
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
/// As [`load`].
pub fn parse(text: &str, path: &Path) -> Result<Config, Vec<Fault>> {
    sound(examine_text(text, path))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests;
