//! The components at the ends of routes: loaded, linked and started once.

use std::sync::Arc;

use super::{
    build::{Builder, Failure, fault},
    components::{Fetches, Loaded},
};
use crate::{
    config::{self, Config, Fault},
    plugin::{Kind, Middleware, Service, ServiceComponent},
};

impl Builder {
    /// Loads, links and starts every service; all their faults together.
    pub(super) async fn services(
        &self,
        config: &Config,
        fetches: &Fetches,
    ) -> Result<Vec<Arc<Service>>, Failure> {
        let (services, faults) = self.prove_services(config, fetches, |_| true).await;
        if faults.is_empty() { Ok(services) } else { Err(Failure(faults)) }
    }

    /// Those that `wanted` says and that work, and the faults of the others.
    pub(super) async fn prove_services(
        &self,
        config: &Config,
        fetches: &Fetches,
        wanted: impl Fn(&config::Service) -> bool,
    ) -> (Vec<Arc<Service>>, Vec<Fault>) {
        let (mut services, mut faults) = (Vec::new(), Vec::new());
        for service in config.services.iter().filter(|service| wanted(service)) {
            match self.prove_service(config, fetches, service).await {
                Ok(service) => services.push(Arc::new(service)),
                Err(fault) => faults.push(fault),
            }
        }
        (services, faults)
    }

    async fn prove_service(
        &self,
        config: &Config,
        fetches: &Fetches,
        wanted: &config::Service,
    ) -> Result<Service, Fault> {
        let (source, at) = (&wanted.component, [&wanted.at, &wanted.component_at]);
        let (component, origin) = self.load_service(config, fetches, source, at)?;
        if component.world.kind == Kind::Middleware {
            let reason = format!("`{source}` is a middleware; list it in `plugins`");
            return Err(fault(config, &wanted.at, reason));
        }
        self.start(config, wanted, (component, origin)).await
    }

    async fn start(
        &self,
        config: &Config,
        wanted: &config::Service,
        loaded: Loaded<ServiceComponent>,
    ) -> Result<Service, Fault> {
        let (components, metrics) = (&self.components, &self.metrics);
        let started = Service::new(wanted, loaded, components, metrics, self.workers).await;
        started.map_err(|error| {
            let reason = format!("component `{}` does not start: {error}", wanted.name);
            fault(config, &wanted.at, reason)
        })
    }

    /// A use of a middleware. What is for plugins only is refused, so that nobody relies on it.
    pub(super) async fn prove_middleware(
        &self,
        config: &Config,
        use_: &config::Use,
        (component, origin): &Loaded<ServiceComponent>,
    ) -> Result<Middleware, Vec<Fault>> {
        let faults = unanswered(use_).into_iter().map(|key| {
            let name = &use_.name;
            let reason = format!("`{name}` is a `wasi:http` middleware, which has no `{key}`");
            fault(config, &use_.at, reason)
        });
        let faults: Vec<_> = faults.collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        let wanted = config::Service::of_use(use_);
        let loaded = (Arc::clone(component), origin.clone());
        let started = self.start(config, &wanted, loaded).await;
        let made = |service| Middleware::new(service, use_.on_error);
        started.map(made).map_err(|fault| vec![fault])
    }
}

/// Keys of a use that say what a middleware cannot do.
fn unanswered(use_: &config::Use) -> Vec<&'static str> {
    let grants = &use_.grants;
    let said = [
        ("config", use_.config.as_object().is_none_or(|config| !config.is_empty())),
        ("isolation", use_.isolation != config::Isolation::default()),
        ("quarantine", use_.quarantine != Some(config::Quarantine::default())),
        ("canary", use_.canary.is_some()),
        ("grants.stores", !grants.stores.is_empty()),
        ("grants.request_body", grants.request_body),
        ("grants.response_body", grants.response_body),
        ("grants.cache", grants.cache),
    ];
    said.into_iter().filter(|(_, is_said)| *is_said).map(|(key, _)| key).collect()
}
