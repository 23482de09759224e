//! One hook call: the exchange goes into an instance's store, the guest runs, the exchange comes
//! back, whatever happened to the guest.

mod chunk;

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use http::Response;
use wasmtime::{PoolConcurrencyLimitError, Trap, component::Resource};

use super::{
    bindings::exports::tollgate::plugin::filter,
    meter::{CpuExceeded, Metered},
    pool::{Instance, Lease},
    quarantine::Stage,
    state::{MemoryExceeded, ResponseHandle, State, TableExceeded},
    trace,
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
    /// A component gave no response, or none that can be sent to a client.
    #[error("{0}")]
    NoResponse(String),
    /// The guest panicked, or broke one of WebAssembly's rules.
    #[error("it trapped: {0}")]
    Trapped(String),
    #[error("{0}")]
    CpuExceeded(String),
    #[error("{0}")]
    MemoryExceeded(String),
    #[error("{0}")]
    TableExceeded(String),
    #[error("it overflowed its stack")]
    StackOverflow,
    /// The use's own limit for one hook.
    #[error("the hook took longer than {0:?}")]
    TimedOut(Duration),
    #[error("the exchange's time was up while it ran")]
    DeadlinePassed,
    /// The use has trapped too often; its guest was not asked.
    #[error("it is in quarantine")]
    Quarantined { retry_after: Duration },
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
    /// The labels in metrics of hooks that ran and failed.
    pub(super) const KINDS: [&'static str; 11] = [
        "failed", "trapped", "cpu", "memory", "table", "stack", "timeout", "deadline", "busy",
        "output", "coding",
    ];

    /// The label in metrics, one of [`Self::KINDS`] or `quarantined`.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Failed(_) | Self::NoResponse(_) => "failed",
            Self::Trapped(_) => "trapped",
            Self::CpuExceeded(_) => "cpu",
            Self::MemoryExceeded(_) => "memory",
            Self::TableExceeded(_) => "table",
            Self::StackOverflow => "stack",
            Self::TimedOut(_) => "timeout",
            Self::DeadlinePassed => "deadline",
            Self::Quarantined { .. } => "quarantined",
            Self::Busy => "busy",
            Self::TooMuch { .. } => "output",
            Self::UnknownCoding => "coding",
        }
    }

    /// Whether the guest broke a rule or a limit: its instance is gone.
    pub(super) fn is_trap(&self) -> bool {
        match self {
            Self::Trapped(_)
            | Self::CpuExceeded(_)
            | Self::MemoryExceeded(_)
            | Self::TableExceeded(_)
            | Self::StackOverflow
            | Self::TimedOut(_) => true,
            Self::Failed(_)
            | Self::NoResponse(_)
            | Self::DeadlinePassed
            | Self::Quarantined { .. }
            | Self::Busy
            | Self::TooMuch { .. }
            | Self::UnknownCoding => false,
        }
    }

    /// The same with what the guest itself has said of its end.
    pub(super) fn said(self, panic: Option<String>) -> Self {
        match (self, panic) {
            (Self::Trapped(_), Some(panic)) => Self::Trapped(panic),
            (error, _) => error,
        }
    }

    pub(super) fn from_engine(error: wasmtime::Error) -> Self {
        Self::of_engine(&error)
    }

    pub(super) fn of_engine(error: &wasmtime::Error) -> Self {
        if error.is::<CpuExceeded>() {
            return Self::CpuExceeded(error.root_cause().to_string());
        }
        if error.is::<MemoryExceeded>() {
            return Self::MemoryExceeded(error.root_cause().to_string());
        }
        if error.is::<TableExceeded>() {
            return Self::TableExceeded(error.root_cause().to_string());
        }
        if error.is::<PoolConcurrencyLimitError>() {
            return Self::Busy;
        }
        match error.downcast_ref::<Trap>() {
            Some(Trap::StackOverflow) => Self::StackOverflow,
            _ => Self::Trapped(trace::reason(error)),
        }
    }
}

impl Use {
    pub(crate) async fn on_request(
        &self,
        exchange: Exchange,
    ) -> (Exchange, Result<Verdict, HookError>) {
        self.contained(exchange, OnRequest).await
    }

    pub(crate) async fn on_response(
        &self,
        exchange: Exchange,
    ) -> (Exchange, Result<(), HookError>) {
        self.contained(exchange, OnResponse).await
    }

