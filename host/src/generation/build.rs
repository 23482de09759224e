//! From a checked configuration to a generation: load and prove every plugin, take over the
//! upstreams that did not change.

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use futures_util::{StreamExt as _, stream};

use super::{
    End, Generation, Route,
    check::access_log_fault,
    components::{Fetches, Linkable, Loaded},
    refusal::{refusal, together},
};
use crate::{
    chain::{Chain, Link},
    config::{self, Action, Config, Fault, Pointer, Source},
    disk::CacheFolder,
    listener,
    plugin::{Component, Components, Service, Shared, Use},
    registry::Registries,
    reload::Stamps,
    router::Router,
    telemetry::{AccessLog, Metrics, RouteMetrics},
    tls::TlsFault,
    upstream::{Resolver, Upstream},
};

/// Upstreams whose names are looked up at one time.
const RESOLVED_AT_ONCE: usize = 8;

/// What generations share, and are built with.
pub(crate) struct Builder {
    pub(crate) components: Components,
    pub(crate) registries: Registries,
    /// Where both keep what they have.
    pub(crate) cache: Option<CacheFolder>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) resolver: Resolver,
    pub(crate) workers: usize,
}

/// Why there is no new generation: every fault that was found.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) Vec<Fault>);

/// Failures so far, of parts that do not need one another.
#[derive(Default)]
struct Findings(Vec<Fault>);

impl Findings {
    fn keep<T>(&mut self, result: Result<T, Failure>) -> Option<T> {
        result.map_err(|Failure(faults)| self.0.extend(faults)).ok()
    }

