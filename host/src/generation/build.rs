//! From a checked configuration to a generation: load and prove every plugin, take over the
//! upstreams that did not change.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    fmt,
    path::Path,
    sync::Arc,
    time::SystemTime,
};

use futures_util::{StreamExt as _, stream};

use super::{
    End, Generation, Route,
    components::{Fetches, Linkable, Loaded},
};
use crate::{
    chain::{Chain, Link},
    config::{self, Action, Config, Fault, Pointer, Source},
    listener,
    plugin::{Component, Components, HookError, Service, Shared, Use},
    registry::Registries,
    reload::Stamps,
    router::Router,
    telemetry::{AccessLog, Metrics, RouteMetrics},
    upstream::{Resolver, Upstream},
};

/// Upstreams whose names are looked up at one time.
const RESOLVED_AT_ONCE: usize = 8;

/// What generations share, and are built with.
pub(crate) struct Builder {
    pub(crate) components: Components,
    pub(crate) registries: Registries,
    pub(crate) shared: Arc<Shared>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) resolver: Resolver,
    pub(crate) workers: usize,
}

/// Lines of one plugin's refusal that are shown.
const MAX_REASONS: usize = 20;

/// Why there is no new generation: every fault that was found.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) Vec<Fault>);

/// What a valid configuration holds, and what of it deserves a look.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) routes: usize,
    pub(crate) uses: usize,
    pub(crate) upstreams: usize,
    pub(crate) warnings: Vec<String>,
}

impl Summary {
    fn of(config: &Config, links: &[Link], fetches: &Fetches) -> Self {
        let pairs = config.uses.iter().zip(links);
        let pairs = pairs.filter_map(|(plugin, link)| Some((plugin, link.plugin()?)));
        let warnings = pairs.flat_map(|(plugin, proven)| missing_grants(config, plugin, proven));
        let warnings = warnings.chain(fetches.unpinned(config));
        Self {
            routes: config.routes.len(),
            uses: config.uses.len(),
            upstreams: config.upstreams.len(),
            warnings: warnings.collect(),
        }
    }
}

