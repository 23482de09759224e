//! One step: an exchange goes through the plugin's hooks as it does in a gateway that serves, and
//! what came of it is noted.

use std::{collections::BTreeMap, sync::Arc};

use http::{HeaderValue, Method, Request, Response, Uri, header::HOST};

use super::{
    counted, ended,
    file::{Peer, PeerTls, RequestIn, ResponseIn, Step, TlsVersion, VerdictOf},
    lines::Lines,
    message,
    sent::Message,
    standin::{Call, StandIns},
    stores::Kept,
};
use crate::{
    body::{Body, BodyError},
    chain::Link,
    config::UseLimits,
    error::Error,
    exchange::{Chain, Exchange},
    gateway,
    generation::{Generation, Route},
    listener::{Certificate, Client, ClientTls},
    plugin::Outcome,
    telemetry::Metrics,
};

/// Most bytes that are read of a request which goes no further.
const MAX_BODY: u64 = 64 << 20;

/// The id of every exchange.
const ID: &str = "00000000000000000000000000000001";

/// What came of a step.
pub(super) struct Observed {
    pub(super) verdict: VerdictOf,
    /// What was told of each hook that failed, its name first.
    pub(super) failures: Vec<String>,
    pub(super) request: Message,
    /// `None`: the case states no response, and the plugin has made none.
    pub(super) response: Option<Message>,
    pub(super) calls: Vec<Call>,
    pub(super) logs: Vec<String>,
    /// Of what stores are asked for, what there is.
    pub(super) stored: BTreeMap<(String, String), String>,
    /// Of the attributes that are asked for, those that there are.
    pub(super) attributes: Vec<(String, String)>,
    /// What has been counted and observed since the case began.
    pub(super) metrics: BTreeMap<String, f64>,
}

/// Where the steps of a case run.
pub(super) struct Scene<'a> {
    pub(super) generation: Arc<Generation>,
    pub(super) client: Arc<Client>,
    pub(super) stand_ins: &'a StandIns,
    pub(super) stores: Kept,
    pub(super) lines: &'a Lines,
    pub(super) metrics: &'a Metrics,
}

impl Scene<'_> {
    pub(super) async fn run(&self, step: &Step) -> Observed {
        let mut exchange = self.exchange(step);
        gateway::choose_route(&mut exchange);
        let Some(route) = exchange.route.clone() else {
            let failure = "the target does not fit the route's `path`".to_owned();
            return self.observed(step, exchange, vec![failure], VerdictOf::Fail).await;
        };
        let mut failures = Vec::new();
        let mut exchange = route.chain.on_request(exchange).await;
        let verdict = verdict(&mut exchange, &mut failures);
        let request = match verdict {
            VerdictOf::Next => passed_on(&mut exchange, &route).await,
            VerdictOf::Respond | VerdictOf::Fail => as_it_stands(&mut exchange).await,
        };
        note(&mut exchange, &mut failures);
        if !exchange.is_answered() {
            exchange.response = step.response.as_ref().map(of_stated);
        }
        if exchange.is_answered() {
            exchange = route.chain.on_response(exchange).await;
            note(&mut exchange, &mut failures);
        }
        let response = shown(&mut exchange, &mut failures).await;
        let upstream = exchange.upstream.clone();
        let outcome = ended::outcome(step, response.as_ref(), upstream, &failures);
        let exchange = finish(exchange, &route, &outcome, &mut failures).await;
        let observed = self.observed(step, exchange, failures, verdict).await;
        Observed { request, response, ..observed }
    }

    /// An exchange as a hook meets it: on its route, the plugin reached, a response there.
    pub(super) fn prepared(&self, step: &Step) -> Exchange {
        let mut exchange = self.exchange(step);
        gateway::choose_route(&mut exchange);
        exchange.reached = 1;
        exchange.response = step.response.as_ref().map(of_stated);
        exchange
    }

    fn exchange(&self, step: &Step) -> Exchange {
        let default = RequestIn::default();
        let stated = step.request.as_ref().unwrap_or(&default);
        let RequestIn { headers, content, delivery, .. } = stated;
        let (headers, body) = message::delivered(headers, content, delivery);
        let (mut head, ()) = Request::new(()).into_parts();
        head.method = method(stated.method.as_deref()).unwrap_or_default();
        head.uri = target(stated.target.as_deref()).unwrap_or_default();
        head.headers = headers;
        let host = host(stated.host.as_deref());
        head.headers.insert(HOST, host.unwrap_or(HeaderValue::from_static("localhost")));
        let id = HeaderValue::from_static(ID);
        let (generation, client) = (Arc::clone(&self.generation), Arc::clone(&self.client));
        let mut exchange = Exchange::new(generation, client, head, (body, None), id);
        let limits = UseLimits::default();
        for (name, value) in step.attributes.iter().flatten() {
            // More of them than an exchange may have are as little there as in production.
            let _ = exchange.set_attribute(name.clone(), value.clone(), &limits);
        }
        exchange
    }

    async fn observed(
        &self,
        step: &Step,
        exchange: Exchange,
        failures: Vec<String>,
        verdict: VerdictOf,
    ) -> Observed {
        let names = step.expect.iter().flat_map(|expect| expect.attributes.keys());
        let attributes = names
            .filter_map(|name| Some((name.clone(), exchange.attribute(name)?.to_string())))
            .collect();
        Observed {
            verdict,
            failures,
            request: Message::default(),
            response: None,
            calls: self.stand_ins.take_calls(),
            logs: self.lines.take(),
            stored: self.stores.read(step.expect.as_ref()).await,
            attributes,
            metrics: counted::read(self.metrics),
        }
    }
}

