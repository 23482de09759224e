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

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use crate::configure;
use crate::error::Error;
use crate::http::{Call, CallError};
use crate::plugin::{Need, Outcome, Phases, Plugin};
use crate::request::{self, Field, Peer};
use crate::response::Response;
use crate::sys;
use crate::telemetry::Level;
use crate::verdict::Verdict;

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

/// What has become of a request.
pub struct Exchange<P> {
    gateway: Gateway<P>,
    /// The request as the next plugin and the upstream would see it.
    pub request: request::Request,
    /// The plugin's own answer.
    pub answer: Option<Response>,
}

impl<P: Plugin> Exchange<P> {
    /// Whether the request goes on.
    #[must_use]
    pub fn is_next(&self) -> bool {
        self.answer.is_none()
    }

    /// The status of the plugin's own answer.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(Response::status)
    }

    /// A header of the plugin's own answer.
    #[must_use]
    pub fn answer_header(&self, name: &str) -> Option<String> {
        self.answer.as_ref()?.header(name)
    }

    /// The body of the plugin's own answer, as text.
    ///
    /// # Panics
    ///
    /// The plugin has not answered, or not in UTF-8.
    #[must_use]
    #[track_caller]
    pub fn answer_text(&self) -> String {
        let answer = self.answer.as_ref().expect("the plugin has answered");
        String::from_utf8(answer.body().expect("it is in memory")).expect("the answer is UTF-8")
    }

    /// Path and query that the upstream would see.
    #[must_use]
    pub fn target(&self) -> String {
        let request = self.request.sys.0.borrow();
        request.target.clone().unwrap_or_else(|| match &request.query {
            Some(query) => format!("{}?{query}", request.path),
            None => request.path.clone(),
        })
    }

    /// The upstream that the plugin has chosen.
    #[must_use]
    pub fn upstream(&self) -> Option<String> {
        self.request.sys.0.borrow().upstream.clone()
    }

    /// The response as the client would see it: the plugin's own answer, or else `upstream`'s.
    ///
    /// # Panics
    ///
    /// The response hook fails.
    #[must_use]
    #[track_caller]
    pub fn response(self, upstream: Response) -> Response {
        match self.try_response(upstream) {
            Ok(response) => response,
            Err(error) => panic!("the response hook failed: {error}"),
        }
    }

    /// As [`response`](Exchange::response), for tests of hooks that fail.
    ///
    /// # Errors
    ///
    /// What the log would say.
    pub fn try_response(mut self, upstream: Response) -> Result<Response, Error> {
        sys::enter(&self.gateway.world);
        let mut response = self.answer.take().unwrap_or(upstream);
        if self.gateway.phases().contains(Phases::RESPONSE) {
            response.sys.withhold_body(!P::NEEDS.contains(&Need::ResponseBody));
            let plugin = &self.gateway.plugin;
            with_granted::<P, _>(&mut self.request, |request| {
                plugin.on_response(request, &mut response)
            })?;
            response.sys.withhold_body(false);
        }
        Ok(response)
    }

    /// Sends a request body in these pieces through the chunk hook, and gives what comes out.
    ///
    /// # Panics
    ///
    /// The hook fails.
    #[must_use]
    #[track_caller]
    pub fn request_chunks(&mut self, pieces: &[impl AsRef<[u8]>]) -> Vec<u8> {
        match self.try_request_chunks(pieces) {
            Ok(body) => body,
            Err(error) => panic!("the request's chunk hook failed: {error}"),
        }
    }

    /// As [`request_chunks`](Exchange::request_chunks), for tests of hooks that fail.
    ///
    /// # Errors
    ///
    /// What the log would say.
    pub fn try_request_chunks(&mut self, pieces: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, Error> {
        let wanted = self.gateway.phases().contains(Phases::REQUEST_CHUNKS);
        self.chunks(pieces, wanted, P::on_request_chunk)
    }

    /// Sends a response body in these pieces through the chunk hook, and gives what comes out.
    ///
    /// # Panics
    ///
    /// The hook fails.
    #[must_use]
    #[track_caller]
    pub fn response_chunks(&mut self, pieces: &[impl AsRef<[u8]>]) -> Vec<u8> {
        match self.try_response_chunks(pieces) {
            Ok(body) => body,
            Err(error) => panic!("the response's chunk hook failed: {error}"),
        }
    }

    /// As [`response_chunks`](Exchange::response_chunks), for tests of hooks that fail.
    ///
    /// # Errors
    ///
    /// What the log would say.
    pub fn try_response_chunks(&mut self, pieces: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, Error> {
        let wanted = self.gateway.phases().contains(Phases::RESPONSE_CHUNKS);
        self.chunks(pieces, wanted, P::on_response_chunk)
    }

    /// The last piece is marked as such; what the hook holds back comes again with the next one.
    fn chunks(
        &mut self,
        pieces: &[impl AsRef<[u8]>],
        wanted: bool,
        hook: impl Fn(&P, &mut request::Request, Vec<u8>, bool) -> Result<Vec<u8>, Error>,
    ) -> Result<Vec<u8>, Error> {
        sys::enter(&self.gateway.world);
        let (mut held, mut body) = (Vec::new(), Vec::new());
        for (index, piece) in pieces.iter().enumerate() {
            if !wanted {
                body.extend_from_slice(piece.as_ref());
                continue;
            }
            held.extend_from_slice(piece.as_ref());
            let last = index + 1 == pieces.len();
            let chunk = sys::Chunk { last, held: Vec::new() };
            self.request.sys.0.borrow_mut().chunk = Some(chunk);
            let made = hook(&self.gateway.plugin, &mut self.request, held, last);
            let chunk = self.request.sys.0.borrow_mut().chunk.take();
            held = chunk.unwrap_or_default().held;
            body.extend(made?);
        }
        Ok(body)
    }

    /// Ends the exchange.
    pub fn finish(mut self, outcome: &Outcome) {
        sys::enter(&self.gateway.world);
        if self.gateway.phases().contains(Phases::FINISH) {
            self.gateway.plugin.on_finish(&mut self.request, outcome);
        }
    }
}

/// A request to be sent.
pub struct Request {
    data: sys::RequestData,
}

impl Request {
    /// A `GET` of a path and query, from 192.0.2.1, on a route called `route`.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A `POST`, otherwise as [`get`](Request::get).
    #[must_use]
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", target).body(body)
    }

    /// A request with any method, otherwise as [`get`](Request::get).
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let data = sys::RequestData {
            id: "test-request".to_owned(),
            route: "route".to_owned(),
            peer: Peer { address: "192.0.2.1".to_owned(), tls: None },
            method: method.to_owned(),
            scheme: "http".to_owned(),
            authority: "gateway.test".to_owned(),
            path: path.to_owned(),
            query,
            ..sys::RequestData::default()
        };
        Self { data }
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = name.to_ascii_lowercase();
        self.data.headers.push(Field { name, value: value.to_owned() });
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.data.body = body.into();
        self
    }

    /// Sets a path parameter of the route.
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.data.params.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets an attribute, as an earlier plugin would.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.data.attributes.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets the client's address.
    #[must_use]
    pub fn from(mut self, address: &str) -> Self {
        address.clone_into(&mut self.data.peer.address);
        self
    }

    /// Sets the name of the route.
    #[must_use]
    pub fn route(mut self, route: &str) -> Self {
        route.clone_into(&mut self.data.route);
        self
    }

    /// The request as a plugin sees it, for tests of a plugin's parts.
    #[must_use]
    pub fn build(self) -> request::Request {
        request::Request { sys: sys::Request(RefCell::new(self.data)) }
    }
}

impl Response {
    /// Adds a header line, to make a response in one expression in a test.
    ///
    /// # Panics
    ///
    /// HTTP does not allow it.
    #[must_use]
    #[track_caller]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.append_header(name, value).expect("a header that HTTP allows");
        self
    }

    /// Sets the body, to make a response in one expression in a test.
    #[must_use]
    pub fn with_body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.set_body(body).expect("a body in memory");
        self
    }
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
