//! Plugins and their uses.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Map, Value};

use super::{Spot, containment, did_you_mean};
use crate::config::{
    Grants, Isolation, MAX_ATTRIBUTE_BYTES, MAX_PLUGIN_MEMORY, OnError, Quarantine, Source, Use,
    UseLimits,
    file::{
        CanaryFile, File, GrantsFile, IsolationFile, OnErrorFile, PluginFile, QuarantineFile,
        SizeText, Table, UpstreamFile, UseFile, UseLimitsFile, UseTableFile,
    },
    pointer::Pointer,
};
use crate::registry::{Reference, SCHEME};

const MIB: u64 = 1 << 20;

/// The uses so far; equal ones are one.
pub(super) struct Uses<'f> {
    plugin_directory: PathBuf,
    upstreams: Option<&'f Table<UpstreamFile>>,
    /// The entries of `plugins`; `None` for one that has faults.
    named: HashMap<String, Option<usize>>,
    uses: Vec<Use>,
    /// By what tells uses apart.
    indices: HashMap<String, usize>,
}

impl<'f> Uses<'f> {
    /// With one use for each entry of `plugins`, listed by a route or not.
    pub(super) fn check(spot: &Spot<'_>, file: &'f File, plugin_directory: PathBuf) -> Self {
        let mut uses = Self {
            plugin_directory,
            upstreams: file.upstreams.as_ref(),
            named: HashMap::new(),
            uses: Vec::new(),
            indices: HashMap::new(),
        };
        for name in file.plugins.iter().flat_map(|plugins| plugins.keys()) {
            uses.named.insert(name.clone(), None);
        }
        for (spot, name, plugin) in spot.entries(file.plugins.as_ref()) {
            super::check_name(&spot, name);
            let use_ = uses.check_plugin(&spot, name, plugin);
            let index = use_.map(|use_| uses.add(use_));
            uses.named.insert(name.clone(), index);
        }
        uses
    }

    /// The use that one element of a route's list asks for.
    pub(super) fn check_use(
        &mut self,
        spot: &Spot<'_>,
        file: &UseFile,
        route: &str,
    ) -> Option<usize> {
        match file {
            UseFile::Name(name) => self.find(spot, name),
            UseFile::Table(table) => self.check_table(spot, table, route),
        }
    }

    pub(super) fn into_vec(self) -> Vec<Use> {
        self.uses
    }

    fn add(&mut self, use_: Use) -> usize {
        *self.indices.entry(use_.identity()).or_insert_with(|| {
            self.uses.push(use_);
            self.uses.len() - 1
        })
    }

    fn find(&self, spot: &Spot<'_>, name: &str) -> Option<usize> {
        let found = self.named.get(name);
        if found.is_none() {
            let hint = did_you_mean(name, self.named.keys().map(String::as_str));
            let hint = match hint.as_str() {
                "" if name.contains('/') || name.ends_with(".wasm") => {
                    "; a component of this route alone is written `{ component: .. }`"
                }
                "" => "; add it to `plugins`, or write `{ component: .. }` for this route alone",
                hint => hint,
            };
            spot.fault(format!("no plugin is called \"{name}\"{hint}"));
        }
        found.copied().flatten()
    }

    fn check_plugin(&self, spot: &Spot<'_>, name: &str, plugin: &PluginFile) -> Option<Use> {
        let component = plugin.component.as_deref();
        let component =
            component.and_then(|component| self.check_component(&spot.key("component"), component));
        let table = UseTableRef {
            config: plugin.config.as_ref(),
            grants: plugin.grants.as_ref(),
            on_error: plugin.on_error,
            isolation: plugin.isolation,
            quarantine: plugin.quarantine.as_ref(),
            canary: plugin.canary.as_ref(),
            limits: plugin.limits.as_ref(),
        };
        let use_ = self.change(spot, no_use(&spot.at), &table);
        let (name, scope) = (name.to_owned(), name.to_owned());
        let component_at = spot.at.key("component");
        Some(Use { name, scope, component: component?, component_at, ..use_ })
    }

