//! The way of an exchange. Start reading here.

mod server_wide;
mod https;
mod forward;
mod service;
mod outgoing;
mod target;
mod onward;
mod response;

use std::{borrow::Cow, sync::Arc};

use arc_swap::ArcSwap;
use http::{Method, Request, Response, header::HOST, uri::Scheme};
use http_body::Body as _;
use hyper::body::Incoming;

pub(crate) use self::{
    onward::response as outgoing_response, response::ResponseBody,
    server_wide::is_for as is_server_wide,
};

use crate::{
    body::Body,
    config::Limits,
    error::Error,
    exchange::Exchange,
    forwarding::{self, HopByHop, Identity},
    generation::{Generation, Route},
    listener::{Active, Client},
    router::{self, Head, NoRoute},
    upstream::Tunnel,
};

/// What every connection of every worker serves with.
pub(crate) struct Gateway {
    current: ArcSwap<Generation>,
}

impl Gateway {
    pub(crate) fn new(generation: Generation) -> Self {
        Self { current: ArcSwap::from_pointee(generation) }
    }

    /// The generation that exchanges begin with at present.
    pub(crate) fn current(&self) -> Arc<Generation> {
        self.current.load_full()
    }

    /// Puts `next` in place. Exchanges that run keep what they began with; gives that.
    pub(crate) fn swap(&self, next: Generation) -> Arc<Generation> {
        self.current.swap(Arc::new(next))
    }

    /// Takes on a request; from here on it is counted and logged, though its client may leave before
    /// anything else is done. `upload` is held until the request's body has ended.
    pub(crate) fn begin(
        &self,
        request: Request<Incoming>,
        client: Arc<Client>,
        upload: Option<Active>,
    ) -> Begun {
        let mut begun = begin(request, client, upload, self.current());
        choose_route(&mut begun.exchange);
        begun
    }

    /// One exchange, from the request's head to the response's. The response's body goes on
    /// streaming, and ends the exchange when it ends.
    pub(crate) async fn serve(begun: Begun) -> Response<ResponseBody> {
        let Begun { mut exchange, wishes } = begun;
        exchange = ask_plugins(exchange).await;
        exchange = forward::to_the_end(exchange, wishes).await;
        exchange = show_plugins(exchange).await;
        response::of(exchange)
    }
}

/// An exchange that has its route, or an answer already.
pub(crate) struct Begun {
    exchange: Exchange,
    wishes: Wishes,
}

impl Begun {
    /// A view of the exchange that outlives it, for who checks what became of it.
    pub(crate) fn view(&mut self) -> Exchange {
        self.exchange.view()
    }
}

/// What the connection asks for beside the request.
#[derive(Default)]
struct Wishes {
    hop_by_hop: HopByHop,
    /// The client's half of an upgraded connection.
    tunnel: Option<(Tunnel, http::HeaderValue)>,
}

/// Methods that a route may serve, for who asks for one that none does.
const SERVED: [Method; 7] = [
    Method::GET,
    Method::HEAD,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::OPTIONS,
];

/// Takes the request apart: what ends at this hop goes, what may be in doubt is refused.
fn begin(
    mut request: Request<Incoming>,
    client: Arc<Client>,
    upload: Option<Active>,
    generation: Arc<Generation>,
) -> Begun {
    let trusted = client.is_trusted(&generation.config.trusted_proxies);
    let identity = Identity::of(request.headers(), trusted);
    let version = request.version();
    let sound = forwarding::check_blanks(request.headers(), version);
    forwarding::join_cookies(request.headers_mut(), version);
    let refusal = sound.and_then(|()| admit(&mut request, &generation)).err();
    let upgrade = forwarding::asked_protocol(request.headers());
    let hop_by_hop = forwarding::strip_hop_by_hop(request.headers_mut());
    let tunnel = upgrade
        .filter(|_| hop_by_hop.upgrade && version == http::Version::HTTP_11)
        .map(|protocol| (Tunnel::of(&mut request), protocol));
    forwarding::add_forwarded(request.headers_mut(), &client, trusted, &identity, version);

    let limits = &generation.config.limits;
    let (head, body) = request.into_parts();
    let body = Body::client(body, limits.body_idle, limits.max_request_body, (upload, version));
    let mut exchange = Exchange::new(generation, client, head, body, identity.request_id);
    if let Some(refusal) = refusal {
        exchange.is_doubtful = matches!(refusal, Error::BadRequest(_));
        exchange.fail(refusal);
    }
    Begun { exchange, wishes: Wishes { hop_by_hop, tunnel } }
}

