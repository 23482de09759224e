//! What the gateway says of itself: the log, the access log, the metrics.

mod access_log;
mod cache;
mod log;
mod metrics;
mod series;

pub(crate) use self::{
    access_log::{AccessLog, Entry},
    cache::CacheMetrics,
    log::init as init_log,
    metrics::{Metrics, RouteMetrics},
    series::{Dropped, UseSeries},
};