    fn check_table(&mut self, spot: &Spot<'_>, table: &UseTableFile, route: &str) -> Option<usize> {
        let changes = UseTableRef {
            config: table.config.as_ref(),
            grants: table.grants.as_ref(),
            on_error: table.on_error,
            isolation: table.isolation,
            quarantine: table.quarantine.as_ref(),
            canary: table.canary.as_ref(),
            limits: table.limits.as_ref(),
        };
        match (spot.has("use"), spot.has("component")) {
            (true, false) => {
                let named = self.find(&spot.key("use"), table.name.as_deref()?);
                // The changes are checked even if there is nothing to change.
                let Some(named) = named else {
                    self.change(spot, no_use(&spot.at), &changes);
                    return None;
                };
                let use_ = Use { at: spot.at.clone(), ..self.uses[named].clone() };
                let use_ = self.change(spot, use_, &changes);
                Some(self.add(use_))
            }
            (false, true) => {
                let component = table.component.as_deref()?;
                let plugin = self.check_component(&spot.key("component"), component);
                let use_ = self.change(spot, no_use(&spot.at), &changes);
                let name = name_of(component);
                let scope = format!("{route}/{name}");
                let component_at = spot.at.key("component");
                Some(self.add(Use { name, scope, component: plugin?, component_at, ..use_ }))
            }
            (true, true) => {
                spot.key("component").fault_at_key("cannot stand beside `use`");
                None
            }
            (false, false) => {
                // A misspelt key is fault enough.
                if !spot.faults.any_at(&spot.at) {
                    spot.fault("needs `use` or `component`");
                }
                None
            }
        }
    }

    fn check_component(&self, spot: &Spot<'_>, component: &str) -> Option<Source> {
        check_component(spot, &self.plugin_directory, component)
    }

    /// `use_` with what `table` says otherwise.
    fn change(&self, spot: &Spot<'_>, mut use_: Use, table: &UseTableRef<'_>) -> Use {
        if let Some(config) = table.config {
            use_.config = config.clone();
            use_.config_at = spot.at.key("config");
        }
        if let Some(grants) = table.grants {
            use_.grants = self.check_grants(&spot.key("grants"), grants);
        }
        match table.on_error {
            Some(OnErrorFile::Reject) => use_.on_error = OnError::Reject,
            Some(OnErrorFile::Skip) => use_.on_error = OnError::Skip,
            None => (),
        }
        if let Some(isolation) = table.isolation {
            use_.isolation = containment::isolation(isolation);
        }
        if let Some(quarantine) = table.quarantine {
            use_.quarantine = containment::check_quarantine(&spot.key("quarantine"), quarantine);
        }
        if let Some(canary) = table.canary {
            let spot = spot.key("canary");
            let component = canary.component.as_deref();
            let component = component.and_then(|c| self.check_component(&spot.key("component"), c));
            use_.canary = containment::check_canary(&spot, canary, component);
        }
        if let Some(limits) = table.limits {
            use_.limits = check_limits(&spot.key("limits"), limits, &use_.limits);
        }
        use_
    }

    fn check_grants(&self, spot: &Spot<'_>, grants: &GrantsFile) -> Grants {
        for (spot, name) in spot.key("upstreams").elements(grants.upstreams.as_ref()) {
            super::check_upstream(&spot, name, self.upstreams);
        }
        for (spot, name) in spot.key("stores").elements(grants.stores.as_ref()) {
            if !super::is_name(name) {
                spot.fault("a name must be of letters, digits, `_`, `-` and `.`");
            }
        }
        let upstreams = grants.upstreams.iter().flatten().flatten();
        let stores = grants.stores.iter().flatten().flatten();
        Grants {
            upstreams: upstreams.cloned().collect(),
            stores: stores.cloned().collect(),
            request_body: grants.request_body.unwrap_or(false),
            response_body: grants.response_body.unwrap_or(false),
            cache: grants.cache.unwrap_or(false),
        }
    }
}

