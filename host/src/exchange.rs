//! One exchange: a request, what is known of it, and the response that it gets.

mod common;
mod copy;
mod failing;
mod finish;

use std::{
    borrow::Cow,
    net::IpAddr,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Response, Uri,
    header::HOST,
    request::Parts,
    uri::{Authority, PathAndQuery},
};

use self::common::Common;
use crate::{
    body::{Body, BodyError, Progress},
    coding::Coding,
    config::UseLimits,
    error::Error,
    forwarding::X_FORWARDED_PROTO,
    generation::{Generation, Route},
    listener::Client,
    plugin::{Suspended, Trial},
    router::Params,
    upstream::Joined,
};

pub(crate) use self::{
    common::AttributesFull,
    failing::Chain,
    finish::{BrokenOff, End, refused},
};

/// How long the plugins of a chain may take in all, each way, where the route sets no `timeout`.
const CHAIN_TIMEOUT: Duration = Duration::from_secs(60);

/// One exchange. Its state lives in one box from the request's head to the response's last byte;
/// a hook gets the box for the length of its call.
///
/// However it ends, it ends once: one that is dropped before [`Self::finish`] was given up by its
/// client, or by the gateway at the end of a drain.
pub(crate) struct Exchange {
    /// `Some` until the end.
    state: Option<Box<State>>,
}

/// Until when all of an exchange may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bound {
    pub(crate) at: Instant,
    pub(crate) limit: Duration,
}

/// What is known of an exchange.
pub(crate) struct State {
    /// The configuration and plugins of the moment in which the exchange began.
    pub(crate) generation: Arc<Generation>,
    pub(crate) client: Arc<Client>,
    /// `None` until one is found.
    pub(crate) route: Option<Arc<Route>>,
    pub(crate) params: Params,
    /// The head as the client sent it, the path normalised, changed by plugins.
    pub(crate) request: Parts,
    /// Whether the client waits for no body, whatever plugins make of its method.
    pub(crate) asks_for_head: bool,
    /// The head was refused as it is: what follows it on the connection may be taken for another message
    /// than the client meant.
    pub(crate) is_doubtful: bool,
    pub(crate) request_body: Body,
    pub(crate) progress: Option<Arc<Progress>>,
    /// Path and query for the upstream where a rewrite or a plugin set them.
    pub(crate) target: Option<PathAndQuery>,
    /// The coding that the request body had before a plugin replaced it.
    pub(crate) recode: Option<Coding>,
    /// Another upstream than the route's.
    pub(crate) upstream: Option<String>,
    /// In logs, problem responses and `x-request-id`.
    pub(crate) id: HeaderValue,
    pub(crate) started: Instant,
    pub(crate) deadline: Instant,
    /// When the next hook begins; read once between two hooks.
    pub(crate) clock: Instant,
    common: Common,
    /// There in the views of bodies that stream: nothing of a head can be changed any more.
    pub(crate) view: Option<View>,
    /// How many plugins of the chain have had their request hook.
    pub(crate) reached: usize,
    /// Places in the chain at which it has the canary.
    pub(crate) canaries: Vec<usize>,
    /// Uses in quarantine that it tries.
    pub(crate) trials: Vec<Arc<Trial>>,
    /// Middlewares of its chain that wait for its response.
    pub(crate) suspended: Vec<Suspended>,
    /// Whether a shadow asked for something that it does not get.
    pub(crate) held_back: bool,
    pub(crate) response: Option<Response<Body>>,
    /// The plugin that answered, or whose failure the answer is.
    pub(crate) answered_by_plugin: Option<String>,
    /// The upstream that answered, or failed to.
    pub(crate) answered_by: Option<Arc<str>>,
    /// Why the gateway answered.
    pub(crate) error: Option<Error>,
    /// The tunnel that it goes on in after its response.
    pub(crate) tunnel: Option<Joined>,
    ended: bool,
}

/// What a view has beyond its exchange: the chunk hook that it is in.
#[derive(Default)]
pub(crate) struct View {
    /// The chunk is the last one.
    pub(crate) last: bool,
    /// What the hook holds back.
    pub(crate) held: Bytes,
}

impl Exchange {
    pub(crate) fn new(
        generation: Arc<Generation>,
        client: Arc<Client>,
        request: Parts,
        (request_body, progress): (Body, Option<Arc<Progress>>),
        id: HeaderValue,
    ) -> Self {
        let started = Instant::now();
        let asks_for_head = request.method == Method::HEAD;
        let state = Box::new(State {
            generation,
            client,
            route: None,
            params: Params::default(),
            request,
            asks_for_head,
            is_doubtful: false,
            request_body,
            progress,
            target: None,
            recode: None,
            upstream: None,
            id,
            started,
            deadline: started + CHAIN_TIMEOUT,
            clock: started,
            common: Common::default(),
            view: None,
            reached: 0,
            canaries: Vec::new(),
            trials: Vec::new(),
            suspended: Vec::new(),
            held_back: false,
            response: None,
            answered_by_plugin: None,
            answered_by: None,
            error: None,
            tunnel: None,
            ended: false,
        });
        Self { state: Some(state) }
    }

