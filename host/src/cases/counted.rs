//! What a plugin has counted and observed.

use std::collections::BTreeMap;

use prometheus::{
    core::Collector as _,
    proto::{Metric, MetricFamily, MetricType},
};

use crate::telemetry::Metrics;

/// Each series by its name and labels, `name{label="value"}`, with its count, or the sum of what was
/// observed.
pub(super) fn read(metrics: &Metrics) -> BTreeMap<String, f64> {
    let families = metrics.plugin_series.collect();
    let of_family = |family: &MetricFamily| {
        let kind = family.get_field_type();
        family.get_metric().iter().map(|metric| series(metric, kind)).collect::<Vec<_>>()
    };
    families.iter().flat_map(of_family).collect()
}

fn series(metric: &Metric, kind: MetricType) -> (String, f64) {
    let mut name = String::new();
    let mut labels = Vec::new();
    for label in metric.get_label() {
        match label.name() {
            "metric" => label.value().clone_into(&mut name),
            // There is one.
            "plugin" => {}
            other => labels.push(format!("{other}={:?}", label.value())),
        }
    }
    if !labels.is_empty() {
        name = format!("{name}{{{}}}", labels.join(","));
    }
    let value = match kind {
        MetricType::HISTOGRAM => metric.get_histogram().get_sample_sum(),
        _ => metric.get_counter().get_value(),
    };
    (name, value)
}
