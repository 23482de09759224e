//! What the gateway says of itself: the log, the access log, the metrics.

mod access_log;
mod cache;
mod log;
mod log_limit;
mod metrics;
mod series;

pub(crate) use self::{
    access_log::{AccessLog, Entry},
    cache::CacheMetrics,
    log::{init as init_log, progress},
    log_limit::{Failures, LogWindow, MAX_FAILURES},
    metrics::{Metrics, RouteMetrics},
    series::{Dropped, UseSeries},
};
