//! A service: a `wasi:http` component at the end of a route. It answers as an upstream would, each
//! request in an instance of its own, which is there until the guest is done.

mod body;
mod component;
mod engine;
mod middleware;
mod outbound;
mod preview2;
mod preview3;
mod running;
mod state;
mod version;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use http::{HeaderMap, Method, Request, Response, StatusCode, header::CONTENT_LENGTH};
use http_body::Body as _;
use prometheus::{Histogram, IntCounterVec};
use tokio::{sync::oneshot, time::timeout_at};
use wasmtime_wasi_http::WasiBody;

pub use self::component::ServiceComponent;
pub(crate) use self::middleware::{Failed as MiddlewareFailed, Middleware, Suspended};
pub(super) use self::{component::load, engine::Engine};

use self::{
    body::Answered,
    middleware::Next,
    outbound::Caller,
    running::{Outcome, Running},
    state::State,
};
use super::{
    component::Components,
    hook::HookError,
    meter::Metered,
    pool::SETUP_TIMEOUT,
    settings::{SETUP_CPU, Settings},
    usage::Origin,
};
use crate::{
    body::Body,
    config,
    exchange::Bound,
    forwarding,
    generation::Generation,
    telemetry::Metrics,
    worker::{self, PerWorker},
};

/// What metrics and messages call the one call that a service gets.
pub(crate) const HANDLE: &str = "handle";

/// A component with its grants and limits, ready to answer.
pub(crate) struct Service {
    pub(crate) component: Arc<ServiceComponent>,
    pub(crate) origin: Origin,
    engine: Engine,
    settings: Arc<Settings>,
    /// Instances at work, of each worker.
    at_work: PerWorker<Arc<AtomicUsize>>,
    duration: Histogram,
    errors: IntCounterVec,
}

/// A request for a service, with what it may take.
pub(crate) struct Asked {
    /// Its target is absolute, or it has a `host` field.
    pub(crate) request: Request<Body>,
    pub(crate) generation: Arc<Generation>,
    pub(crate) bound: Option<Bound>,
}

/// An instance's place among those of its worker.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Service {
    /// Whether the log may tell another of its failures now.
    pub(crate) fn may_tell_failure(&self) -> bool {
        self.settings.may_tell_failure()
    }

    /// Instantiates the component once, so that one whose start fails is found before it is asked.
    ///
    /// # Errors
    ///
    /// How its start failed.
    pub(crate) async fn new(
        config: &config::Service,
        (component, origin): (Arc<ServiceComponent>, Origin),
        components: &Components,
        metrics: &Metrics,
        workers: usize,
    ) -> Result<Self, HookError> {
        let engine = components.engine().services().map_err(HookError::from_engine)?.clone();
        let duration = metrics.plugin_duration.with_label_values(&[&config.name, HANDLE]);
        let service = Self {
            component,
            origin,
            engine,
            settings: Arc::new(Settings::of_service(config, metrics)),
            at_work: PerWorker::new(workers, Arc::default),
            duration,
            errors: metrics.plugin_errors.clone(),
        };
        service.prove().await?;
        Ok(service)
    }

    pub(crate) fn name(&self) -> &str {
        &self.settings.name
    }

    /// Instances of all workers.
    pub(crate) fn instances(&self) -> usize {
        self.at_work.each().map(|at_work| at_work.load(Relaxed)).sum()
    }

    /// Requests that it failed to answer, for any reason, since the process started.
    pub(crate) fn errors(&self) -> u64 {
        let count = |kind| self.errors.with_label_values(&[self.name(), kind]).get();
        HookError::KINDS.into_iter().map(count).sum()
    }

    async fn prove(&self) -> Result<(), HookError> {
        let mut store = self.engine.store(State::new(&self.settings, None, SETUP_CPU));
        let meter = Arc::clone(&store.data().meter);
        let starting = Metered { call: self.component.version.start(&mut store), meter };
        let started = tokio::time::timeout(SETUP_TIMEOUT, starting).await;
        started
            .unwrap_or_else(|_| Err(wasmtime::Error::msg("it took too long to start")))
            .map_err(|error| self.failure(&error))
    }

    /// The response, as soon as its head is there; the body streams, and the instance lives on
    /// while it does.
    ///
    /// Cancel safe: a guest whose answer nobody waits for any more is ended.
    ///
    /// # Errors
    ///
    /// The guest gave no response, or none that can be sent on.
    pub(crate) async fn answer(
        self: &Arc<Self>,
        asked: Asked,
    ) -> Result<Response<Body>, HookError> {
        let started = Instant::now();
        let answered = self.try_answer(asked).await;
        self.duration.observe(started.elapsed().as_secs_f64());
        answered.inspect_err(|error| self.count(error))
    }

    async fn try_answer(self: &Arc<Self>, asked: Asked) -> Result<Response<Body>, HookError> {
        self.begin(asked, None)?.response().await
    }

    /// Starts the guest on this worker. `next`: what its requests to the handler that it imports
    /// become.
    fn begin(self: &Arc<Self>, asked: Asked, next: Option<Next>) -> Result<Begun, HookError> {
        let place = self.take_place()?;
        let (method, bound) = (asked.request.method().clone(), asked.bound);
        let (head, answer) = oneshot::channel();
        let running = self.run(asked, head, next, place);
        Ok(Begun { service: Arc::clone(self), answer, running, method, bound })
    }

    fn take_place(&self) -> Result<Place, HookError> {
        let at_work = Arc::clone(&self.at_work.own());
        // Only this thread adds to it.
        if at_work.load(Relaxed) >= self.settings.limits.max_instances {
            return Err(HookError::Busy);
        }
        at_work.fetch_add(1, Relaxed);
        Ok(Place(at_work))
    }

    fn run(
        self: &Arc<Self>,
        asked: Asked,
        head: version::Head,
        next: Option<Next>,
        place: Place,
    ) -> Running {
        let (end, outcome) = oneshot::channel();
        let service = Arc::clone(self);
        let (request, caller) = Caller::of(asked);
        let task = worker::spawn(async move {
            let cpu = service.settings.limits.cpu;
            let state = State::new(&service.settings, Some(caller), cpu).with_next(next);
            let mut store = service.engine.store(state);
            let meter = Arc::clone(&store.data().meter);
            let call = service.component.version.serve(&mut store, request, head);
            let outcome: Outcome =
                Metered { call, meter }.await.map_err(|error| service.failure(&error));
            // First the outcome: the response's body ends when the store goes, and whoever reads it
            // must know then whether it has come to its end.
            let _ = end.send(outcome);
            drop(store);
            drop(place);
        });
        Running::new(task.abort_handle(), outcome, Arc::clone(self))
    }

    fn failure(&self, error: &wasmtime::Error) -> HookError {
        self.component.traces.note(self.name(), error);
        HookError::of_engine(error)
    }

    fn count(&self, error: &HookError) {
        self.errors.with_label_values(&[self.name(), error.kind()]).inc();
    }

    /// How long a guest may take for its next step.
    fn patience(&self) -> Duration {
        self.settings.limits.timeout
    }
}

