//! Drives a plugin in a native `#[test]`, without a gateway.
//!
//! ```
//! # use tollgate_plugin::{Config, Error, Plugin, Request, Verdict, plugin};
//! # #[derive(Config)]
//! # struct Closed {}
//! # #[plugin]
//! # impl Plugin for Closed {
//! #     fn on_request(&self, _: &mut Request) -> Result<Verdict, Error> {
//! #         Ok(Verdict::problem(403, "Closed"))
//! #     }
//! # }
//! use tollgate_plugin::testing::{Gateway, Request as Sent};
//!
//! let gateway = Gateway::<Closed>::new("{}");
//! let exchange = gateway.request(Sent::get("/orders/7").header("accept", "text/html"));
//! assert_eq!(exchange.status(), Some(403));
//! ```
//!
//! Upstreams, limits, stores and the clock are stand-ins in memory, one set for each [`Gateway`]. The
//! plugin is granted what its [`NEEDS`](Plugin::NEEDS) name of bodies; of those that they do not name
//! it is refused every byte, as by a gateway whose operator was not told to grant them.

mod exchange;
mod message;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use crate::configure;
use crate::error::Error;
use crate::http::{Call, CallError};
use crate::plugin::{Need, Phases, Plugin};
use crate::request;
use crate::sys;
use crate::telemetry::Level;
use crate::verdict::Verdict;

pub use self::exchange::Exchange;
pub use self::message::Request;
pub use crate::response::Response;

/// A gateway with one plugin and nothing else.
pub struct Gateway<P> {
    plugin: Rc<P>,
    world: Rc<RefCell<sys::World>>,
}

impl<P: Plugin> Gateway<P> {
    /// A gateway whose plugin has this configuration, as JSON.
    ///
    /// # Panics
    ///
    /// The plugin refuses the configuration.
    #[must_use]
    #[track_caller]
    pub fn new(config: impl AsRef<str>) -> Self {
        match Self::try_new(config) {
            Ok(gateway) => gateway,
            Err(error) => panic!("the configuration is refused: {error}"),
        }
    }

    /// As [`new`](Gateway::new), for tests of what is refused.
    ///
    /// # Errors
    ///
    /// What the operator would read.
    pub fn try_new(config: impl AsRef<str>) -> Result<Self, Error> {
        let world = Rc::default();
        sys::enter(&world);
        Ok(Self { plugin: Rc::new(configure::configure(config.as_ref())?), world })
    }

    /// Answers the plugin's own calls with `upstream`; without one no upstream is known.
    #[must_use]
    pub fn upstream(
        self,
        mut upstream: impl FnMut(&Call) -> Result<Response, CallError> + 'static,
    ) -> Self {
        let upstream = move |call: &Call| upstream(call).map(|response| response.sys);
        self.world.borrow_mut().upstream = Some(Box::new(upstream));
        self
    }

    /// Puts the store of the limits out of reach, or back.
    pub fn limits_unavailable(&self, down: bool) {
        self.world.borrow_mut().limits_down = down;
    }

    /// Takes the grant of every store from the plugin, or gives it back.
    pub fn stores_refused(&self, refused: bool) {
        self.world.borrow_mut().stores.refused = refused;
    }

    /// What a store holds under a key; `""` is the store of
    /// [`Store::granted`](crate::store::Store::granted).
    #[must_use]
    pub fn stored(&self, store: &str, key: &str) -> Option<Vec<u8>> {
        let world = self.world.borrow();
        world.stores.get(store, key, world.now)
    }

    /// Another instance of the plugin with the same configuration or another, in the same world:
    /// clock, upstream, limits and stores are those of this one.
    ///
    /// # Panics
    ///
    /// The plugin refuses the configuration.
    #[must_use]
    #[track_caller]
    pub fn instance(&self, config: impl AsRef<str>) -> Self {
        sys::enter(&self.world);
        match configure::configure(config.as_ref()) {
            Ok(plugin) => Self { plugin: Rc::new(plugin), world: Rc::clone(&self.world) },
            Err(error) => panic!("the configuration is refused: {error}"),
        }
    }

    /// The time since 1970, which stands still until it is moved.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.world.borrow().now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
    }

    /// Moves the time on.
    pub fn advance(&self, by: Duration) {
        self.world.borrow_mut().now += by;
    }

    /// The lines that the plugin has logged.
    #[must_use]
    pub fn logs(&self) -> Vec<(Level, String)> {
        self.world.borrow().logs.clone()
    }

    /// A counter by its name, and its labels if it has some: `hits`, `hits{kind=a}`.
    #[must_use]
    pub fn counted(&self, metric: &str) -> u64 {
        self.world.borrow().counts.get(metric).copied().unwrap_or_default()
    }

    /// The hooks that the plugin's configuration wants.
    #[must_use]
    pub fn phases(&self) -> Phases {
        self.plugin.phases()
    }

    /// Sends a request through the plugin.
    ///
    /// # Panics
    ///
    /// The hook fails.
    #[must_use]
    #[track_caller]
    pub fn request(&self, request: Request) -> Exchange<P> {
        match self.try_request(request) {
            Ok(exchange) => exchange,
            Err(error) => panic!("the request hook failed: {error}"),
        }
    }

    /// As [`request`](Gateway::request), for tests of hooks that fail.
    ///
    /// # Errors
    ///
    /// What the log would say.
    pub fn try_request(&self, request: Request) -> Result<Exchange<P>, Error> {
        sys::enter(&self.world);
        let mut request = request.build();
        let answer = match self.ask(&mut request)? {
            Verdict::Next => None,
            Verdict::Respond(response) => Some(response),
            Verdict::Problem(problem) => Some(problem.into_response(&request.id())?),
        };
        let gateway = Gateway { plugin: Rc::clone(&self.plugin), world: Rc::clone(&self.world) };
        Ok(Exchange { gateway, request, answer })
    }

    fn ask(&self, request: &mut request::Request) -> Result<Verdict, Error> {
        if !self.phases().contains(Phases::REQUEST) {
            return Ok(Verdict::Next);
        }
        with_granted::<P, _>(request, |request| self.plugin.on_request(request))
    }
}

/// Runs a hook that sees the request's body only where the plugin needs it.
fn with_granted<P: Plugin, T>(
    request: &mut request::Request,
    hook: impl FnOnce(&mut request::Request) -> T,
) -> T {
    request.sys.withhold_body(!P::NEEDS.contains(&Need::RequestBody));
    let made = hook(request);
    request.sys.withhold_body(false);
    made
}

/// Holds a schema file to the types of the configuration; `#[plugin(schema = "..")]` calls it.
///
/// # Panics
///
/// The file is missing or says something else, and `TOLLGATE_WRITE_SCHEMA` is not set.
#[track_caller]
pub fn check_schema_file<P: Plugin>(path: &str) {
    let schema = configure::schema::<P>() + "\n";
    if std::env::var_os("TOLLGATE_WRITE_SCHEMA").is_some() {
        std::fs::write(path, &schema).expect("the schema file can be written");
    }
    let file = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        file == schema,
        "{path} is not the schema of the configuration; \
         TOLLGATE_WRITE_SCHEMA=1 cargo test writes it"
    );
}