    /// What was made, if nothing failed.
    fn or<T>(mut self, made: Option<T>) -> Result<T, Failure> {
        match made {
            Some(made) if self.0.is_empty() => Ok(made),
            _ => {
                config::sort_faults(&mut self.0);
                Err(Failure(self.0))
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(Fault::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

/// A configuration that has been read.
pub(crate) struct Draft {
    path: PathBuf,
    /// Of all files that it names, as they were before they were read.
    pub(crate) stamps: Stamps,
    pub(crate) config: Result<Config, Failure>,
}

impl Draft {
    pub(crate) fn read(path: &Path) -> Self {
        let stamps = RefCell::new(Stamps::default());
        stamps.borrow_mut().add_file(path);
        let config = config::load(path, &|file| stamps.borrow_mut().add_file(file));
        let mut stamps = stamps.into_inner();
        if let Ok(config) = &config {
            stamps.add(path, config);
        }
        Self { path: path.to_owned(), stamps, config: config.map_err(Failure) }
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
        let Draft { path, stamps, config } = draft;
        match config {
            Ok(config) => self.assemble(config, stamps, previous).await,
            // With what is wrong beside the file's own faults.
            Err(failure) => Err(self.check(&path).await.err().unwrap_or(failure)),
        }
    }

    /// Builds what a configuration says. `stamps`: of its files, before they were read.
    pub(crate) async fn assemble(
        &self,
        config: Config,
        mut stamps: Stamps,
        previous: Option<&Generation>,
    ) -> Result<Generation, Failure> {
        // First: what plugins say of masks leads nowhere.
        no_masks(&config)?;
        let fetches = self.fetch(&config, |_| true).await?;
        let mut found = Findings::default();
        let links = found.keep(self.links(&config, &fetches).await);
        let services = found.keep(self.services(&config, &fetches).await);
        let tls = found.keep(tls(&config));
        let access_log = found.keep(self.access_log(&config, previous));
        let upstreams = found.keep(self.upstreams(&config, previous, &stamps).await);
        let made = links.zip(services).zip(tls.zip(access_log)).zip(upstreams);
        let (((links, mut services), (tls, access_log)), upstreams) = found.or(made)?;
        let router = self.router(&config, &links, &services, &upstreams)?;
        let uses = links.iter().filter_map(Link::plugin).cloned().collect();
        services.extend(links.iter().filter_map(Link::service));
        // Only what runs is pinned. The change is not one that asks for a reload.
        self.registries.save(&fetches.lock);
        stamps.renew(fetches.lock.path());
        // The bound may be another one than that of the process which filled the folder.
        if let Some(cache) = &self.cache {
            cache.prune();
        }
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
            _artifacts: fetches.in_use(),
            tls,
        })
    }

    /// Loads, links and configures every use; all their faults together.
    async fn links(&self, config: &Config, fetches: &Fetches) -> Result<Vec<Link>, Failure> {
        let (links, faults) = self.prove_each(config, fetches, |_| true).await;
        if faults.is_empty() {
            Ok(links.into_iter().flatten().collect())
        } else {
            Err(Failure(faults))
        }
    }

    /// The uses that `wanted` says, each in its place, and the faults of the others.
    pub(super) async fn prove_each(
        &self,
        config: &Config,
        fetches: &Fetches,
        wanted: impl Fn(&config::Use) -> bool,
    ) -> (Vec<Option<Link>>, Vec<Fault>) {
        let mut faults = Vec::new();
        let mut links = Vec::new();
        links.resize_with(config.uses.len(), || None);
        let mut loaded: HashMap<&Source, Result<Linkable, Fault>> = HashMap::new();
        let places = config.uses.iter().zip(&mut links);
        for (plugin, place) in places.filter(|(plugin, _)| wanted(plugin)) {
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
                    Ok(proven) => *place = Some(proven),
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
        let told = config::plugin_config_faults(config, &schema, plugin);
        let loaded = (Arc::clone(component), origin.clone());
        let (shared, metrics) = (&*self.shared, &*self.metrics);
        let plugin_of = (plugin, config);
        let proven =
            Use::new(plugin_of, loaded, &self.components, shared, metrics, self.workers).await;
        let proven = match proven {
            Ok(proven) if told.shape.is_empty() && told.names.is_empty() => proven,
            Ok(_) => return Err(together(config, told, Vec::new())),
            Err(error) => return Err(together(config, told, refusal(config, plugin, &error))),
        };
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
        let mut found = Findings::default();
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
                    let Some(upstream) = found.keep(self.new_upstream(config, wanted)) else {
                        continue;
                    };
                    let upstream = Arc::new(upstream);
                    new.push((Arc::clone(&upstream), before));
                    upstream
                }
            };
            upstreams.insert(name.clone(), upstream);
        }
        let upstreams = found.or(Some(upstreams))?;
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
        let made = Upstream::new(wanted, &self.metrics, self.workers);
        made.map_err(|faults| Failure(tls_faults(config, faults)))
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
            && previous.access_log.as_ref().is_none_or(AccessLog::is_in_place)
        {
            return Ok(previous.access_log.clone());
        }
        let opened =
            wanted.map(|wanted| AccessLog::open(wanted, self.metrics.access_log_dropped.clone()));
        opened.transpose().map_err(|error| Failure(vec![access_log_fault(config, &error)]))
    }
}

/// A mask in the place of a secret is one that everybody knows.
fn no_masks(config: &Config) -> Result<(), Failure> {
    let masked = config::masked(config);
    let faults: Vec<_> = masked.iter().map(|at| fault(config, at, MASKED.to_owned())).collect();
    if faults.is_empty() { Ok(()) } else { Err(Failure(faults)) }
}

/// What is wrong with a mask.
pub(super) const MASKED: &str = "is a mask, as the gateway shows secrets: write the value, or `${NAME}` or `${file:..}` for it; `${NAME:-***}` if it is meant";

/// Certificates are read again in each generation, so that a renewed one is taken up.
fn tls(config: &Config) -> Result<Vec<Option<Arc<rustls::ServerConfig>>>, Failure> {
    let mut found = Vec::new();
    let mut server =
        |listener: &config::Listener| match listener::tls::server(listener.tls.as_ref()?) {
            Ok(server) => Some(server),
            Err(faults) => {
                found.extend(tls_faults(config, faults));
                None
            }
        };
    let servers = config.listeners.iter().map(&mut server).collect();
    if found.is_empty() { Ok(servers) } else { Err(Failure(found)) }
}

pub(super) fn tls_faults(config: &Config, faults: Vec<TlsFault>) -> Vec<Fault> {
    faults.into_iter().map(|found| fault(config, &found.at, found.error.to_string())).collect()
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
