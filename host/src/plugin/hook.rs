//! One hook call: the exchange goes into an instance's store, the guest runs, the exchange comes
//! back, whatever happened to the guest.

mod chunk;
mod error;

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::{Duration, Instant},
};

use http::Response;
use wasmtime::component::Resource;

use super::{
    bindings::exports::tollgate::plugin::filter,
    meter::Metered,
    pool::{Instance, Lease},
    quarantine::Stage,
    state::{ResponseHandle, State},
    usage::Use,
};
use crate::{body::Body, exchange::Exchange};

pub(crate) use self::{chunk::Side, error::HookError};

/// What a plugin decided about a request.
pub(crate) enum Verdict {
    Next,
    /// Answer now: later plugins and the upstream do not run.
    Respond(Response<Body>),
}

impl Use {
    pub(crate) fn on_request(
        &self,
        exchange: Exchange,
    ) -> impl Future<Output = (Exchange, Result<Verdict, HookError>)> {
        self.contained(exchange, OnRequest)
    }

    pub(crate) fn on_response(
        &self,
        exchange: Exchange,
    ) -> impl Future<Output = (Exchange, Result<(), HookError>)> {
        self.contained(exchange, OnResponse)
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
        let lease = match self.idle() {
            Some(lease) => Ok(lease),
            None => self.lease_before(exchange.deadline).await,
        };
        let mut lease = match lease {
            Ok(lease) => lease,
            Err(error) => return (exchange, Err(self.counted(error))),
        };
        let (mut exchange, result) = lease.call(exchange, hook).await;
        self.metrics.duration(H::STAGE).observe(exchange.end_hook().as_secs_f64());
        (exchange, result.map_err(|error| self.counted(error)))
    }

    /// A new instance, or the next that is given back.
    async fn lease_before(&self, deadline: Instant) -> Result<Lease<'_>, HookError> {
        // Boxed: it is large, and most hooks need none.
        let lease = Box::pin(self.lease());
        tokio::time::timeout_at(deadline.into(), lease).await.unwrap_or(Err(HookError::Busy))
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
            Ok(Ok(Err(text))) => Err(HookError::failed(&text)),
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

/// `future`'s output, unless `deadline` comes first, or `limit`, which counts from the first wait: what
/// goes before is the guest's CPU time, which has a limit too. No timer is made for what does not wait.
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