/// What the request hook decided.
fn verdict(exchange: &mut Exchange, failures: &mut Vec<String>) -> VerdictOf {
    note(exchange, failures);
    match (failures.is_empty(), exchange.is_answered()) {
        (false, _) => VerdictOf::Fail,
        (true, true) => VerdictOf::Respond,
        (true, false) => VerdictOf::Next,
    }
}

/// Takes down why a hook failed, or why the gateway answered.
fn note(exchange: &mut Exchange, failures: &mut Vec<String>) {
    match exchange.error.take() {
        Some(Error::Plugin { hook, source, .. }) => {
            failures.push(format!("{hook}: {}", Chain(&source)));
        }
        Some(error) => failures.push(Chain(&error).to_string()),
        None => {}
    }
}

/// The request as it goes on, by way of the chunk hooks; what breaks its body off fails the
/// exchange, as in a gateway.
async fn passed_on(exchange: &mut Exchange, route: &Route) -> Message {
    let upstream = exchange.upstream.clone();
    match gateway::outgoing(exchange, route) {
        Ok(request) => {
            let (message, broken) = Message::of_request(request).await;
            if let Some(error) = broken.as_ref().and_then(Error::of_request_body) {
                exchange.fail(error);
            }
            Message { upstream, ..message }
        }
        Err(error) => {
            exchange.fail(error);
            Message::default()
        }
    }
}

/// The request where it goes no further.
async fn as_it_stands(exchange: &mut Exchange) -> Message {
    // What cannot be read is told when it is asked for.
    let _ = exchange.request_body.read(MAX_BODY).await;
    let mut request = Request::new(exchange.request_body.copy());
    *request.method_mut() = exchange.request.method.clone();
    let target = exchange.target.clone().map(Uri::from);
    *request.uri_mut() = target.unwrap_or_else(|| exchange.uri().clone());
    *request.headers_mut() = exchange.request.headers.clone();
    let upstream = exchange.upstream.clone();
    let (message, _) = Message::of_request(request).await;
    Message { upstream, ..message }
}

/// The response as the client gets it, by way of the chunk hooks.
async fn shown(exchange: &mut Exchange, failures: &mut Vec<String>) -> Option<Message> {
    let response = exchange.response.take()?;
    let response = gateway::outgoing_response(exchange, response);
    note(exchange, failures);
    let (message, broken) = Message::of_response(response).await;
    if let Some(BodyError::Plugin { hook, source, .. }) = broken {
        failures.push(format!("{hook}: {}", Chain(&source)));
    }
    Some(message)
}

/// Calls the hook for the end, and sees to it that it is not called again. Nobody is answered
/// otherwise where it fails; the gateway counts that it did.
async fn finish(
    mut exchange: Exchange,
    route: &Route,
    outcome: &Outcome,
    failures: &mut Vec<String>,
) -> Exchange {
    if exchange.reached > 0 && route.chain.wants_finish() {
        let before = failed(route);
        exchange = route.chain.on_finish(exchange, outcome).await;
        let kinds = failed(route).into_iter().filter(|counted| !before.contains(counted));
        failures.extend(kinds.map(|(kind, _)| format!("on-finish: it failed ({kind})")));
    }
    exchange.reached = 0;
    exchange
}

/// How often the route's plugin has failed, by the kind of failure.
fn failed(route: &Route) -> Vec<(&'static str, u64)> {
    let plugins = route.chain.links().iter().filter_map(Link::plugin);
    plugins.flat_map(|plugin| plugin.errors()).collect()
}

fn of_stated(stated: &ResponseIn) -> Response<Body> {
    let ResponseIn { headers, content, delivery, .. } = stated;
    let (headers, body) = message::delivered(headers, content, delivery);
    let mut response = Response::new(body);
    *response.status_mut() = message::status(stated.status);
    *response.headers_mut() = headers;
    response
}

/// The client that a case states.
pub(super) fn client(peer: Option<&Peer>) -> Client {
    let address = peer.and_then(|peer| peer.address);
    let address = address.unwrap_or(std::net::IpAddr::from([127, 0, 0, 1]));
    let tls = peer.and_then(|peer| peer.tls.as_ref()).map(tls);
    Client::new((address, 50_000).into(), tls, None)
}

fn tls(stated: &PeerTls) -> ClientTls {
    ClientTls {
        version: match stated.version {
            Some(TlsVersion::V1_2) => "1.2",
            Some(TlsVersion::V1_3) | None => "1.3",
        },
        server_name: stated.server_name.clone(),
        certificate: stated.certificate.as_ref().map(|certificate| Certificate {
            subject: certificate.subject.clone(),
            alternative_names: certificate.alternative_names.clone(),
            sha256: certificate.sha256.clone(),
        }),
    }
}

pub(super) fn method(text: Option<&str>) -> Result<Method, &'static str> {
    match text.map_or(Ok(Method::GET), |text| Method::from_bytes(text.as_bytes())) {
        Ok(Method::CONNECT) | Err(_) => Err("is not a method that is served"),
        Ok(method) => Ok(method),
    }
}

/// Normalised as a client's is.
pub(super) fn target(text: Option<&str>) -> Result<Uri, &'static str> {
    let text = text.unwrap_or("/");
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    if !path.starts_with('/') {
        return Err("must be a path, and a query if there is one");
    }
    let path = crate::router::normalise(path).map_err(|_| "is not a path that is served")?;
    let target = query.map_or_else(|| path.to_string(), |query| format!("{path}?{query}"));
    target.parse().map_err(|_| "is not a path and query")
}

pub(super) fn host(text: Option<&str>) -> Result<HeaderValue, &'static str> {
    let host = text.unwrap_or("localhost").parse::<http::uri::Authority>();
    host.ok()
        .and_then(|host| HeaderValue::from_str(host.as_str()).ok())
        .ok_or("must be a host, and a port if there is one")
}
