//! Log lines and metrics, for the test to look at.

use super::world;
use crate::telemetry::Level;

pub(crate) fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    world(|world| world.logs.push((level, format!("{message}{fields}"))));
}

pub(crate) fn count(metric: &str, labels: &[(&str, &str)], by: u64) {
    let labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let name = match labels.as_slice() {
        [] => metric.to_owned(),
        labels => format!("{metric}{{{}}}", labels.join(",")),
    };
    world(|world| *world.counts.entry(name).or_default() += by);
}

pub(crate) fn observe(metric: &str, labels: &[(&str, &str)], _: f64) {
    count(metric, labels, 1);
}
