//! The operator's endpoints, on an address of their own: health, metrics, status, reload.

mod connections;
mod purge;
mod status;

use std::{
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN, WWW_AUTHENTICATE},
    uri::Authority,
};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use self::connections::{Activity, Connections};
use crate::{
    config::{self, Secret, Secrets},
    gateway::Gateway,
    generation::Generation,
    plugin::{Quarantine, Shared},
    reload::{Status, Triggers},
    telemetry::Metrics,
};

/// After an accept that failed: out of file descriptors, most likely, which takes a moment.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

type Reply = Response<Full<Bytes>>;

/// The bound admin socket.
pub(crate) struct Admin {
    socket: std::net::TcpListener,
    address: SocketAddr,
    token: Option<Secret>,
}

/// What requests are answered with.
struct Endpoints {
    gateway: Arc<Gateway>,
    metrics: Arc<Metrics>,
    shared: Arc<Shared>,
    reloads: Status,
    triggers: Triggers,
    draining: Arc<AtomicBool>,
    token: Option<Secret>,
    started: Instant,
}

impl Admin {
    pub(crate) fn bind(config: &config::Admin) -> io::Result<Self> {
        let socket = std::net::TcpListener::bind(config.address)?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address, token: config.token.clone() })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves for as long as the process lives, through the drain too.
    pub(crate) async fn serve(
        self,
        gateway: Arc<Gateway>,
        metrics: Arc<Metrics>,
        shared: Arc<Shared>,
        reloads: Status,
        triggers: Triggers,
        draining: Arc<AtomicBool>,
    ) {
        let socket = match TcpListener::from_std(self.socket) {
            Ok(socket) => socket,
            Err(error) => return tracing::error!(%error, "the admin socket cannot be used"),
        };
        let started = Instant::now();
        let token = self.token;
        let endpoints = Arc::new(Endpoints {
            gateway,
            metrics,
            shared,
            reloads,
            triggers,
            draining,
            token,
            started,
        });
        let mut connections = Connections::default();
        loop {
            let (stream, _) = match socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "accept failed on the admin address");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            if !connections.make_room() {
                tracing::warn!("an admin connection was refused: all that are open are answered");
                continue;
            }
            let activity = Activity::default();
            let serving = Arc::clone(&endpoints).serve(stream, activity.clone());
            connections.add(activity, tokio::spawn(serving).abort_handle());
        }
    }
}

