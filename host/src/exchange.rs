//! One exchange: a request, what is known of it, and the response that it gets.

mod finish;

use std::{
    net::IpAddr,
    ops::{Deref, DerefMut},
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderValue, Response, Uri, request::Parts, uri::PathAndQuery};

use crate::{
    body::{Body, Progress},
    error::Error,
    generation::{Generation, Route},
    listener::Client,
    problem,
    router::Params,
};

pub(crate) use self::finish::{BrokenOff, End, refused};

/// How long the plugins of a chain may take in all, each way, where the route sets no `timeout`.
const CHAIN_TIMEOUT: Duration = Duration::from_secs(60);

/// Attributes of one exchange: how many, and their bytes together.
const MAX_ATTRIBUTES: usize = 64;
const MAX_ATTRIBUTE_BYTES: usize = 8 * 1024;

/// One exchange. Its state lives in one box from the request's head to the response's last byte;
/// a hook gets the box for the length of its call.
///
/// However it ends, it ends once: one that is dropped before [`Self::finish`] was given up by its
/// client.
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
    pub(crate) request_body: Body,
    pub(crate) progress: Option<Arc<Progress>>,
    /// Path and query for the upstream where a rewrite or a plugin set them.
    pub(crate) target: Option<PathAndQuery>,
    /// Another upstream than the route's.
    pub(crate) upstream: Option<String>,
    /// In logs, problem responses and `x-request-id`.
    pub(crate) id: HeaderValue,
    pub(crate) started: Instant,
    pub(crate) deadline: Instant,
    attributes: Vec<(String, String)>,
    attribute_bytes: usize,
    /// Outbound calls that plugins have made.
    pub(crate) calls: u32,
    /// How many plugins of the chain have had their request hook.
    pub(crate) reached: usize,
    pub(crate) response: Option<Response<Body>>,
    /// The upstream that answered, or failed to.
    pub(crate) answered_by: Option<Arc<str>>,
    /// Why the gateway answered.
    pub(crate) error: Option<Error>,
    ended: bool,
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
        let state = Box::new(State {
            generation,
            client,
            route: None,
            params: Params::default(),
            request,
            request_body,
            progress,
            target: None,
            upstream: None,
            id,
            started,
            deadline: started + CHAIN_TIMEOUT,
            attributes: Vec::new(),
            attribute_bytes: 0,
            calls: 0,
            reached: 0,
            response: None,
            answered_by: None,
            error: None,
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

    /// The upstream has had its time; the plugins get theirs once more.
    pub(crate) fn begin_way_back(&mut self) {
        if self.route.as_ref().is_some_and(|route| route.timeout.is_none()) {
            self.deadline = Instant::now() + CHAIN_TIMEOUT;
        }
    }

    /// Answers with a problem, whatever stood as the answer before.
    pub(crate) fn fail(&mut self, error: Error) {
        let response = problem::response(&error, self.id());
        let (request_id, route) = (self.id(), self.route_name());
        // What a client does wrong it can do often: its errors are in the metrics and the access
        // log, and here only on demand.
        if response.status().is_client_error() {
            tracing::debug!(request_id, route, error = %Chain(&error), "answered with a problem");
        } else {
            tracing::warn!(request_id, route, error = %Chain(&error), "answered with a problem");
        }
        self.response = Some(response);
        self.error = Some(error);
    }

    pub(crate) fn route_name(&self) -> &str {
        self.route.as_ref().map_or("", |route| &route.name)
    }

    /// The value of a path parameter as it stands in the path, still percent-encoded.
    pub(crate) fn param(&self, name: &str) -> Option<&str> {
        let route = self.route.as_ref()?;
        self.params.get(&route.param_names, name, self.request.uri.path())
    }

    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Sets an attribute.
    ///
    /// # Errors
    ///
    /// The exchange has as many as it may, or as long ones; nothing was set.
    pub(crate) fn set_attribute(
        &mut self,
        name: String,
        value: String,
    ) -> Result<(), AttributesFull> {
        let old = self.attributes.iter().position(|(key, _)| *key == name);
        let freed = old.map_or(0, |at| size(&self.attributes[at]));
        let bytes = self.attribute_bytes - freed + name.len() + value.len();
        if bytes > MAX_ATTRIBUTE_BYTES || (old.is_none() && self.attributes.len() >= MAX_ATTRIBUTES)
        {
            return Err(AttributesFull);
        }
        self.attribute_bytes = bytes;
        match old {
            Some(at) => self.attributes[at].1 = value,
            None => self.attributes.push((name, value)),
        }
        Ok(())
    }

    /// Path and query as the upstream will see them, before the route's rewrite.
    pub(crate) fn uri(&self) -> &Uri {
        &self.request.uri
    }
}

fn size((name, value): &(String, String)) -> usize {
    name.len() + value.len()
}

/// More attributes, or longer ones, than an exchange may have.
#[derive(Debug)]
pub(crate) struct AttributesFull;

/// An error with all its sources, on one line.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