/// A bare name is a file in the plugin directory, anything else a path or a reference.
pub(super) fn check_component(
    spot: &Spot<'_>,
    plugin_directory: &Path,
    component: &str,
) -> Option<Source> {
    if component.starts_with(SCHEME) {
        return spot.parse(component).map(Source::Registry);
    }
    if component.contains('/') || component.ends_with(".wasm") {
        return Some(Source::File(spot.document().resolve(component)));
    }
    if !super::is_name(component) {
        spot.fault("must be a name such as `jwt` or a path such as `./jwt.wasm`");
        return None;
    }
    Some(Source::File(plugin_directory.join(format!("{component}.wasm"))))
}

/// What an entry of `plugins` and an element of a route's list have in common.
struct UseTableRef<'f> {
    config: Option<&'f Value>,
    grants: Option<&'f GrantsFile>,
    on_error: Option<OnErrorFile>,
    isolation: Option<IsolationFile>,
    quarantine: Option<&'f QuarantineFile>,
    canary: Option<&'f CanaryFile>,
    limits: Option<&'f UseLimitsFile>,
}

const DEFAULT_LIMITS: UseLimits = UseLimits {
    cpu: Duration::from_millis(10),
    memory: 64 << 20,
    max_body: 10 * MIB,
    max_instances: 64,
    calls: 16,
    timeout: Duration::from_secs(60),
    table: 100_000,
    attributes: 64,
    attribute_bytes: 8 << 10,
    log_lines: 100,
    series: 200,
};

impl Default for UseLimits {
    fn default() -> Self {
        DEFAULT_LIMITS
    }
}

impl UseLimits {
    /// The defaults of a component that answers: it works for a whole request.
    pub(super) fn of_services() -> Self {
        Self { cpu: Duration::from_secs(1), ..DEFAULT_LIMITS }
    }
}

pub(super) fn check_memory(spot: &Spot<'_>, memory: Option<&SizeText>, default: usize) -> usize {
    let memory = spot.size("memory", memory, default);
    if memory > MAX_PLUGIN_MEMORY {
        spot.key("memory").fault("must be at most 1GiB");
    }
    memory
}

fn check_limits(spot: &Spot<'_>, limits: &UseLimitsFile, default: &UseLimits) -> UseLimits {
    let memory = check_memory(spot, limits.memory.as_ref(), default.memory);
    let attribute_bytes =
        spot.size("attribute_bytes", limits.attribute_bytes.as_ref(), default.attribute_bytes);
    if attribute_bytes > MAX_ATTRIBUTE_BYTES {
        spot.key("attribute_bytes").fault("must be at most 1MiB");
    }
    UseLimits {
        cpu: spot.duration("cpu", limits.cpu.as_ref(), default.cpu),
        timeout: spot.duration("timeout", limits.timeout.as_ref(), default.timeout),
        table: limits.table.unwrap_or(default.table),
        attributes: limits.attributes.unwrap_or(default.attributes),
        attribute_bytes,
        memory,
        max_body: spot.size("max_body", limits.max_body.as_ref(), default.max_body),
        max_instances: limits.max_instances.unwrap_or(default.max_instances),
        calls: limits.calls.unwrap_or(default.calls),
        log_lines: limits.log_lines.unwrap_or(default.log_lines),
        series: limits.series.unwrap_or(default.series),
    }
}

/// A use with every default, still without a component.
fn no_use(at: &Pointer) -> Use {
    Use {
        name: String::new(),
        scope: String::new(),
        component: Source::File(PathBuf::new()),
        component_at: at.clone(),
        config: Value::Object(Map::new()),
        grants: Grants::default(),
        on_error: OnError::default(),
        isolation: Isolation::default(),
        quarantine: Some(Quarantine::default()),
        canary: None,
        limits: DEFAULT_LIMITS,
        at: at.clone(),
        config_at: at.clone(),
    }
}

/// The name of a component: `jwt` of `./plugins/jwt.wasm` and of `oci://ghcr.io/acme/jwt:1`.
pub(super) fn name_of(component: &str) -> String {
    if let Some(reference) = component.strip_prefix(SCHEME) {
        let reference = reference.parse::<Reference>();
        return reference.map_or_else(|_| String::new(), |reference| reference.name().to_owned());
    }
    let file = component.rsplit('/').next().unwrap_or(component);
    file.strip_suffix(".wasm").unwrap_or(file).to_owned()
}
