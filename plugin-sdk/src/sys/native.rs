//! The border as tests see it: everything in memory, on the world of the test's own gateway.

mod cache;
#[cfg(feature = "native-crypto")]
mod crypto;
#[cfg(not(feature = "native-crypto"))]
#[path = "native/no_crypto.rs"]
mod crypto;
mod fields;
mod http;
mod limits;
mod request;
mod response;
mod store;
mod telemetry;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

pub(crate) use self::{
    cache::{Entry, cache_delete, cache_get, cache_purge, cache_put},
    crypto::{Key, equal, sha256},
    http::{send, send_all},
    limits::take,
    request::{Chunk, Request, RequestData},
    response::Response,
    store::{store_add, store_delete, store_get, store_increment, store_set},
    telemetry::{count, log, observe},
};
use crate::http::{Call, CallError};
use crate::telemetry::Level;

type Upstream = Box<dyn FnMut(&Call) -> Result<Response, CallError>>;

/// What lies on the gateway's side of the border.
pub(crate) struct World {
    pub(crate) now: SystemTime,
    pub(crate) upstream: Option<Upstream>,
    pub(crate) limits_down: bool,
    /// Bucket and key to the time when the quota will be full again (GCRA).
    pub(crate) limits: BTreeMap<(String, String), f64>,
    pub(crate) stores: store::Stores,
    pub(crate) cache: cache::Cache,
    pub(crate) logs: Vec<(Level, String)>,
    pub(crate) counts: BTreeMap<String, u64>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            // 2026-01-01T00:00:00Z: any time will do that is the same in every run.
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600),
            upstream: None,
            limits_down: false,
            limits: BTreeMap::new(),
            stores: store::Stores::default(),
            cache: cache::Cache::default(),
            logs: Vec::new(),
            counts: BTreeMap::new(),
        }
    }
}

thread_local! {
    static WORLD: RefCell<Rc<RefCell<World>>> = RefCell::default();
}

/// Makes `world` the one that this thread's plugin code sees.
pub(crate) fn enter(world: &Rc<RefCell<World>>) {
    WORLD.with(|current| *current.borrow_mut() = Rc::clone(world));
}

fn world<T>(look: impl FnOnce(&mut World) -> T) -> T {
    let world = WORLD.with(|current| Rc::clone(&current.borrow()));
    let mut world = world.borrow_mut();
    look(&mut world)
}

pub(crate) fn now() -> SystemTime {
    world(|world| world.now)
}

/// Nobody else moves the time of a test on.
pub(crate) fn sleep(time: Duration) {
    world(|world| world.now += time);
}
