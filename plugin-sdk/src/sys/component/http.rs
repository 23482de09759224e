//! The plugin's own requests.

use super::bindings::tollgate::plugin::{http_client, types};
use super::message::Response;
use super::millis;
use crate::http::{Call, CallError};

pub(crate) fn send(call: Call) -> Result<Response, CallError> {
    http_client::send(&wire_call(call)).map(Response).map_err(call_error)
}

pub(crate) fn send_all(calls: impl Iterator<Item = Call>) -> Vec<Result<Response, CallError>> {
    let calls: Vec<_> = calls.map(wire_call).collect();
    let results = http_client::send_all(&calls);
    results.into_iter().map(|result| result.map(Response).map_err(call_error)).collect()
}

fn wire_call(call: Call) -> http_client::Call {
    http_client::Call {
        upstream: call.upstream,
        method: call.method,
        target: call.target,
        headers: call
            .headers
            .into_iter()
            .map(|field| types::Field { name: field.name, value: field.value })
            .collect(),
        body: call.body,
        timeout_ms: millis(call.timeout),
    }
}

fn call_error(error: http_client::CallError) -> CallError {
    match error {
        http_client::CallError::NotGranted => CallError::NotGranted,
        http_client::CallError::UnknownUpstream => CallError::UnknownUpstream,
        http_client::CallError::Invalid(why) => CallError::Invalid(why),
        http_client::CallError::TimedOut => CallError::TimedOut,
        http_client::CallError::Unreachable(why) => CallError::Unreachable(why),
        http_client::CallError::Protocol(why) => CallError::Protocol(why),
    }
}