/// A guest that has been asked and has not responded yet. It is ended with this.
struct Begun {
    service: Arc<Service>,
    answer: oneshot::Receiver<Result<Response<WasiBody>, String>>,
    running: Running,
    method: Method,
    bound: Option<Bound>,
}

impl Begun {
    async fn response(mut self) -> Result<Response<Body>, HookError> {
        let (limit, bound) = (self.service.patience(), self.bound);
        let response = within(limit, bound, self.guests_response()).await??;
        self.take_over(response)
    }

    async fn guests_response(&mut self) -> Result<Response<WasiBody>, HookError> {
        match (&mut self.answer).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(said)) => Err(HookError::Failed(said)),
            Err(_) => Err(self.running.failure().await),
        }
    }

    /// Makes the guest's response one that goes to a client.
    fn take_over(mut self, response: Response<WasiBody>) -> Result<Response<Body>, HookError> {
        let (mut head, body) = response.into_parts();
        if head.status.is_informational() {
            let text = format!("its response has the status {}", head.status.as_u16());
            return Err(HookError::NoResponse(text));
        }
        let length = length(&head.headers)?;
        forwarding::strip_hop_by_hop(&mut head.headers);
        let has_none = self.method == Method::HEAD
            || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if has_none || body.is_end_stream() {
            if !has_none && length.is_some_and(|length| length > 0) {
                return Err(HookError::NoResponse("its response has no body, but a length".into()));
            }
            self.running.leave();
            return Ok(Response::from_parts(head, Body::Empty));
        }
        let body = Answered::new(body, length, self.running, self.service.patience(), self.bound);
        Ok(Response::from_parts(head, Body::Changed(Box::pin(body))))
    }
}

/// `future`'s output, unless it takes longer than `limit`, or than its exchange may.
async fn within<F: Future>(
    limit: Duration,
    bound: Option<Bound>,
    future: F,
) -> Result<F::Output, HookError> {
    let own = Instant::now() + limit;
    let until = bound.map_or(own, |bound| bound.at.min(own));
    timeout_at(until.into(), future).await.map_err(|_| match own == until {
        true => HookError::TimedOut(limit),
        false => HookError::DeadlinePassed,
    })
}

/// What `content-length` says.
fn length(headers: &HeaderMap) -> Result<Option<u64>, HookError> {
    let Some(value) = headers.get(CONTENT_LENGTH) else { return Ok(None) };
    let number = value.to_str().ok().and_then(|value| value.parse().ok());
    let wrong =
        || HookError::NoResponse("its response has a `content-length` that is no number".into());
    number.map(Some).ok_or_else(wrong)
}
