//! One hook call: the exchange goes into an instance's store, the guest runs, the exchange comes
//! back, whatever happened to the guest.

mod chunk;

use std::{pin::pin, sync::Arc, time::Instant};

use http::Response;
use prometheus::Histogram;
use wasmtime::{PoolConcurrencyLimitError, Trap, component::Resource};

use super::{
    bindings::exports::tollgate::plugin::filter,
    meter::{CpuExceeded, Metered},
    pool::{Instance, Lease},
    state::{MemoryExceeded, ResponseHandle, State},
    usage::Use,
};
use crate::{body::Body, exchange::Exchange};

pub(crate) use self::chunk::Side;

/// What a plugin decided about a request.
pub(crate) enum Verdict {
    Next,
    /// Answer now: later plugins and the upstream do not run.
    Respond(Response<Body>),
}

/// Why a hook has no result.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum HookError {
    /// The hook's own `err(text)`; the instance lives on.
    #[error("it said: {0}")]
    Failed(String),
    /// The guest panicked, or broke one of WebAssembly's rules.
    #[error("it trapped: {0}")]
    Trapped(String),
    #[error("{0}")]
    CpuExceeded(String),
    #[error("{0}")]
    MemoryExceeded(String),
    #[error("it overflowed its stack")]
    StackOverflow,
    #[error("the exchange's time was up while it ran")]
    DeadlinePassed,
    /// No instance was free in time, or the process has no room for more.
    #[error("no instance was free")]
    Busy,
    /// A chunk hook returned more than the use's `max_body`.
    #[error("it returned more than {limit} bytes for one chunk")]
    TooMuch { limit: u64 },
    /// A chunk hook could not be shown a body whose content coding nobody can undo.
    #[error("the body has a content coding that is not known")]
    UnknownCoding,
}

impl HookError {
    /// All labels in metrics.
    pub(super) const KINDS: [&'static str; 9] =
        ["failed", "trapped", "cpu", "memory", "stack", "deadline", "busy", "output", "coding"];

    /// The label in metrics, one of [`Self::KINDS`].
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::Trapped(_) => "trapped",
            Self::CpuExceeded(_) => "cpu",
            Self::MemoryExceeded(_) => "memory",
            Self::StackOverflow => "stack",
            Self::DeadlinePassed => "deadline",
            Self::Busy => "busy",
            Self::TooMuch { .. } => "output",
            Self::UnknownCoding => "coding",
        }
    }

    pub(super) fn from_engine(error: wasmtime::Error) -> Self {
        if error.is::<CpuExceeded>() {
            return Self::CpuExceeded(error.root_cause().to_string());
        }
        if error.is::<MemoryExceeded>() {
            return Self::MemoryExceeded(error.root_cause().to_string());
        }
        if error.is::<PoolConcurrencyLimitError>() {
            return Self::Busy;
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => Self::StackOverflow,
            _ => Self::Trapped(one_line(&error)),
        }
    }
}