    pub(crate) async fn on_finish(
        &self,
        exchange: Exchange,
        outcome: Outcome,
    ) -> (Exchange, Result<(), HookError>) {
        self.contained(exchange, OnFinish(outcome)).await
    }

    /// Runs the hook unless the use is in quarantine.
    async fn contained<H: Hook>(
        &self,
        mut exchange: Exchange,
        hook: H,
    ) -> (Exchange, Result<H::Output, HookError>) {
        let Some(quarantine) = &self.quarantine else {
            return self.run(exchange, hook).await;
        };
        if quarantine.is_active()
            && let Err(refused) = quarantine.admit(&mut exchange)
        {
            return (exchange, Err(self.counted(refused)));
        }
        let (mut exchange, result) = self.run(exchange, hook).await;
        if result.is_err() || quarantine.is_active() {
            quarantine.note(&mut exchange, H::STAGE, result.as_ref().err());
        }
        (exchange, result)
    }

    /// Lends an instance to the hook, within the exchange's deadline.
    async fn run<H: Hook>(
        &self,
        exchange: Exchange,
        hook: H,
    ) -> (Exchange, Result<H::Output, HookError>) {
        let deadline = exchange.deadline;
        let mut lease = match before(deadline, self.lease()).await {
            Some(Ok(lease)) => lease,
            Some(Err(error)) => return (exchange, Err(self.counted(error))),
            None => return (exchange, Err(self.counted(HookError::Busy))),
        };
        let (mut exchange, result) = lease.call(exchange, hook).await;
        self.metrics.duration(H::STAGE).observe(exchange.end_hook().as_secs_f64());
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
        let limit = instance.store.data().settings.limits.timeout;
        let meter = Arc::clone(&instance.store.data().meter);
        meter.reset();
        instance.store.data_mut().exchange = Some(exchange);
        instance.store.data_mut().has_failed_call = false;
        instance.store.set_epoch_deadline(1);
        let returned = {
            let call = pin!(hook.call(instance));
            within(limit, deadline, Metered { call, meter }).await
        };
        let state = self.instance().store.data_mut();
        let exchange = state.exchange.take().expect("nothing takes it but this");
        let result = match returned {
            Ok(Ok(Ok(output))) => H::finish(output, state),
            Ok(Ok(Err(text))) => Err(HookError::Failed(text)),
            Ok(Err(error)) => {
                let said = state.take_panic();
                return (exchange, Err(self.failure(error).said(said)));
            }
            Err(overdue) => return (exchange, Err(overdue)),
        };
        self.spoiled = false;
        (exchange, result)
    }
}

/// `future`'s output, unless `deadline` comes first. No timer is made for what does not wait.
async fn before<F: Future>(deadline: Instant, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    match first_poll(&mut future).await {
        Poll::Ready(output) => Some(output),
        Poll::Pending => tokio::time::timeout_at(deadline.into(), future).await.ok(),
    }
}

/// As [`before`], with a limit of the call's own. It counts from the first wait: what goes before
/// is the guest's CPU time, which has a limit too.
async fn within<F: Future>(
    limit: Duration,
    deadline: Instant,
    future: F,
) -> Result<F::Output, HookError> {
    let mut future = pin!(future);
    match first_poll(&mut future).await {
        Poll::Ready(output) => Ok(output),
        Poll::Pending => {
            let own = Instant::now() + limit;
            let done = tokio::time::timeout_at(own.min(deadline).into(), future).await;
            done.map_err(|_| match own < deadline {
                true => HookError::TimedOut(limit),
                false => HookError::DeadlinePassed,
            })
        }
    }
}

async fn first_poll<F: Future>(future: &mut Pin<&mut F>) -> Poll<F::Output> {
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// What a guest returned: a trap, its own error, or its output.
type Returned<T> = wasmtime::Result<Result<T, String>>;

/// One of the world's hooks.
trait Hook {
    const STAGE: Stage;
    type Raw;
    type Output;
    fn call(self, instance: &mut Instance) -> impl Future<Output = Returned<Self::Raw>> + Send;
    fn finish(raw: Self::Raw, state: &mut State) -> Result<Self::Output, HookError>;
}

struct OnRequest;

impl Hook for OnRequest {
    const STAGE: Stage = Stage::Request;
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
    const STAGE: Stage = Stage::Response;
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
    const STAGE: Stage = Stage::Finish;
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