/// What the plugin says that it will ask for, and its use does not grant.
fn missing_grants(config: &Config, plugin: &config::Use, proven: &Use) -> Vec<String> {
    let grants = &plugin.grants;
    let mut seen = HashSet::new();
    let needs = proven.versions().flat_map(|version| &version.component.manifest.needs);
    let needs = needs.filter(|need| seen.insert(**need));
    let missing = needs.filter(|need| match **need {
        "upstreams" => grants.upstreams.is_empty(),
        "store" => grants.stores.is_empty(),
        "request-body" => !grants.request_body,
        "response-body" => !grants.response_body,
        "cache" => !grants.cache,
        _ => true,
    });
    missing
        .map(|need| {
            let reason =
                format!("plugin `{}` may need `{need}`, which is not granted", plugin.name);
            config.document.fault(&plugin.at, reason).to_string()
        })
        .collect()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Fault::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// A configuration that has been read.
pub(crate) struct Draft {
    /// Of all files that it names, as they were before they were read.
    pub(crate) stamps: Stamps,
    pub(crate) config: Result<Config, Failure>,
}

impl Draft {
    pub(crate) fn read(path: &Path) -> Self {
        let stamps = RefCell::new(Stamps::default());
        stamps.borrow_mut().add_file(path);
        let config = config::load_noting(path, &|file| stamps.borrow_mut().add_file(file));
        let mut stamps = stamps.into_inner();
        if let Ok(config) = &config {
            stamps.add(path, config);
        }
        Self { stamps, config: config.map_err(Failure) }
    }
}

impl Builder {
    /// Builds what a configuration says, after `previous`. Nothing that runs is touched.
    ///
    /// # Errors
    ///
    /// Every fault in the file, its plugins and its certificates.
    pub(crate) async fn build(
        &self,
        draft: Draft,
        previous: Option<&Generation>,
    ) -> Result<Generation, Failure> {
        let Draft { stamps, config } = draft;
        self.assemble(config?, stamps, previous).await
    }

    /// Builds what a configuration says. `stamps`: of its files, before they were read.
    pub(crate) async fn assemble(
        &self,
        config: Config,
        mut stamps: Stamps,
        previous: Option<&Generation>,
    ) -> Result<Generation, Failure> {
        let fetches = self.fetch(&config, |_| true).await?;
        let links = self.links(&config, &fetches).await?;
        let mut services = self.services(&config, &fetches).await?;
        let upstreams = self.upstreams(&config, previous, &stamps).await?;
        let router = self.router(&config, &links, &services, &upstreams)?;
        let uses = links.iter().filter_map(Link::plugin).cloned().collect();
        services.extend(links.iter().filter_map(Link::service));
        let access_log = self.access_log(&config, previous)?;
        let tls = tls(&config)?;
        // Only what runs is pinned. The change is not one that asks for a reload.
        self.registries.save(&fetches.lock);
        stamps.renew(fetches.lock.path());
        Ok(Generation {
            number: previous.map_or(1, |previous| previous.number + 1),
            since: SystemTime::now(),
            stamps,
            config,
            router,
            upstreams,
            uses,
            services,
            access_log,
            unrouted: RouteMetrics::new(&self.metrics, ""),
            tls,
        })
    }

    /// Everything that [`Self::build`] checks, without running anything.
    pub(crate) async fn check(&self, path: &Path) -> Result<Summary, Failure> {
        let (config, mut faults) = config::examine(path);
        let Some(config) = config else { return Err(Failure(faults)) };
        // A use with faults of its own has had its say.
        let is_sound = |plugin: &config::Use| {
            !faults.iter().any(|f| f.is_within(&plugin.at) || f.is_within(&plugin.config_at))
        };
        let (links, found, fetches) = match self.fetch(&config, is_sound).await {
            Ok(fetches) => {
                let (links, mut found) = self.prove_each(&config, &fetches, is_sound).await;
                found.extend(self.prove_services(&config, &fetches).await.1);
                (links, found, Some(fetches))
            }
            Err(Failure(found)) => (Vec::new(), found, None),
        };
        if !faults.is_empty() {
            faults.extend(found);
            config::sort_faults(&mut faults);
            return Err(Failure(faults));
        }
        let tls = tls(&config);
        let access_log = self.access_log(&config, None);
        let upstreams: Vec<_> = config
            .upstreams
            .values()
            .filter_map(|wanted| self.new_upstream(&config, wanted).err())
            .collect();
        faults.extend(upstreams.into_iter().flat_map(|failure| failure.0));
        faults.extend(tls.err().into_iter().flat_map(|failure| failure.0));
        faults.extend(access_log.err().into_iter().flat_map(|failure| failure.0));
        faults.extend(found);
        match fetches {
            Some(fetches) if faults.is_empty() => Ok(Summary::of(&config, &links, &fetches)),
            _ => Err(Failure(faults)),
        }
    }

    /// Loads, links and configures every use; all their faults together.
    async fn links(&self, config: &Config, fetches: &Fetches) -> Result<Vec<Link>, Failure> {
        let (links, faults) = self.prove_each(config, fetches, |_| true).await;
        if faults.is_empty() { Ok(links) } else { Err(Failure(faults)) }
    }

    /// The uses that `wanted` says, and the faults of the others.
    async fn prove_each(
        &self,
        config: &Config,
        fetches: &Fetches,
        wanted: impl Fn(&config::Use) -> bool,
    ) -> (Vec<Link>, Vec<Fault>) {
        let mut faults = Vec::new();
        let mut links = Vec::new();
        let mut loaded: HashMap<&Source, Result<Linkable, Fault>> = HashMap::new();
        for plugin in config.uses.iter().filter(|plugin| wanted(plugin)) {
            let source = &plugin.component;
            if !loaded.contains_key(source) {
                let at = [&plugin.at, &plugin.component_at];
                loaded.insert(source, self.load_link(config, fetches, source, at).await);
            }
            match &loaded[source] {
                // Named at one place, it may be used at several.
                Err(failed) if faults.contains(failed) => {}
                Err(failed) => faults.push(failed.clone()),
                Ok(component) => match self.prove_link(config, fetches, plugin, component).await {
                    Ok(proven) => links.push(proven),
                    Err(found) => faults.extend(found),
                },
            }
        }
        (links, faults)
    }

    async fn prove_link(
        &self,
        config: &Config,
        fetches: &Fetches,
        plugin: &config::Use,
        loaded: &Linkable,
    ) -> Result<Link, Vec<Fault>> {
        match loaded {
            Linkable::Plugin(loaded) => {
                let proven = self.prove(config, fetches, plugin, loaded).await?;
                Ok(Link::Plugin(Arc::new(proven)))
            }
            Linkable::Middleware(loaded) => {
                let proven = self.prove_middleware(config, plugin, loaded).await?;
                Ok(Link::Middleware(Arc::new(proven)))
            }
        }
    }

    async fn prove(
        &self,
        config: &Config,
        fetches: &Fetches,
        plugin: &config::Use,
        loaded: &Loaded<Component>,
    ) -> Result<Use, Vec<Fault>> {
        // The use of a canary's own component watches nobody.
        let shadowless =
            plugin.canary.as_ref().map(|_| config::Use { canary: None, ..plugin.clone() });
        let proven = self.prove_version(config, shadowless.as_ref().unwrap_or(plugin), loaded);
        let proven = proven.await?;
        self.with_canary(config, fetches, plugin, proven).await
    }

    /// One version of a use, without its canary.
    pub(super) async fn prove_version(
        &self,
        config: &Config,
        plugin: &config::Use,
        (component, origin): &Loaded<Component>,
    ) -> Result<Use, Vec<Fault>> {
        let schema = serde_json::from_str(&component.manifest.config_schema).map_err(|error| {
            let reason = format!("the plugin's config-schema is not JSON: {error}");
            vec![fault(config, &plugin.at, reason)]
        })?;
        let faults = config::plugin_config_faults(&config.document, &schema, plugin);
        if !faults.is_empty() {
            return Err(faults);
        }
        let loaded = (Arc::clone(component), origin.clone());
        let (shared, metrics) = (&*self.shared, &*self.metrics);
        let plugin_of = (plugin, config);
        let proven =
            Use::new(plugin_of, loaded, &self.components, shared, metrics, self.workers).await;
        let proven = proven.map_err(|error| refusal(config, plugin, &error))?;
        if let Some(grant) = proven.missing_grant() {
            let reason = format!(
                "plugin `{}` wants the body in chunks: it needs `grants: {{ {grant}: true }}`",
                plugin.name
            );
            return Err(vec![fault(config, &plugin.at, reason)]);
        }
        Ok(proven)
    }

    async fn upstreams(
        &self,
        config: &Config,
        previous: Option<&Generation>,
        stamps: &Stamps,
    ) -> Result<HashMap<String, Arc<Upstream>>, Failure> {
        let mut upstreams = HashMap::new();
        let mut new = Vec::new();
        for (name, wanted) in &config.upstreams {
            let before = previous.and_then(|previous| previous.upstreams.get(name).cloned());
            // One whose certificates have changed is made anew.
            let running = previous
                .filter(|previous| stamps.agree(&previous.stamps, wanted.tls.as_ref()))
                .and(before.as_ref())
                .filter(|running| running.config == *wanted);
            let upstream = match running {
                Some(running) => Arc::clone(running),
                None => {
                    let upstream = Arc::new(self.new_upstream(config, wanted)?);
                    new.push((Arc::clone(&upstream), before));
                    upstream
                }
            };
            upstreams.insert(name.clone(), upstream);
        }
        let watch = |(upstream, before): (Arc<Upstream>, Option<Arc<Upstream>>)| async move {
            self.resolver.watch(&upstream, before.as_deref()).await;
        };
        stream::iter(new).for_each_concurrent(RESOLVED_AT_ONCE, watch).await;
        Ok(upstreams)
    }

    fn new_upstream(
        &self,
        config: &Config,
        wanted: &Arc<config::Upstream>,
    ) -> Result<Upstream, Failure> {
        Upstream::new(wanted, &self.metrics, self.workers).map_err(|error| {
            let at = Pointer::default().key("upstreams").key(&wanted.name).key("tls");
            Failure(vec![fault(config, &at, error.to_string())])
        })
    }

    fn router(
        &self,
        config: &Config,
        links: &[Link],
        services: &[Arc<Service>],
        upstreams: &HashMap<String, Arc<Upstream>>,
    ) -> Result<Router<Arc<Route>>, Failure> {
        let route = |route: &config::Route| Route {
            name: route.name.clone(),
            param_names: route.matching.path.names().to_vec(),
            chain: Chain::new(route.plugins.iter().map(|at| links[*at].clone()).collect()),
            end: end(&route.action, services, upstreams),
            timeout: route.timeout,
            metrics: RouteMetrics::new(&self.metrics, &route.name),
        };
        let routes =
            config.routes.iter().map(|r| (r.matching.clone(), Arc::new(route(r)))).collect();
        Router::new(routes).map_err(|conflicts| {
            // The check of the configuration has found them already; this is its echo.
            let at = Pointer::default().key("routes");
            let reason = format!("{} routes are in conflict", conflicts.len());
            Failure(vec![fault(config, &at, reason)])
        })
    }

    fn access_log(
        &self,
        config: &Config,
        previous: Option<&Generation>,
    ) -> Result<Option<AccessLog>, Failure> {
        let wanted = config.telemetry.access_log.as_ref();
        if let Some(previous) = previous
            && previous.config.telemetry.access_log.as_ref() == wanted
        {
            return Ok(previous.access_log.clone());
        }
        let opened =
            wanted.map(|wanted| AccessLog::open(wanted, self.metrics.access_log_dropped.clone()));
        opened.transpose().map_err(|error| {
            let at = Pointer::default().key("telemetry").key("access_log").key("path");
            Failure(vec![fault(config, &at, format!("cannot be opened: {error}"))])
        })
    }
}

/// A plugin that says several lines has found several faults.
fn refusal(config: &Config, plugin: &config::Use, error: &HookError) -> Vec<Fault> {
    let name = &plugin.name;
    let refused = |what: &dyn fmt::Display| {
        let reason = format!("plugin `{name}` refuses its configuration: {what}");
        fault(config, &plugin.config_at, reason)
    };
    match error {
        HookError::Failed(text) if text.lines().nth(1).is_some() => {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.take(MAX_REASONS).map(|line| refused(&format_args!("it said: {line}"))).collect()
        }
        error => vec![refused(error)],
    }
}

/// Certificates are read again in each generation, so that a renewed one is taken up.
fn tls(config: &Config) -> Result<Vec<Option<Arc<rustls::ServerConfig>>>, Failure> {
    let server = |(index, listener): (usize, &config::Listener)| {
        let Some(tls) = &listener.tls else { return Ok(None) };
        listener::tls::server(tls).map(Some).map_err(|error| {
            let at = Pointer::default().key("listeners").index(index).key("tls");
            Failure(vec![fault(config, &at, error.to_string())])
        })
    };
    config.listeners.iter().enumerate().map(server).collect()
}

fn end(
    action: &Action,
    services: &[Arc<Service>],
    upstreams: &HashMap<String, Arc<Upstream>>,
) -> End {
    match action.clone() {
        Action::Forward(forward) => End::Forward {
            upstream: Arc::clone(&upstreams[&forward.upstream]),
            path: forward.path,
            host: forward.host,
        },
        Action::Component(index) => End::Component(Arc::clone(&services[index])),
        Action::Nothing => End::Nothing,
        Action::Redirect { status, location } => End::Redirect { status, location },
        Action::Respond { status, headers, body } => End::Respond { status, headers, body },
    }
}

pub(crate) fn fault(config: &Config, at: &Pointer, message: String) -> Fault {
    config.document.fault(at, message)
}