/// The engine's message with the guest's function names, without the line breaks.
fn one_line(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Use {
    pub(crate) async fn on_request(
        &self,
        exchange: Exchange,
    ) -> (Exchange, Result<Verdict, HookError>) {
        self.run(exchange, &self.metrics.on_request, OnRequest).await
    }

    pub(crate) async fn on_response(
        &self,
        exchange: Exchange,
    ) -> (Exchange, Result<(), HookError>) {
        self.run(exchange, &self.metrics.on_response, OnResponse).await
    }

    pub(crate) async fn on_finish(
        &self,
        exchange: Exchange,
        outcome: Outcome,
    ) -> (Exchange, Result<(), HookError>) {
        self.run(exchange, &self.metrics.on_finish, OnFinish(outcome)).await
    }

    /// Lends an instance to the hook, within the exchange's deadline.
    async fn run<H: Hook>(
        &self,
        exchange: Exchange,
        duration: &Histogram,
        hook: H,
    ) -> (Exchange, Result<H::Output, HookError>) {
        let started = Instant::now();
        let deadline = exchange.deadline;
        let mut lease = match before(deadline, self.lease()).await {
            Some(Ok(lease)) => lease,
            Some(Err(error)) => return (exchange, Err(self.counted(error))),
            None => return (exchange, Err(self.counted(HookError::Busy))),
        };
        let (exchange, result) = lease.call(exchange, hook).await;
        duration.observe(started.elapsed().as_secs_f64());
        (exchange, result.map_err(|error| self.counted(error)))
    }

    fn counted(&self, error: HookError) -> HookError {
        self.metrics.errors.with_label_values(&[self.name(), error.kind()]).inc();
        error
    }
}

impl Lease<'_> {
    async fn call<H: Hook>(
        &mut self,
        exchange: Exchange,
        hook: H,
    ) -> (Exchange, Result<H::Output, HookError>) {
        let deadline = exchange.deadline;
        self.spoiled = true;
        let instance = self.instance();
        let meter = Arc::clone(&instance.store.data().meter);
        meter.reset();
        instance.store.data_mut().exchange = Some(exchange);
        instance.store.set_epoch_deadline(1);
        let returned = {
            let call = pin!(hook.call(instance));
            before(deadline, Metered { call, meter }).await
        };
        let state = self.instance().store.data_mut();
        let exchange = state.exchange.take().expect("nothing takes it but this");
        let result = match returned {
            Some(Ok(Ok(output))) => H::finish(output, state),
            Some(Ok(Err(text))) => Err(HookError::Failed(text)),
            Some(Err(error)) => return (exchange, Err(HookError::from_engine(error))),
            None => return (exchange, Err(HookError::DeadlinePassed)),
        };
        self.spoiled = false;
        (exchange, result)
    }
}

/// `future`'s output, unless `deadline` comes first. No timer is made for what does not wait.
async fn before<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let first = std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx))).await;
    match first {
        std::task::Poll::Ready(output) => Some(output),
        std::task::Poll::Pending => tokio::time::timeout_at(deadline.into(), future).await.ok(),
    }
}

/// What a guest returned: a trap, its own error, or its output.
type Returned<T> = wasmtime::Result<Result<T, String>>;

/// One of the world's hooks.
trait Hook {
    type Raw;
    type Output;
    fn call(self, instance: &mut Instance) -> impl Future<Output = Returned<Self::Raw>> + Send;
    fn finish(raw: Self::Raw, state: &mut State) -> Result<Self::Output, HookError>;
}

struct OnRequest;

impl Hook for OnRequest {
    type Raw = filter::Verdict;
    type Output = Verdict;

    async fn call(self, instance: &mut Instance) -> Returned<filter::Verdict> {
        let Instance { store, plugin } = instance;
        let request = State::request_handle();
        plugin.tollgate_plugin_filter().call_on_request(store, request).await
    }

    fn finish(raw: filter::Verdict, state: &mut State) -> Result<Verdict, HookError> {
        match raw {
            filter::Verdict::Next => Ok(Verdict::Next),
            filter::Verdict::Respond(response) => respond(&response, state),
        }
    }
}

fn respond(response: &Resource<ResponseHandle>, state: &mut State) -> Result<Verdict, HookError> {
    let response =
        state.disown(response).map_err(|misuse| HookError::Trapped(misuse.to_string()))?;
    Ok(Verdict::Respond(response))
}

struct OnResponse;

impl Hook for OnResponse {
    type Raw = ();
    type Output = ();

    async fn call(self, instance: &mut Instance) -> Returned<()> {
        let Instance { store, plugin } = instance;
        let (request, response) = (State::request_handle(), State::response_handle());
        plugin.tollgate_plugin_filter().call_on_response(store, request, response).await
    }

    fn finish((): (), _: &mut State) -> Result<(), HookError> {
        Ok(())
    }
}

pub(crate) use filter::Outcome;

struct OnFinish(Outcome);

impl Hook for OnFinish {
    type Raw = ();
    type Output = ();

    async fn call(self, instance: &mut Instance) -> Returned<()> {
        let Instance { store, plugin } = instance;
        let request = State::request_handle();
        let filter = plugin.tollgate_plugin_filter();
        filter.call_on_finish(store, request, &self.0).await.map(Ok)
    }

    fn finish((): (), _: &mut State) -> Result<(), HookError> {
        Ok(())
    }
}
