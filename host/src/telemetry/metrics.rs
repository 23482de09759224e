//! Metrics for Prometheus. Labels come from the configuration only, never from what a client
//! sends, so there is an end to them.

use std::sync::OnceLock;

use http::{Method, StatusCode};
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder,
};

use super::series::PluginSeries;

/// Upper bounds of the buckets for exchanges, in seconds: OpenTelemetry's for HTTP.
const EXCHANGE_BUCKETS: [f64; 14] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0];

/// For hooks, which take microseconds.
const HOOK_BUCKETS: [f64; 10] =
    [0.000_001, 0.000_002, 0.000_005, 0.000_01, 0.000_025, 0.000_1, 0.001, 0.01, 0.1, 1.0];

/// All metrics of the process; they outlive generations.
pub(crate) struct Metrics {
    registry: Registry,
    pub(crate) server_duration: HistogramVec,
    pub(crate) client_duration: HistogramVec,
    pub(crate) plugin_duration: HistogramVec,
    pub(crate) plugin_errors: IntCounterVec,
    pub(crate) plugin_instances: IntGaugeVec,
    pub(crate) plugin_limits_reached: IntCounterVec,
    pub(crate) plugin_denied: IntCounterVec,
    pub(crate) plugin_quarantined: IntGaugeVec,
    pub(crate) plugin_canary_aborted: IntGaugeVec,
    pub(crate) plugin_shadows: IntCounterVec,
    pub(crate) plugin_series: PluginSeries,
    pub(crate) components_made: IntCounterVec,
    pub(crate) limit_decisions: IntCounterVec,
    pub(crate) cache_requests: IntCounterVec,
    pub(crate) cache_puts: IntCounterVec,
    pub(crate) cache_evictions: IntCounter,
    pub(crate) cache_entries: IntGauge,
    pub(crate) cache_bytes: IntGauge,
    pub(crate) store_entries: IntGaugeVec,
    pub(crate) store_bytes: IntGaugeVec,
    pub(crate) store_evictions: IntCounterVec,
    pub(crate) reloads: IntCounterVec,
    pub(crate) reload_duration: Histogram,
    pub(crate) generation: IntGauge,
    pub(crate) upstream_endpoints: IntGaugeVec,
    pub(crate) upstream_waiting: IntGaugeVec,
    pub(crate) upstream_failures: IntCounterVec,
    pub(crate) certificate_end: IntGaugeVec,
    pub(crate) connections: IntGaugeVec,
    pub(crate) connections_delayed: IntCounter,
    pub(crate) handshakes: IntCounterVec,
    pub(crate) access_log_dropped: IntCounter,
}

