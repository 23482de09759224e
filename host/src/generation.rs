//! A generation: one configuration with its compiled plugins, upstreams and routes, never changed
//! once it runs. A reload builds the next one and swaps it in.

mod build;
mod canary;
mod check;
mod components;
mod prove;
mod refusal;
mod services;
mod upstreams;

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::{HeaderName, HeaderValue, StatusCode, uri::Authority};

use crate::{
    chain::Chain,
    config::{Config, PathRewrite, Schemas, Template},
    disk::InUse,
    listener::Term,
    plugin::{Service, Use},
    reload::Stamps,
    router::Router,
    telemetry::{AccessLog, RouteMetrics},
    upstream::Upstream,
};

pub(crate) use self::build::{Builder, Draft, Failure};

/// The running state.
pub(crate) struct Generation {
    /// From 1; each swap counts.
    pub(crate) number: u64,
    pub(crate) since: SystemTime,
    /// Its files as they were before they were read.
    pub(crate) stamps: Stamps,
    pub(crate) config: Config,
    pub(crate) router: Router<Arc<Route>>,
    pub(crate) upstreams: HashMap<String, Arc<Upstream>>,
    pub(crate) uses: Vec<Arc<Use>>,
    pub(crate) services: Vec<Arc<Service>>,
    pub(crate) access_log: Option<AccessLog>,
    /// Of requests that no route takes.
    pub(crate) unrouted: RouteMetrics,
    /// Artifacts from registries that it is made of.
    pub(crate) _artifacts: Vec<InUse>,
    /// Of each listener, in the configuration's order; `None`: cleartext.
    pub(crate) tls: Vec<Option<Arc<rustls::ServerConfig>>>,
    /// Of all listeners' certificates.
    pub(crate) terms: Vec<Term>,
}

impl Generation {
    /// What its plugins say of their configurations.
    pub(crate) fn config_schemas(&self) -> Schemas {
        config_schemas(self.uses.iter())
    }
}

fn config_schemas<'p>(plugins: impl Iterator<Item = &'p Arc<Use>>) -> Schemas {
    let schemas = plugins.flat_map(|plugin| plugin.versions()).filter_map(|version| {
        let schema = serde_json::from_str(&version.component.manifest.config_schema).ok()?;
        Some((version.origin.source.clone(), schema))
    });
    schemas.collect()
}

/// One route, ready to serve.
pub(crate) struct Route {
    pub(crate) name: String,
    pub(crate) param_names: Vec<String>,
    pub(crate) chain: Chain,
    pub(crate) end: End,
    /// The whole exchange; `None`: no bound of its own.
    pub(crate) timeout: Option<Duration>,
    pub(crate) metrics: RouteMetrics,
}

/// Where a route leads once its chain has let the request through.
pub(crate) enum End {
    Forward {
        upstream: Arc<Upstream>,
        path: PathRewrite,
        host: Option<Authority>,
    },
    Component(Arc<Service>),
    /// A plugin has to answer.
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
