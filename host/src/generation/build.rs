//! From a checked configuration to a generation.

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use super::{
    End, Generation, Route,
    check::{self, access_log_fault},
};
use crate::{
    chain::{Chain, Link},
    config::{self, Action, Config, Fault, Pointer},
    disk::CacheFolder,
    listener,
    plugin::{Components, Service, Shared},
    registry::Registries,
    reload::Stamps,
    router::Router,
    telemetry::{AccessLog, Metrics, RouteMetrics},
    tls::TlsFault,
    upstream::{Resolver, Upstream},
};

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

/// Faults that a refusal tells of in the log and in `/status`, which both keep them.
const TOLD: usize = 100;

/// Why there is no new generation: every fault that was found.
#[derive(Debug)]
pub(crate) struct Failure(pub(crate) Vec<Fault>);

/// Failures so far, of parts that do not need one another.
#[derive(Default)]
pub(super) struct Findings(Vec<Fault>);

impl Findings {
    pub(super) fn keep<T>(&mut self, result: Result<T, Failure>) -> Option<T> {
        result.map_err(|Failure(faults)| self.0.extend(faults)).ok()
    }

    /// What was made, if nothing failed.
    pub(super) fn or<T>(mut self, made: Option<T>) -> Result<T, Failure> {
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
        let mut lines: Vec<String> = self.0.iter().take(TOLD).map(Fault::to_string).collect();
        if let more @ 1.. = self.0.len().saturating_sub(TOLD) {
            lines.push(format!("and {more} more; `tollgate validate` lists them all"));
        }
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
        let terms = check::terms(&config);
        let warnings = check::of_plugins(&config, links.iter().map(Link::plugin));
        for warning in warnings.into_iter().chain(check::of_the_rest(&config, &terms)) {
            tracing::warn!("{warning}");
        }
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
            terms,
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
            let followed = previous.access_log.as_ref().map(AccessLog::follow).transpose();
            followed.map_err(|error| Failure(vec![access_log_fault(config, &error)]))?;
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