impl Metrics {
    pub(crate) fn new() -> prometheus::Result<Self> {
        let r = &Registry::new();
        let client = ("http_client_request_duration_seconds", &EXCHANGE_BUCKETS[..]);
        let server = ("http_server_request_duration_seconds", &EXCHANGE_BUCKETS[..]);
        let plugin = ("tollgate_plugin_duration_seconds", &HOOK_BUCKETS[..]);
        let reload = HistogramOpts::new(
            "tollgate_reload_duration_seconds",
            "Time to build and swap in a generation.",
        );
        let dropped = counters(
            r,
            "tollgate_plugin_dropped_total",
            "What plugins wanted to log or count, and was dropped.",
            &["plugin", "kind"],
        )?;
        let metrics = Self {
            server_duration: histograms(
                r,
                server,
                "Exchanges, from request head to the response's last byte.",
                &["route", "method", "status_class"],
            )?,
            client_duration: histograms(
                r,
                client,
                "Requests to upstreams, until the response head.",
                &["upstream", "status_class"],
            )?,
            plugin_duration: histograms(
                r,
                plugin,
                "Hooks of plugins, waiting included.",
                &["plugin", "hook"],
            )?,
            plugin_errors: counters(
                r,
                "tollgate_plugin_errors_total",
                "Hooks that failed.",
                &["plugin", "kind"],
            )?,
            plugin_instances: gauges(
                r,
                "tollgate_plugin_instances",
                "Instances, idle and at work.",
                &["plugin"],
            )?,
            plugin_limits_reached: counters(
                r,
                "tollgate_plugin_limits_reached_total",
                "Limits that ended no hook: calls, bodies, attributes, values in stores.",
                &["plugin", "limit"],
            )?,
            plugin_denied: counters(
                r,
                "tollgate_plugin_denied_total",
                "Calls that were refused for want of a grant.",
                &["plugin", "grant"],
            )?,
            plugin_quarantined: gauges(
                r,
                "tollgate_plugin_quarantined",
                "Uses of the plugin that are in quarantine.",
                &["plugin"],
            )?,
            plugin_canary_aborted: gauges(
                r,
                "tollgate_plugin_canary_aborted",
                "Canaries that were given up.",
                &["plugin"],
            )?,
            plugin_shadows: counters(
                r,
                "tollgate_plugin_shadow_total",
                "What came of comparing a shadow with its plugin.",
                &["plugin", "result"],
            )?,
            plugin_series: register(r, PluginSeries::new(dropped)?)?,
            components_made: counters(
                r,
                "tollgate_components_made_total",
                "Components made ready to run: compiled, or found compiled in the cache.",
                &["from"],
            )?,
            limit_decisions: counters(
                r,
                "tollgate_limit_decisions_total",
                "Takes from rate limits.",
                &["plugin", "result"],
            )?,
            cache_requests: counters(
                r,
                "tollgate_cache_requests_total",
                "Look-ups in the response cache.",
                &["result"],
            )?,
            cache_puts: counters(
                r,
                "tollgate_cache_puts_total",
                "Responses that plugins put into the cache, by what became of them.",
                &["result"],
            )?,
            cache_evictions: register(
                r,
                IntCounter::new(
                    "tollgate_cache_evictions_total",
                    "Responses that made room before their time.",
                )?,
            )?,
            cache_entries: register(
                r,
                IntGauge::new("tollgate_cache_entries", "Responses in the cache.")?,
            )?,
            cache_bytes: register(
                r,
                IntGauge::new("tollgate_cache_bytes", "What the responses in the cache take.")?,
            )?,
            store_entries: gauges(r, "tollgate_store_entries", "Values in a store.", &["store"])?,
            store_bytes: gauges(
                r,
                "tollgate_store_bytes",
                "Keys and values in a store, and 128 bytes for each.",
                &["store"],
            )?,
            store_evictions: counters(
                r,
                "tollgate_store_evictions_total",
                "Values that made room before their time.",
                &["store"],
            )?,
            reloads: counters(
                r,
                "tollgate_reloads_total",
                "Attempts to build a new generation.",
                &["result"],
            )?,
            reload_duration: register(r, Histogram::with_opts(reload)?)?,
            generation: register(
                r,
                IntGauge::new("tollgate_generation", "The number of the running generation.")?,
            )?,
            upstream_endpoints: gauges(
                r,
                "tollgate_upstream_endpoints",
                "Addresses of an upstream's endpoints.",
                &["upstream", "state"],
            )?,
            upstream_waiting: gauges(
                r,
                "tollgate_upstream_waiting",
                "Requests that wait for room on HTTP/2 connections to an upstream.",
                &["upstream"],
            )?,
            upstream_failures: counters(
                r,
                "tollgate_upstream_failures_total",
                "Attempts at a request to an upstream that failed, also where another made it good.",
                &["upstream", "reason"],
            )?,
            certificate_end: gauges(
                r,
                "tollgate_certificate_not_after_seconds",
                "When a certificate of a listener ends, in seconds since 1970.",
                &["certificate"],
            )?,
            connections: gauges(
                r,
                "tollgate_connections",
                "Open client connections.",
                &["listener", "protocol"],
            )?,
            connections_delayed: register(
                r,
                IntCounter::new(
                    "tollgate_connections_delayed_total",
                    "How often a worker let a client wait for a connection to close: all that may be open were.",
                )?,
            )?,
            handshakes: counters(
                r,
                "tollgate_tls_handshake_failures_total",
                "TLS handshakes with clients that failed.",
                &["listener", "reason"],
            )?,
            access_log_dropped: register(
                r,
                IntCounter::new(
                    "tollgate_access_log_dropped_total",
                    "Access-log lines lost: the log could not keep up, or could not be written.",
                )?,
            )?,
            registry: r.clone(),
        };
        // Memory, descriptors, threads and CPU time of the process; the library knows them on Linux.
        #[cfg(target_os = "linux")]
        r.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        let build = gauges(r, "tollgate_build_info", "1, of this version.", &["version"])?;
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        for result in ["success", "failure"] {
            metrics.reloads.with_label_values(&[result]);
        }
        Ok(metrics)
    }

    /// All of it as Prometheus text.
    pub(crate) fn text(&self) -> Vec<u8> {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::warn!(%error, "metrics could not be written");
        }
        text
    }
}

fn register<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    collector: C,
) -> prometheus::Result<C> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

fn histograms(
    registry: &Registry,
    (name, buckets): (&str, &[f64]),
    help: &str,
    labels: &[&str],
) -> prometheus::Result<HistogramVec> {
    let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    register(registry, HistogramVec::new(options, labels)?)
}

fn counters(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<IntCounterVec> {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn gauges(
    registry: &Registry,
    name: &str,
    help: &str,
    labels: &[&str],
) -> prometheus::Result<IntGaugeVec> {
    register(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
}

/// The methods that are told apart in metrics; a client can invent others.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"];

const CLASSES: [&str; 6] = ["1xx", "2xx", "3xx", "4xx", "5xx", "other"];

/// One route's histograms, each looked up by label once.
pub(crate) struct RouteMetrics {
    route: String,
    vec: HistogramVec,
    resolved: [[OnceLock<Histogram>; CLASSES.len()]; METHODS.len()],
}

impl RouteMetrics {
    pub(crate) fn new(metrics: &Metrics, route: &str) -> Self {
        Self {
            route: route.to_owned(),
            vec: metrics.server_duration.clone(),
            resolved: Default::default(),
        }
    }

    pub(crate) fn observe(&self, method: &Method, status: StatusCode, seconds: f64) {
        let method = METHODS.iter().position(|known| *known == method.as_str());
        self.observe_at(method.unwrap_or(METHODS.len() - 1), status, seconds);
    }

    /// A request whose head could not be read.
    pub(crate) fn observe_unread(&self, status: StatusCode, seconds: f64) {
        self.observe_at(METHODS.len() - 1, status, seconds);
    }

    fn observe_at(&self, method: usize, status: StatusCode, seconds: f64) {
        let class = usize::from(status.as_u16() / 100).wrapping_sub(1).min(CLASSES.len() - 1);
        let histogram = self.resolved[method][class].get_or_init(|| {
            self.vec.with_label_values(&[&self.route, METHODS[method], CLASSES[class]])
        });
        histogram.observe(seconds);
    }
}