impl Endpoints {
    async fn serve(self: Arc<Self>, stream: TcpStream, activity: Activity) {
        let service = service_fn(|request| {
            let (endpoints, activity) = (Arc::clone(&self), activity.clone());
            async move {
                let _answering = activity.begin();
                Ok::<_, Infallible>(endpoints.answer(request).await)
            }
        });
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service)
            .await;
        if let Err(error) = serving {
            tracing::debug!(%error, "an admin connection ended with an error");
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Reply {
        // A page of another site has no token: who shows it may come by any name.
        let known = self.token.is_some() && self.is_authorized(&request);
        if !known && let Err(reason) = check_site(&request) {
            return text(StatusCode::FORBIDDEN, reason);
        }
        match (request.uri().path(), request.method()) {
            ("/livez", &Method::GET | &Method::HEAD) => text(StatusCode::OK, "alive\n"),
            ("/readyz", &Method::GET | &Method::HEAD) => self.ready(),
            ("/metrics", &Method::GET | &Method::HEAD) => self.metrics(),
            ("/status", &Method::GET | &Method::HEAD) => self.status(),
            ("/config", &Method::GET | &Method::HEAD) => self.config(&request),
            ("/reload", &Method::POST) => self.reload(&request).await,
            ("/cache/purge", &Method::POST) => self.purge(request).await,
            ("/reload" | "/cache/purge", _) => not_allowed("POST"),
            ("/livez" | "/readyz" | "/metrics" | "/status" | "/config", _) => {
                not_allowed("GET, HEAD")
            }
            _ => text(
                StatusCode::NOT_FOUND,
                "there are /livez, /readyz, /metrics, /status, /config, POST /reload and POST /cache/purge\n",
            ),
        }
    }

    /// 503 while draining. A reload that was refused does not make it so: what runs is sound.
    fn ready(&self) -> Reply {
        if self.draining.load(Relaxed) {
            return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        let mut body = "ready\n".to_owned();
        if let Some(last) = &*self.reloads.lock()
            && let Err(faults) = &last.outcome
        {
            body.push_str(&format!("degraded: the last reload was refused\n{faults}\n"));
        }
        let generation = self.gateway.current();
        for upstream in generation.upstreams.values().filter(|it| it.addresses().is_empty()) {
            body.push_str(&format!("degraded: upstream `{}` has no address\n", upstream.name));
        }
        for plugin in generation.uses.iter().flat_map(|plugin| plugin.versions()) {
            if plugin.quarantine().is_some_and(Quarantine::is_active) {
                body.push_str(&format!("degraded: plugin `{}` is in quarantine\n", plugin.name()));
            }
        }
        text(StatusCode::OK, body)
    }

    fn metrics(&self) -> Reply {
        let generation = self.gateway.current();
        let metrics = &self.metrics;
        plugin_gauges(metrics, &generation);
        let number = |count| i64::try_from(count).unwrap_or(i64::MAX);
        metrics.upstream_endpoints.reset();
        metrics.upstream_waiting.reset();
        for (name, upstream) in &generation.upstreams {
            let known = number(upstream.addresses().len());
            metrics.upstream_endpoints.with_label_values(&[name, "known"]).set(known);
            metrics.upstream_waiting.with_label_values(&[name]).set(number(upstream.waiting()));
        }
        let cached = self.shared.cache.size();
        metrics.cache_entries.set(number(cached.entries));
        metrics.cache_bytes.set(number(cached.bytes));
        metrics.store_entries.reset();
        metrics.store_bytes.reset();
        for (name, size) in self.shared.stores.sizes() {
            metrics.store_entries.with_label_values(&[&name]).set(number(size.entries));
            metrics.store_bytes.with_label_values(&[&name]).set(number(size.bytes));
        }
        let mut reply = Response::new(Full::from(metrics.text()));
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        reply.headers_mut().insert(CONTENT_TYPE, kind);
        reply
    }

    fn status(&self) -> Reply {
        let last = self.reloads.lock().clone();
        let draining = self.draining.load(Relaxed);
        let status =
            status::of(&self.gateway.current(), last.as_ref(), draining, self.started.elapsed());
        json(StatusCode::OK, &status)
    }

    /// What the running generation does by default is in it, and no secret is. It tells more than
    /// names all the same.
    fn config(&self, request: &Request<Incoming>) -> Reply {
        if !self.is_authorized(request) {
            return unauthorized();
        }
        let generation = self.gateway.current();
        let schemas = generation.config_schemas();
        json(StatusCode::OK, &config::effective(&generation.config, Secrets::Masked(&schemas)))
    }

    async fn reload(&self, request: &Request<Incoming>) -> Reply {
        if !self.is_authorized(request) {
            return unauthorized();
        }
        match self.triggers.reload_now("admin").await {
            Ok(generation) => {
                json(StatusCode::OK, &serde_json::json!({ "generation": generation }))
            }
            Err(faults) => {
                let faults: Vec<_> = faults.lines().collect();
                json(StatusCode::UNPROCESSABLE_ENTITY, &serde_json::json!({ "faults": faults }))
            }
        }
    }

    fn is_authorized(&self, request: &Request<Incoming>) -> bool {
        let Some(Secret(token)) = &self.token else { return true };
        let given = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
        let given = given.and_then(bearer_token).unwrap_or_default();
        aws_lc_rs::constant_time::verify_slices_are_equal(given, token.as_bytes()).is_ok()
    }
}

/// The token of `Bearer TOKEN`; the scheme is in any case (RFC 9110 §11.1).
fn bearer_token(credentials: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = credentials.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then_some(token)
}

/// What plugins have at this moment; several uses can have one name.
fn plugin_gauges(metrics: &Metrics, generation: &Generation) {
    metrics.plugin_instances.reset();
    metrics.plugin_quarantined.reset();
    metrics.plugin_canary_aborted.reset();
    for plugin in generation.uses.iter().flat_map(|plugin| plugin.versions()) {
        let label = [plugin.name()];
        let instances = i64::try_from(plugin.instances()).unwrap_or(i64::MAX);
        metrics.plugin_instances.with_label_values(&label).add(instances);
        let quarantined = plugin.quarantine().is_some_and(|quarantine| quarantine.is_active());
        metrics.plugin_quarantined.with_label_values(&label).add(quarantined.into());
        if let Some(canary) = plugin.canary() {
            let aborted = canary.record().is_aborted();
            metrics.plugin_canary_aborted.with_label_values(&label).add(aborted.into());
        }
    }
    for service in &generation.services {
        let instances = i64::try_from(service.instances()).unwrap_or(i64::MAX);
        metrics.plugin_instances.with_label_values(&[service.name()]).add(instances);
    }
}

/// Refuses what a browser sends on behalf of another site: a foreign `host` (DNS rebinding) or
/// `origin` (cross-site requests).
fn check_site(request: &Request<Incoming>) -> Result<(), &'static str> {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    let host = host.ok_or("a host field is needed\n")?;
    if !is_local_name(host.host()) {
        return Err("the host field is neither an address nor localhost\n");
    }
    let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
    let same = origin.to_str().is_ok_and(|origin| {
        origin.split_once("://").is_some_and(|(_, authority)| authority == host.as_str())
    });
    if same { Ok(()) } else { Err("the origin is another site\n") }
}

fn is_local_name(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Full::new(body.into()));
    *reply.status_mut() = status;
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    reply.headers_mut().insert(CONTENT_TYPE, kind);
    reply
}

fn json(status: StatusCode, body: &serde_json::Value) -> Reply {
    let mut reply = Response::new(Full::from(format!("{body:#}\n")));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    reply
}

fn unauthorized() -> Reply {
    let mut reply = text(StatusCode::UNAUTHORIZED, "a bearer token is needed\n");
    let challenge = HeaderValue::from_static("Bearer realm=\"tollgate admin\"");
    reply.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    reply
}

fn not_allowed(allow: &'static str) -> Reply {
    let mut reply = text(StatusCode::METHOD_NOT_ALLOWED, format!("use {allow}\n"));
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    reply
}
