//! What `tollgate validate` asks: everything that building would find, in one go and without
//! running anything. What has a fault in the file itself is not looked at further.

use std::{
    collections::{BTreeSet, HashSet},
    path::Path,
    sync::Arc,
};

use super::{
    Builder, Failure,
    build::{MASKED, fault, tls_faults},
    components::Fetches,
    config_schemas,
};
use crate::{
    chain::Link,
    config::{self, Config, Fault, Pointer, Schemas},
    listener::{self, Term},
    plugin::{Side, Use},
    telemetry::AccessLog,
    tls, upstream,
};

/// What a valid configuration holds, and what of it deserves a look.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) routes: usize,
    pub(crate) uses: usize,
    pub(crate) upstreams: usize,
    pub(crate) warnings: Vec<String>,
}

impl Builder {
    /// # Errors
    ///
    /// Every fault in the file, its plugins, certificates and other files, in the order of the file.
    pub(crate) async fn check(&self, path: &Path) -> Result<Summary, Failure> {
        self.check_examined(config::examine(path)).await
    }

    /// The same of a configuration that has been examined, with the faults that this has found.
    ///
    /// # Errors
    ///
    /// As [`Self::check`].
    pub(crate) async fn check_examined(
        &self,
        (config, mut faults): (Option<Config>, Vec<Fault>),
    ) -> Result<Summary, Failure> {
        let Some(config) = config else { return Err(Failure(faults)) };
        let (links, fetches, found) = self.check_components(&config, &faults).await;
        let mut masked = config::masked(&config);
        let (of_masks, found): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|fault| is_of_mask(&config, fault));
        masked.extend(of_masks.into_iter().map(|fault| fault.at));
        let files = files(&config).into_iter().filter(|found| !is_told(&faults, &found.at));
        let found: Vec<_> = found.into_iter().chain(files).collect();
        faults.extend(found);
        if faults.is_empty() {
            return Ok(Summary::of(&config, &links, &fetches, masked));
        }
        config::sort_faults(&mut faults);
        Err(Failure(faults))
    }

    /// What the plugins of a configuration say of theirs; nothing of those that cannot be had.
    pub(crate) async fn config_schemas(&self, config: &Config) -> Schemas {
        let (links, ..) = self.check_components(config, &[]).await;
        config_schemas(links.iter().flatten().filter_map(Link::plugin))
    }

    /// Loads and proves what the file says nothing wrong about. `told`: the faults of the file.
    async fn check_components(
        &self,
        config: &Config,
        told: &[Fault],
    ) -> (Vec<Option<Link>>, Fetches, Vec<Fault>) {
        let is_sound =
            |plugin: &config::Use| !is_told(told, &plugin.at) && !is_told(told, &plugin.config_at);
        let is_whole = |service: &config::Service| !is_told(told, &service.at);
        let (fetches, mut faults) = match self.fetch(config, is_sound).await {
            Ok(fetches) => (fetches, Vec::new()),
            // Files can be looked at without the lock.
            Err(Failure(faults)) => (Fetches::none(), faults),
        };
        let has_lock = faults.is_empty();
        let wanted = |plugin: &config::Use| {
            is_sound(plugin) && (has_lock || plugin.references().next().is_none())
        };
        let wanted_service = |service: &config::Service| {
            is_whole(service) && (has_lock || service.reference().is_none())
        };
        let (links, found) = self.prove_each(config, &fetches, wanted).await;
        let (_, of_services) = self.prove_services(config, &fetches, wanted_service).await;
        faults.extend(found.into_iter().chain(of_services));
        (links, fetches, faults)
    }
}

/// Whether a fault has been found at `at` or inside of it.
fn is_told(faults: &[Fault], at: &Pointer) -> bool {
    faults.iter().any(|fault| fault.is_within(at))
}

/// Whether a plugin says it of a value of its configuration that is masked: nobody can know what is
/// wrong with that, and a gateway does not start with it.
fn is_of_mask(config: &Config, fault: &Fault) -> bool {
    let mut told = config.uses.iter().flat_map(config::Use::config_places);
    config::is_mask(&config.document.value(&fault.at)) && told.any(|at| fault.is_within(&at))
}

/// The faults of all files beside components.
fn files(config: &Config) -> Vec<Fault> {
    let listeners = config.listeners.iter().filter_map(|listener| listener.tls.as_ref());
    let listeners = listeners.filter_map(|tls| listener::tls::server(tls).err()).flatten();
    let upstreams = config.upstreams.values().flat_map(|upstream| upstream::tls_faults(upstream));
    let mut faults = tls_faults(config, listeners.chain(upstreams).collect());
    for (host, registry) in &config.registries {
        if let Some(Err(error)) = registry.ca.as_deref().map(|ca| tls::roots(Some(ca))) {
            let at = Pointer::default().key("registries").key(host).key("ca");
            faults.push(fault(config, &at, error.to_string()));
        }
    }
    let access_log = config.telemetry.access_log.as_ref();
    if let Some(Err(error)) = access_log.map(AccessLog::check) {
        faults.push(access_log_fault(config, &error));
    }
    faults
}

pub(super) fn access_log_fault(config: &Config, error: &std::io::Error) -> Fault {
    let at = Pointer::default().key("telemetry").key("access_log").key("path");
    let path = config.telemetry.access_log.as_ref().and_then(|log| log.path.as_deref());
    let name = path.map_or_else(|| "stdout".into(), |path| path.display().to_string());
    let is_folder_missing = path
        .and_then(Path::parent)
        .is_some_and(|folder| !folder.as_os_str().is_empty() && !folder.is_dir());
    let hint = if is_folder_missing { "; its folder is not there" } else { "" };
    fault(config, &at, format!("`{name}` cannot be opened: {error}{hint}"))
}

