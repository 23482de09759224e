//! What the gateway calls.

use std::cell::OnceCell;
use std::marker::PhantomData;
use std::time::Duration;

use super::bindings::exports::tollgate::plugin::filter;
use super::bindings::tollgate::plugin::types;
use super::message::{Request, Response};
use crate::configure;
use crate::error::Error;
use crate::plugin::{Need, Outcome, Phases, Plugin};
use crate::verdict::Verdict;

thread_local! {
    /// The instance's plugin, from `configure` on. A component has one thread.
    static PLUGIN: OnceCell<&'static dyn Hooks> = const { OnceCell::new() };
}

/// A plugin whose type has been forgotten, so that one static can hold it.
trait Hooks {
    fn on_request(&self, request: &mut crate::Request) -> Result<Verdict, Error>;
    fn on_request_chunk(
        &self,
        request: &mut crate::Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error>;
    fn on_response(
        &self,
        request: &mut crate::Request,
        response: &mut crate::Response,
    ) -> Result<(), Error>;
    fn on_response_chunk(
        &self,
        request: &mut crate::Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error>;
    fn on_finish(&self, request: &mut crate::Request, outcome: &Outcome);
}

impl<P: Plugin> Hooks for P {
    fn on_request(&self, request: &mut crate::Request) -> Result<Verdict, Error> {
        Plugin::on_request(self, request)
    }
    fn on_request_chunk(
        &self,
        request: &mut crate::Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error> {
        Plugin::on_request_chunk(self, request, chunk, last)
    }
    fn on_response(
        &self,
        request: &mut crate::Request,
        response: &mut crate::Response,
    ) -> Result<(), Error> {
        Plugin::on_response(self, request, response)
    }
    fn on_response_chunk(
        &self,
        request: &mut crate::Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error> {
        Plugin::on_response_chunk(self, request, chunk, last)
    }
    fn on_finish(&self, request: &mut crate::Request, outcome: &Outcome) {
        Plugin::on_finish(self, request, outcome);
    }
}

/// A plugin as the world's `filter` export.
pub struct Component<P>(PhantomData<P>);

impl<P: Plugin> filter::Guest for Component<P> {
    fn describe() -> filter::Manifest {
        filter::Manifest {
            name: P::ABOUT.name.to_owned(),
            version: P::ABOUT.version.to_owned(),
            summary: P::ABOUT.summary.to_owned(),
            config_schema: P::schema(),
            needs: P::NEEDS.iter().map(|&need| need.into()).collect(),
        }
    }

    fn configure(config: String) -> Result<filter::Phases, String> {
        let plugin = configure::configure::<P>(&config).map_err(|error| error.to_string())?;
        let phases = plugin.phases().into();
        // The plugin lives as long as the instance.
        let plugin: &'static P = Box::leak(Box::new(plugin));
        PLUGIN
            .with(|slot| slot.set(plugin))
            .map_err(|_| "an instance is configured once".to_owned())?;
        Ok(phases)
    }

    fn on_request(request: &types::Request) -> Result<filter::Verdict, String> {
        let mut request = taken(request);
        let verdict = plugin()?.on_request(&mut request).map_err(|error| error.to_string())?;
        match verdict {
            Verdict::Next => Ok(filter::Verdict::Next),
            Verdict::Respond(response) => Ok(filter::Verdict::Respond(response.sys.0)),
            Verdict::Problem(problem) => match problem.into_response(&request.id()) {
                Ok(response) => Ok(filter::Verdict::Respond(response.sys.0)),
                Err(error) => Err(error.to_string()),
            },
        }
    }

    fn on_request_chunk(
        request: &types::Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, String> {
        plugin()?
            .on_request_chunk(&mut taken(request), chunk, last)
            .map_err(|error| error.to_string())
    }

    fn on_response(request: &types::Request, response: &types::Response) -> Result<(), String> {
        let mut response = taken_response(response);
        plugin()?.on_response(&mut taken(request), &mut response).map_err(|error| error.to_string())
    }

    fn on_response_chunk(
        request: &types::Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, String> {
        plugin()?
            .on_response_chunk(&mut taken(request), chunk, last)
            .map_err(|error| error.to_string())
    }

    fn on_finish(request: &types::Request, outcome: filter::Outcome) {
        let outcome = Outcome {
            status: outcome.status,
            duration: Duration::from_micros(outcome.duration_us),
            request_bytes: outcome.request_bytes,
            response_bytes: outcome.response_bytes,
            upstream: outcome.upstream,
            error: outcome.error,
        };
        if let Ok(plugin) = plugin() {
            plugin.on_finish(&mut taken(request), &outcome);
        }
    }
}

fn plugin() -> Result<&'static dyn Hooks, String> {
    PLUGIN.with(|slot| slot.get().copied()).ok_or_else(|| "no configuration yet".to_owned())
}

/// The handle of a borrowed request, to be dropped when the hook returns.
fn taken(request: &types::Request) -> crate::Request {
    // SAFETY: the handle is the one that the bindings hold for this call, and taking it leaves them
    // with none, so it is dropped exactly once.
    #[expect(unsafe_code, reason = "the bindings lend the handle only by reference")]
    let request = unsafe { types::Request::from_handle(request.take_handle()) };
    crate::Request { sys: Request(request) }
}

/// The handle of a borrowed response, to be dropped when the hook returns.
fn taken_response(response: &types::Response) -> crate::Response {
    // SAFETY: as in `taken`.
    #[expect(unsafe_code, reason = "the bindings lend the handle only by reference")]
    let response = unsafe { types::Response::from_handle(response.take_handle()) };
    crate::Response { sys: Response(response) }
}

impl From<Need> for filter::Need {
    fn from(need: Need) -> Self {
        match need {
            Need::Upstreams => Self::Upstreams,
            Need::Store => Self::Store,
            Need::RequestBody => Self::RequestBody,
            Need::ResponseBody => Self::ResponseBody,
            Need::Cache => Self::Cache,
        }
    }
}

impl From<Phases> for filter::Phases {
    fn from(phases: Phases) -> Self {
        let flag = |phase, flag| if phases.contains(phase) { flag } else { Self::empty() };
        flag(Phases::REQUEST, Self::REQUEST)
            | flag(Phases::REQUEST_CHUNKS, Self::REQUEST_CHUNKS)
            | flag(Phases::RESPONSE, Self::RESPONSE)
            | flag(Phases::RESPONSE_CHUNKS, Self::RESPONSE_CHUNKS)
            | flag(Phases::FINISH, Self::FINISH)
    }
}
