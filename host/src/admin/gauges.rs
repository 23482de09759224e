//! Figures that are looked up when they are asked for.

use crate::{generation::Generation, plugin::Shared, telemetry::Metrics};

/// Sets them to what there is at this moment.
pub(super) fn set(metrics: &Metrics, generation: &Generation, shared: &Shared) {
    of_plugins(metrics, generation);
    of_upstreams(metrics, generation);
    of_what_is_kept(metrics, shared);
    metrics.certificate_end.reset();
    for term in &generation.terms {
        let file = term.file.to_string_lossy();
        metrics.certificate_end.with_label_values(&[&*file]).set(term.end);
    }
}

/// Several uses can have one name.
fn of_plugins(metrics: &Metrics, generation: &Generation) {
    metrics.plugin_instances.reset();
    metrics.plugin_quarantined.reset();
    metrics.plugin_canary_aborted.reset();
    for plugin in generation.uses.iter().flat_map(|plugin| plugin.versions()) {
        let label = [plugin.name()];
        let instances = number(plugin.instances());
        metrics.plugin_instances.with_label_values(&label).add(instances);
        let quarantined = plugin.quarantine().is_some_and(|quarantine| quarantine.is_active());
        metrics.plugin_quarantined.with_label_values(&label).add(quarantined.into());
        if let Some(canary) = plugin.canary() {
            let aborted = canary.record().is_aborted();
            metrics.plugin_canary_aborted.with_label_values(&label).add(aborted.into());
        }
    }
    for service in &generation.services {
        let instances = number(service.instances());
        metrics.plugin_instances.with_label_values(&[service.name()]).add(instances);
    }
}

fn of_upstreams(metrics: &Metrics, generation: &Generation) {
    metrics.upstream_endpoints.reset();
    metrics.upstream_waiting.reset();
    for (name, upstream) in &generation.upstreams {
        let known = number(upstream.addresses().len());
        let resting = number(upstream.resting().len());
        metrics.upstream_endpoints.with_label_values(&[name, "known"]).set(known);
        metrics.upstream_endpoints.with_label_values(&[name, "resting"]).set(resting);
        metrics.upstream_waiting.with_label_values(&[name]).set(number(upstream.waiting()));
    }
}

fn of_what_is_kept(metrics: &Metrics, shared: &Shared) {
    let cached = shared.cache.size();
    metrics.cache_entries.set(number(cached.entries));
    metrics.cache_bytes.set(number(cached.bytes));
    metrics.store_entries.reset();
    metrics.store_bytes.reset();
    for (name, size) in shared.stores.sizes() {
        metrics.store_entries.with_label_values(&[&name]).set(number(size.entries));
        metrics.store_bytes.with_label_values(&[&name]).set(number(size.bytes));
    }
}

fn number(count: impl TryInto<i64>) -> i64 {
    count.try_into().unwrap_or(i64::MAX)
}
