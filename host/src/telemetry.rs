//! What the gateway says of itself: the log, the access log, the metrics.

mod access_log;
mod log;
mod metrics;

pub(crate) use self::{
    access_log::{AccessLog, Entry},
    log::init as init_log,
    metrics::{Metrics, PluginCounts, RouteMetrics},
};
