//! The plugin's own requests, which the test answers.

use super::response::Response;
use super::world;
use crate::http::{Call, CallError};

pub(crate) fn send(call: Call) -> Result<Response, CallError> {
    // The stand-in is taken out while it runs: it may look at the world itself.
    let Some(mut upstream) = world(|world| world.upstream.take()) else {
        return Err(CallError::UnknownUpstream);
    };
    let result = upstream(&call);
    world(|world| world.upstream = Some(upstream));
    result
}

pub(crate) fn send_all(calls: impl Iterator<Item = Call>) -> Vec<Result<Response, CallError>> {
    calls.map(send).collect()
}
