//! `http-client`: a plugin's own requests, through the upstreams that its use was granted.

use std::{
    io::ErrorKind,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::future::{Either, join_all, ready};
use http::{HeaderMap, Request, Response, StatusCode, Uri, header::HOST, uri::PathAndQuery};
use wasmtime::{Result, component::Resource};

use super::fields;
use crate::{
    body::Body,
    exchange::Chain,
    forwarding,
    plugin::{
        bindings::tollgate::plugin::{
            http_client::{Call, CallError, Host},
            types::{Field, Refused},
        },
        denied::Lack,
        reached::Limit,
        state::{Misuse, ResponseHandle, State},
    },
    upstream::{Patience, Upstream, UpstreamError},
};

/// Calls that are looked at in one go, granted or not: each takes its time, in which the guest is not
/// looked at.
const MAX_AT_ONCE: usize = 1000;

type Answer = Result<Resource<ResponseHandle>, CallError>;

/// A call that may be made: checked, counted, ready to go.
struct Prepared {
    upstream: Arc<Upstream>,
    request: Box<Request<Body>>,
    deadline: Instant,
}

impl Host for State {
    async fn send(&mut self, call: Call) -> Result<Answer> {
        let answer = match self.prepare(call) {
            // Boxed: it is large, and would be moved with each of its callers.
            Ok(prepared) => Box::pin(prepared.send()).await,
            Err(error) => Err(error),
        };
        self.hand_over(answer)
    }

    async fn send_all(&mut self, calls: Vec<Call>) -> Result<Vec<Answer>> {
        if calls.len() > MAX_AT_ONCE {
            return Err(Misuse("more than 1,000 calls are made at once").into());
        }
        let prepared: Vec<_> = calls.into_iter().map(|call| self.prepare(call)).collect();
        let sending = prepared.into_iter().map(|prepared| match prepared {
            // Boxed: they are large, and would be moved with all others.
            Ok(prepared) => Either::Left(Box::pin(prepared.send())),
            Err(error) => Either::Right(ready(Err(error))),
        });
        let answers = join_all(sending).await;
        answers.into_iter().map(|answer| self.hand_over(answer)).collect()
    }
}

impl State {
    fn prepare(&mut self, call: Call) -> Result<Prepared, CallError> {
        if !self.settings.grants.upstreams.contains(&call.upstream) {
            self.denied(Lack::Upstream(&call.upstream));
            return Err(CallError::NotGranted);
        }
        if self.refuses_as_shadow() {
            return Err(CallError::NotGranted);
        }
        let limit = self.settings.limits.calls;
        // All instances of a use share its settings, and an exchange keeps its uses.
        let caller = Arc::as_ptr(&self.settings).addr();
        // There is no deadline, and nobody who could be answered.
        let outside = |_| CallError::Invalid("calls are possible in hooks only".to_owned());
        let exchange = self.exchange_mut().map_err(outside)?;
        if exchange.count_call(caller) > limit {
            self.reached(Limit::Calls);
            let reason = format!("it is beyond the {limit} of an exchange (`limits.calls`)");
            return Err(CallError::Invalid(reason));
        }
        let upstream = exchange.generation.upstreams.get(&call.upstream);
        let upstream = Arc::clone(upstream.ok_or(CallError::UnknownUpstream)?);
        let patience = call.timeout_ms.map(|ms| Duration::from_millis(ms.into()));
        let own = patience.map(|patience| Instant::now() + patience);
        let deadline = own.map_or(exchange.deadline, |own| own.min(exchange.deadline));
        let mut request = request(call, &upstream)?;
        forwarding::identify(request.headers_mut(), &exchange.request.headers);
        Ok(Prepared { upstream, request, deadline })
    }

    fn hand_over(&mut self, answer: Result<Response<Body>, CallError>) -> Result<Answer> {
        self.has_failed_call |= answer.as_ref().map_or(true, |answer| is_error(answer.status()));
        Ok(match answer {
            Ok(response) => Ok(self.own(response)?),
            Err(error) => Err(error),
        })
    }
}

fn is_error(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

impl Prepared {
    async fn send(self) -> Result<Response<Body>, CallError> {
        let patience = Patience { deadline: Some(self.deadline), progress: None };
        let sent = self.upstream.call(self.request, patience).await;
        let mut response = sent.map_err(|error| call_error(&error))?;
        response.body_mut().ask_for_beginning().await;
        Ok(response)
    }
}

fn request(call: Call, upstream: &Upstream) -> Result<Box<Request<Body>>, CallError> {
    let invalid = |reason: String| CallError::Invalid(reason);
    let method = fields::method(&call.method)
        .ok_or_else(|| invalid(format!("`{}` is not a method", call.method)))?;
    let target = PathAndQuery::try_from(call.target.as_str())
        .ok()
        .filter(|_| call.target.starts_with('/'))
        .ok_or_else(|| invalid(format!("`{}` is not a path and query", call.target)))?;
    let mut request = Box::new(Request::new(call.body.map_or(Body::Empty, Body::full)));
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from(target);
    *request.headers_mut() = headers(call.headers)?;
    request.headers_mut().insert(HOST, upstream.host_field.clone());
    Ok(request)
}

fn headers(lines: Vec<Field>) -> Result<HeaderMap, CallError> {
    // As many as there can be: for more than some ten thousands the map makes no room, but panics.
    let mut headers = HeaderMap::with_capacity(lines.len().min(fields::MAX_LINES) + 2);
    for Field { name, value } in lines {
        fields::append(&mut headers, &name, value).map_err(|refused| {
            CallError::Invalid(match refused {
                Refused::Invalid(reason) => reason,
                _ => format!("`{name}` is the gateway's to set"),
            })
        })?;
    }
    Ok(headers)
}

fn call_error(error: &UpstreamError) -> CallError {
    let text = Chain(error).to_string();
    match error {
        UpstreamError::Unreachable { source, .. } if source.kind() == ErrorKind::TimedOut => {
            CallError::TimedOut
        }
        UpstreamError::Full { .. }
        | UpstreamError::TimedOut { .. }
        | UpstreamError::Stalled { .. } => CallError::TimedOut,
        UpstreamError::Unresolved | UpstreamError::Unreachable { .. } => {
            CallError::Unreachable(text)
        }
        UpstreamError::Refused { .. }
        | UpstreamError::Closed { .. }
        | UpstreamError::HeadTooLarge { .. }
        | UpstreamError::Protocol { .. }
        | UpstreamError::TransferCoding { .. }
        | UpstreamError::Lengths { .. }
        | UpstreamError::BrokenUpload { .. }
        | UpstreamError::UnaskedUpgrade => CallError::Protocol(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_with_too_many_fields_is_refused() {
        let line = Field { name: "x-a".into(), value: String::new() };
        for lines in [fields::MAX_LINES + 1, 100_000] {
            let refused = headers(vec![line.clone(); lines]);
            assert!(matches!(refused, Err(CallError::Invalid(_))), "{lines}");
        }
        assert!(headers(vec![line; fields::MAX_LINES]).is_ok());
    }
}
