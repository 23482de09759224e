//! What every instance of a use, or of a component behind routes, is made with.

use std::{sync::Arc, time::Duration};

use prometheus::IntCounterVec;

use super::{limits::RateLimits, reached::LatestLine, usage::Shared};
use crate::{
    cache::ResponseCache,
    config::{self, Config, Grants, UseLimits},
    store::Store,
    telemetry::{Failures, LogWindow, Metrics, UseSeries},
};

/// CPU time of `describe` and `configure`: both run off the request path, and interpreters start
/// slowly.
pub(super) const SETUP_CPU: Duration = Duration::from_secs(5);

/// What every instance of a use is made with.
pub(crate) struct Settings {
    pub(crate) name: String,
    /// Whose rate limits it has.
    pub(super) scope: String,
    /// Whether it only watches: what has an effect outside of it is refused.
    pub(super) shadow: bool,
    /// JSON, as `configure` gets it.
    pub(super) config: String,
    pub(super) grants: Grants,
    pub(super) limits: UseLimits,
    pub(super) rate_limits: Arc<RateLimits>,
    /// Those that it was granted, by name.
    pub(super) stores: Vec<(String, Arc<dyn Store>)>,
    /// If it was granted.
    pub(super) cache: Option<Arc<ResponseCache>>,
    /// What it counts and observes.
    pub(super) series: Option<Arc<UseSeries>>,
    pub(super) log_window: LogWindow,
    /// The messages of its panics.
    pub(super) panics: LogWindow,
    pub(super) limit_decisions: Option<IntCounterVec>,
    pub(super) limits_reached: Option<IntCounterVec>,
    pub(super) latest_line: LatestLine,
    pub(super) calls_denied: Option<IntCounterVec>,
    pub(super) latest_denial: LatestLine,
    pub(super) failures: Arc<Failures>,
}

impl Settings {
    pub(super) fn of_use(
        config: &config::Use,
        whole: &Config,
        shared: &Shared,
        metrics: &Metrics,
    ) -> Self {
        let stores = config.grants.stores.iter();
        let stores =
            stores.map(|name| (name.clone(), shared.stores.open(name, &whole.stores[name])));
        Self {
            name: config.name.clone(),
            scope: config.scope.clone(),
            shadow: config.canary.as_ref().is_some_and(|canary| canary.shadow),
            config: config.config.to_string(),
            grants: config.grants.clone(),
            limits: config.limits.clone(),
            rate_limits: Arc::clone(&shared.rate_limits),
            stores: stores.collect(),
            cache: config.grants.cache.then(|| Arc::clone(&shared.cache)),
            series: Some(metrics.plugin_series.of(&config.name)),
            log_window: LogWindow::default(),
            panics: LogWindow::default(),
            limit_decisions: Some(metrics.limit_decisions.clone()),
            limits_reached: Some(metrics.plugin_limits_reached.clone()),
            latest_line: LatestLine::default(),
            calls_denied: Some(metrics.plugin_denied.clone()),
            latest_denial: LatestLine::default(),
            failures: Arc::default(),
        }
    }

    pub(super) fn of_service(config: &config::Service, metrics: &Metrics) -> Self {
        Self {
            name: config.name.clone(),
            grants: Grants { upstreams: config.upstreams.clone(), ..Grants::default() },
            limits: config.limits.clone(),
            series: Some(metrics.plugin_series.of(&config.name)),
            limits_reached: Some(metrics.plugin_limits_reached.clone()),
            calls_denied: Some(metrics.plugin_denied.clone()),
            ..Self::for_describing()
        }
    }

    /// For the instance that only says who it is.
    pub(super) fn for_describing() -> Self {
        Self {
            name: String::new(),
            scope: String::new(),
            shadow: false,
            config: String::new(),
            grants: Grants::default(),
            limits: UseLimits {
                cpu: SETUP_CPU,
                memory: 256 << 20,
                max_body: 0,
                max_instances: 1,
                calls: 0,
                timeout: SETUP_CPU,
                table: config::MAX_PLUGIN_TABLE,
                attributes: 0,
                attribute_bytes: 0,
                log_lines: 100,
                series: 0,
            },
            rate_limits: Arc::default(),
            stores: Vec::new(),
            cache: None,
            series: None,
            log_window: LogWindow::default(),
            panics: LogWindow::default(),
            limit_decisions: None,
            limits_reached: None,
            latest_line: LatestLine::default(),
            calls_denied: None,
            latest_denial: LatestLine::default(),
            failures: Arc::default(),
        }
    }
}
