//! The border as it is in a component; nothing else names WIT types.

mod cache;
mod crypto;
mod export;
mod http;
mod limits;
mod message;
mod store;
mod telemetry;

use std::time::{Duration, SystemTime};

#[doc(hidden)]
#[allow(missing_docs, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit",
        world: "plugin",
        pub_export_macro: true,
        export_macro_name: "export_component",
    });
}
pub use bindings::export_component;

pub use self::export::Component;
pub(crate) use self::{
    cache::{Entry, cache_delete, cache_get, cache_purge, cache_put},
    crypto::{Key, equal, sha256},
    http::{send, send_all},
    limits::take,
    message::{Request, Response},
    store::{store_add, store_delete, store_get, store_increment, store_set},
    telemetry::{count, log, observe},
};

pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

pub(crate) fn sleep(time: Duration) {
    std::thread::sleep(time);
}

/// Whole milliseconds, rounded up: a short time must not become none.
fn millis(duration: Option<Duration>) -> Option<u32> {
    duration
        .map(|duration| u32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX))
}
