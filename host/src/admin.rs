//! The operator's endpoints, on an address of their own: health, metrics, status, reload.

mod access;
mod connections;
mod gauges;
mod purge;
mod ready;
mod reply;
mod status;

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use http::{HeaderValue, Method, Request, Response, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use self::{
    access::{check_site, is_authorized, unauthorized},
    connections::{Activity, Connections},
    reply::{Reply, json, not_allowed, text},
};
use crate::{
    config::{self, Secret, Secrets},
    gateway::Gateway,
    plugin::Shared,
    reload::{Status, Triggers},
    telemetry::Metrics,
};

/// After an accept that failed: out of file descriptors, most likely, which takes a moment.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// The bound admin socket.
pub(crate) struct Admin {
    socket: std::net::TcpListener,
    address: SocketAddr,
    token: Option<Secret>,
}

/// What an operator sees and steers.
pub(crate) struct Operated {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) reloads: Status,
    pub(crate) triggers: Triggers,
    pub(crate) draining: Arc<AtomicBool>,
}

/// What requests are answered with.
struct Endpoints {
    operated: Operated,
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
    pub(crate) async fn serve(self, operated: Operated) {
        let socket = match TcpListener::from_std(self.socket) {
            Ok(socket) => socket,
            Err(error) => return tracing::error!(%error, "the admin socket cannot be used"),
        };
        let (token, started) = (self.token, Instant::now());
        let endpoints = Arc::new(Endpoints { operated, token, started });
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
        let known = self.token.is_some() && is_authorized(&request, self.token.as_ref());
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
        if self.operated.draining.load(Relaxed) {
            return text(StatusCode::SERVICE_UNAVAILABLE, "draining\n");
        }
        let last = self.operated.reloads.lock().clone();
        let body = ready::of(&self.operated.gateway.current(), last.as_ref());
        text(StatusCode::OK, body)
    }

    fn metrics(&self) -> Reply {
        gauges::set(
            &self.operated.metrics,
            &self.operated.gateway.current(),
            &self.operated.shared,
        );
        let mut reply = Response::new(Full::from(self.operated.metrics.text()));
        let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
        reply.headers_mut().insert(CONTENT_TYPE, kind);
        reply
    }

    fn status(&self) -> Reply {
        let last = self.operated.reloads.lock().clone();
        let draining = self.operated.draining.load(Relaxed);
        let status = status::of(
            &self.operated.gateway.current(),
            last.as_ref(),
            draining,
            self.started.elapsed(),
        );
        json(StatusCode::OK, &status)
    }

    /// What the running generation does by default is in it, and no secret is. It tells more than
    /// names all the same.
    fn config(&self, request: &Request<Incoming>) -> Reply {
        if !is_authorized(request, self.token.as_ref()) {
            return unauthorized();
        }
        let generation = self.operated.gateway.current();
        let schemas = generation.config_schemas();
        json(StatusCode::OK, &config::effective(&generation.config, Secrets::Masked(&schemas)))
    }

    async fn reload(&self, request: &Request<Incoming>) -> Reply {
        if !is_authorized(request, self.token.as_ref()) {
            return unauthorized();
        }
        match self.operated.triggers.reload_now("admin").await {
            Ok(generation) => {
                json(StatusCode::OK, &serde_json::json!({ "generation": generation }))
            }
            Err(faults) => {
                let faults: Vec<_> = faults.lines().collect();
                json(StatusCode::UNPROCESSABLE_ENTITY, &serde_json::json!({ "faults": faults }))
            }
        }
    }
}