/// Refuses what must not be forwarded, and normalises the path.
fn admit(request: &mut Request<Incoming>, generation: &Generation) -> Result<(), Error> {
    let limits = &generation.config.limits;
    admit_target(request.method(), request.uri(), limits)?;
    let normal = match router::normalise(request.uri().path()) {
        Ok(Cow::Borrowed(_)) => None,
        Ok(Cow::Owned(normal)) => Some(normal),
        Err(_) => {
            return Err(Error::BadRequest("the path is not well-formed or leaves its root"));
        }
    };
    if request.headers().len() > limits.max_headers {
        return Err(Error::TooManyHeaders { limit: limits.max_headers });
    }
    forwarding::check_framing(request.headers())?;
    forwarding::settle_length(request.headers_mut())?;
    forwarding::check_loop(request.headers())?;
    forwarding::settle_host(request)?;
    // The library bounds heads of HTTP/1.1 as they come.
    if request.version() == http::Version::HTTP_2
        && forwarding::list_size(request.headers()) > limits.max_header_bytes
    {
        return Err(Error::HeadTooLarge { limit: limits.max_header_bytes });
    }
    if let Some(limit) = limits.max_request_body
        && request.body().size_hint().lower() > limit
    {
        return Err(Error::BodyTooLarge { limit });
    }
    if let Some(normal) = normal {
        let target = match request.uri().query() {
            Some(query) => format!("{normal}?{query}"),
            None => normal,
        };
        let target = target.parse().map_err(|_| Error::BadRequest("the path is not one"))?;
        *request.uri_mut() = target;
    }
    Ok(())
}

/// Refuses what no route is asked about; the path is still as it came.
pub(crate) fn admit_target(method: &Method, uri: &http::Uri, limits: &Limits) -> Result<(), Error> {
    if !forwarding::is_forwarded(method) {
        return Err(Error::MethodNotAllowed { allow: SERVED.to_vec() });
    }
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    if target.len() > limits.max_uri_bytes {
        return Err(Error::UriTooLong { limit: limits.max_uri_bytes });
    }
    if uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS) {
        return Err(Error::BadRequest("the target's scheme is not http or https"));
    }
    if !uri.path().starts_with('/') && !is_server_wide(method, uri) {
        return Err(Error::BadRequest("the target is not a path"));
    }
    Ok(())
}

/// Finds the route, or answers that there is none, or that it is to be found by https.
pub(crate) fn choose_route(exchange: &mut Exchange) {
    if !exchange.is_answered() {
        server_wide::answer(exchange);
    }
    if !exchange.is_answered() {
        https::redirect(exchange);
    }
    if exchange.is_answered() {
        return;
    }
    let request = &exchange.request;
    let head = Head {
        host: request.headers.get(HOST).and_then(|host| host.to_str().ok()),
        method: &request.method,
        path: request.uri.path(),
        query: request.uri.query(),
        headers: &request.headers,
    };
    let found = match exchange.generation.router.find(head) {
        Ok(found) => Ok((Arc::clone(found.route), found.params)),
        Err(NoRoute::NotFound) => Err(Error::RouteNotFound),
        Err(NoRoute::MethodNotAllowed(allow)) => Err(Error::MethodNotAllowed { allow }),
    };
    match found {
        Ok((route, params)) => exchange.enter(route, params),
        Err(error) => exchange.fail(error),
    }
}

/// The request of an exchange that no connection has, as an upstream would get it.
///
/// # Errors
///
/// It cannot go on.
pub(crate) fn outgoing(exchange: &mut Exchange, route: &Route) -> Result<Request<Body>, Error> {
    outgoing::hooked(exchange, route, &Wishes::default())
}

/// The chain on the way in: next, respond or fail.
async fn ask_plugins(exchange: Exchange) -> Exchange {
    match &exchange.route {
        Some(route) if !route.chain.links().is_empty() => {
            let route = Arc::clone(route);
            route.chain.on_request(exchange).await
        }
        _ => exchange,
    }
}

/// The chain on the way out, in reverse.
async fn show_plugins(exchange: Exchange) -> Exchange {
    match &exchange.route {
        Some(route) if exchange.reached > 0 => {
            let route = Arc::clone(route);
            route.chain.on_response(exchange).await
        }
        _ => exchange,
    }
}