impl Summary {
    /// `masked`: masks in the places of secrets.
    fn of(
        config: &Config,
        links: &[Option<Link>],
        fetches: &Fetches,
        masked: Vec<Pointer>,
    ) -> Self {
        let proven = links.iter().map(|link| link.as_ref()?.plugin());
        let warnings = of_plugins(config, proven).into_iter();
        let warnings = warnings.chain(of_the_rest(config, &terms(config)));
        let placed = masked.into_iter().map(|at| (config.document.place(&at), at));
        let masked = placed.collect::<BTreeSet<_>>().into_iter().map(|(_, at)| {
            let reason =
                format!("a gateway does not start with this, and it was not checked: it {MASKED}");
            fault(config, &at, reason).to_string()
        });
        let warnings = warnings.chain(masked).chain(fetches.unpinned(config));
        Self {
            routes: config.routes.len(),
            uses: config.uses.len(),
            upstreams: config.upstreams.len(),
            warnings: warnings.collect(),
        }
    }
}

/// When the listeners' certificates hold.
pub(super) fn terms(config: &Config) -> Vec<Term> {
    config.listeners.iter().filter_map(|it| it.tls.as_ref()).flat_map(listener::terms).collect()
}

/// What deserves a look beside plugins.
pub(super) fn of_the_rest(config: &Config, terms: &[Term]) -> Vec<String> {
    let terms = terms.iter().filter_map(|term| Some((&term.at, term.warning()?)));
    let mut warnings: Vec<_> =
        terms.map(|(at, warning)| fault(config, at, warning).to_string()).collect();
    let granted: HashSet<_> = config.uses.iter().flat_map(|plugin| &plugin.grants.stores).collect();
    warnings.extend(config.stores.keys().filter(|name| !granted.contains(name)).map(|name| {
        let at = Pointer::default().key("stores").key(name);
        let reason = format!("no use is granted the store `{name}`: its bounds hold for nothing");
        fault(config, &at, reason).to_string()
    }));
    if config.routes.is_empty() {
        warnings.push("there is no route: every request is a 404".to_owned());
    }
    warnings
}

/// What deserves a look of the uses, each proven or `None`.
pub(super) fn of_plugins<'a>(
    config: &Config,
    proven: impl Iterator<Item = Option<&'a Arc<Use>>> + Clone,
) -> Vec<String> {
    let pairs = config.uses.iter().zip(proven);
    let pairs = pairs.filter_map(|(plugin, proven)| Some((plugin, proven?)));
    let idle = pairs.clone().filter(|(plugin, proven)| {
        proven.versions().all(|version| version.hooks().is_empty()) && config.lists(plugin)
    });
    let idle = idle.map(|(plugin, _)| {
        let reason = format!("plugin `{}` wants no hook, and does nothing", plugin.name);
        fault(config, &plugin.at, reason).to_string()
    });
    let missing = pairs.flat_map(|(plugin, proven)| missing_grants(config, plugin, proven));
    missing.chain(idle).collect()
}

/// What the plugin says that it will ask for, and its use does not grant. Of what the configuration
/// tells there is no need to warn: names in it that are not granted are faults, and who wants no hook
/// over a message needs no body of it.
fn missing_grants(config: &Config, plugin: &config::Use, proven: &Use) -> Vec<String> {
    let grants = &plugin.grants;
    let mut seen = HashSet::new();
    // What no route lists asks for nothing, and may be granted more where one does.
    let versions = proven.versions().filter(|_| config.lists(plugin));
    let needs = versions.flat_map(|version| {
        let needs = version.component.manifest.needs.iter();
        needs.filter(|need| !is_told_by_config(version, plugin, need))
    });
    let needs = needs.filter(|need| seen.insert(**need));
    let missing = needs.filter_map(|need| match *need {
        "upstreams" => grants.upstreams.is_empty().then_some((need, "upstreams: [..]")),
        "store" => grants.stores.is_empty().then_some((need, "stores: [..]")),
        "request-body" => (!grants.request_body).then_some((need, "request_body: true")),
        "response-body" => (!grants.response_body).then_some((need, "response_body: true")),
        "cache" => (!grants.cache).then_some((need, "cache: true")),
        _ => None,
    });
    missing
        .map(|(need, grant)| {
            let name = &plugin.name;
            let reason = format!(
                "plugin `{name}` may need `{need}`, which is not granted; if it is to have it, add `grants: {{ {grant} }}`"
            );
            fault(config, &plugin.at, reason).to_string()
        })
        .collect()
}

/// Whether the version's configuration tells if it has the need.
fn is_told_by_config(version: &Use, plugin: &config::Use, need: &str) -> bool {
    let schema = &version.component.manifest.config_schema;
    let wants_response = version.wants_response() || version.wants_chunks(Side::Response);
    match need {
        "upstreams" => config::names_any(schema, "upstream"),
        // One that names none may have whichever it is granted.
        "store" => !config::names_in(schema, &plugin.config).stores.is_empty(),
        "request-body" => {
            !version.wants_request() && !version.wants_chunks(Side::Request) && !wants_response
        }
        "response-body" => !wants_response,
        _ => false,
    }
}