    /// Ends the exchange: metrics, access log, `on-finish` hooks.
    pub(crate) fn finish(mut self, end: &End<'_>) {
        self.end(end);
    }

    fn end(&mut self, end: &End<'_>) {
        // The hooks that run after the end have the exchange once more.
        if let Some(state) = self.state.take_if(|state| !state.ended) {
            finish::finish(state, end);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.end(&End::given_up());
    }
}

impl Deref for Exchange {
    type Target = State;

    fn deref(&self) -> &State {
        self.state.as_ref().expect("there until the end")
    }
}

impl DerefMut for Exchange {
    fn deref_mut(&mut self) -> &mut State {
        self.state.as_mut().expect("there until the end")
    }
}

impl State {
    pub(crate) fn id(&self) -> &str {
        self.id.to_str().unwrap_or_default()
    }

    /// The client's address by the trusted-proxy rules.
    pub(crate) fn client_address(&self) -> IpAddr {
        let proxies = &self.generation.config.trusted_proxies;
        self.client.address(&self.request.headers, proxies)
    }

    /// Gives the request's body away; who asks for it from now on is told that it is gone.
    pub(crate) fn take_request_body(&mut self) -> Body {
        std::mem::replace(&mut self.request_body, Body::Broken(BodyError::ClientAborted))
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.response.is_some()
    }

    /// Sets the route, and with it how long the exchange may take.
    pub(crate) fn enter(&mut self, route: Arc<Route>, params: Params) {
        if let Some(timeout) = route.timeout {
            self.deadline = self.started + timeout;
        }
        self.route = Some(route);
        self.params = params;
    }

    /// The exchange's own end, where its route sets one.
    pub(crate) fn bound(&self) -> Option<Bound> {
        let limit = self.route.as_ref()?.timeout?;
        Some(Bound { at: self.deadline, limit })
    }

    /// The plugins' turn comes again: after the upstream has had its own time, and for each piece
    /// of a body. Where the exchange has no bound of its own, they get theirs once more.
    pub(crate) fn renew_time_of_plugins(&mut self) {
        self.clock = Instant::now();
        if self.route.as_ref().is_some_and(|route| route.timeout.is_none()) {
            self.deadline = self.clock + CHAIN_TIMEOUT;
        }
    }

    /// How long the hook took that ends now; the next one begins.
    pub(crate) fn end_hook(&mut self) -> Duration {
        let began = std::mem::replace(&mut self.clock, Instant::now());
        self.clock.saturating_duration_since(began)
    }

    pub(crate) fn route_name(&self) -> &str {
        self.route.as_ref().map_or("", |route| &route.name)
    }

    /// The value of a path parameter as it stands in the path, still percent-encoded.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        let route = self.route.as_ref()?;
        self.params.get(&route.param_names, name, self.request.uri.path())
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<Cow<'_, str>> {
        self.common.attribute(name)
    }

    /// All attributes, in the order in which they were first set.
    pub(crate) fn attributes(&self) -> Vec<(String, String)> {
        self.common.attributes()
    }

    /// Sets an attribute.
    ///
    /// # Errors
    ///
    /// The exchange has as many as `limits` allow, or as long ones; nothing was set.
    pub(crate) fn set_attribute(
        &mut self,
        name: String,
        value: String,
        limits: &UseLimits,
    ) -> Result<(), AttributesFull> {
        self.common.set_attribute(name, value, limits)
    }

    /// Counts an outbound call of a use, and gives how many it has made. `caller` tells the uses of
    /// this exchange apart.
    pub(crate) fn count_call(&mut self, caller: usize) -> u32 {
        self.common.count_call(caller)
    }

    /// Notes why a view of the request body ends the exchange: not every HTTP version brings the
    /// error back to who sent the request.
    pub(crate) fn fail_request(&mut self, error: BodyError) {
        self.common.fail_request(error);
    }

    pub(crate) fn request_failure(&mut self) -> Option<BodyError> {
        self.common.request_failure()
    }

    /// Path and query as the upstream will see them, before the route's rewrite.
    pub(crate) fn uri(&self) -> &Uri {
        &self.request.uri
    }

    /// What a component gets as the target: what a plugin set, else the request's, absolute as far as
    /// the client named a host.
    pub(crate) fn absolute_target(&self) -> Uri {
        let target = self.target.as_ref().or_else(|| self.uri().path_and_query());
        let Some(target) = target.cloned() else { return Uri::from_static("/") };
        let headers = &self.request.headers;
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        let Some(host) = host.and_then(|host| host.parse::<Authority>().ok()) else {
            return Uri::from(target);
        };
        // As clients and trusted proxies said it.
        let https = headers.get(X_FORWARDED_PROTO).is_some_and(|scheme| scheme == "https");
        let scheme = if https { "https" } else { "http" };
        let uri = Uri::builder().scheme(scheme).authority(host).path_and_query(target.clone());
        uri.build().unwrap_or_else(|_| Uri::from(target))
    }
}
