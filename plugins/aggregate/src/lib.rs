//! Asks several upstreams at once and answers with one JSON object.

mod config;
mod freshness;
mod json;
#[cfg(test)]
mod tests;

use tollgate_plugin::http::{self, CallError};
use tollgate_plugin::{Error, Need, Plugin, Problem, Request, Response, Verdict, log, plugin};

use crate::config::{Aggregate, Call};
use crate::freshness::Freshness;

/// Counts how many aggregates have led to a request, since one may lead to itself.
const DEPTH: &str = "x-tollgate-depth";
const MAX_DEPTH: u8 = 5;

/// Why a call has nothing for the answer. Only the log learns more than the client.
enum Failure {
    TimedOut,
    Failed(String),
}

#[plugin(schema = "config.schema.json")]
impl Plugin for Aggregate {
    type Config = Self;

    const NEEDS: &'static [Need] = &[Need::Upstreams];

    fn new(config: Self) -> Result<Self, Error> {
        Error::if_any(&config.faults())?;
        Ok(config)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict, Error> {
        let Some(depth) = depth(request).filter(|&depth| depth < MAX_DEPTH) else {
            return Ok(Problem::new(508, "loop-detected", "The request has led to itself").into());
        };
        let depth = (depth + 1).to_string();
        let mut calls = Vec::with_capacity(self.calls.len());
        for call in &self.calls {
            let Some(wire) = call.wire(request, &depth) else {
                return Ok(Problem::new(400, "bad-request", "The request lacks a value")
                    .detail(format!("The call `{}` cannot be made without it.", call.name))
                    .into());
            };
            calls.push(wire);
        }

        let mut body = String::from("{");
        let mut partial = Vec::new();
        let mut freshness = Freshness::new();
        for (i, (call, result)) in self.calls.iter().zip(http::send_all(calls)).enumerate() {
            if i > 0 {
                body.push(',');
            }
            json::write_key(&call.name, &mut body);
            let failure = match call.write(result, &mut body, &mut freshness) {
                Ok(()) => continue,
                Err(failure) => failure,
            };
            log!(Warn, "a call failed: {}", failure.reason(); "call" => &call.name);
            if call.required {
                return Ok(failure.problem(&call.name));
            }
            freshness.add_failed();
            body.push_str(&call.default.to_string());
            partial.push(call.name.as_str());
        }
        body.push('}');

        let mut response = Response::new(200);
        response.set_header("content-type", "application/json")?;
        response.set_header("cache-control", &freshness.to_header())?;
        let vary = self.vary();
        if !vary.is_empty() {
            response.set_header("vary", &vary)?;
        }
        if !partial.is_empty() {
            response.set_header("x-aggregate-partial", &partial.join(", "))?;
        }
        response.set_body(body)?;
        Ok(Verdict::Respond(response))
    }
}

impl Aggregate {
    /// The headers that go along with any call: the answer depends on them.
    fn vary(&self) -> String {
        let mut names: Vec<&str> =
            self.calls.iter().flat_map(|call| &call.headers).map(|name| name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names.join(", ")
    }
}

impl Call {
    /// The call for this request; `None` without a value that it needs.
    fn wire(&self, request: &Request, depth: &str) -> Option<http::Call> {
        let target = self.target.render_target(request)?;
        let mut call = http::Call::new(&self.upstream, &self.method, &target)
            .header("accept", "application/json")
            .header(DEPTH, depth)
            .timeout(self.timeout.get());
        for name in &self.headers {
            call.headers.retain(|field| field.name != name.as_str());
            for line in request.header_lines(name.as_str()) {
                call = call.header(name.as_str(), &line);
            }
        }
        Some(call)
    }

    /// Writes what is taken of the response, and nothing if that fails.
    fn write(
        &self,
        result: Result<Response, CallError>,
        text: &mut String,
        freshness: &mut Freshness,
    ) -> Result<(), Failure> {
        let response = result.map_err(|error| match error {
            CallError::TimedOut => Failure::TimedOut,
            error => Failure::Failed(error.to_string()),
        })?;
        if !(200..300).contains(&response.status()) {
            return Err(Failure::Failed(format!("the status is {}", response.status())));
        }
        let body = response.body().map_err(|error| match error {
            tollgate_plugin::BodyError::TimedOut => Failure::TimedOut,
            error => Failure::Failed(error.to_string()),
        })?;
        let failed = |why: &str| Failure::Failed(why.to_owned());
        if self.pointer.is_empty()
            && !self.drop.is_empty()
            && json::copy_without(&body, &self.drop, text)
        {
            freshness.add(&response);
            return Ok(());
        }
        let value = json::parse(&body).ok_or_else(|| failed("the body is not JSON"))?;
        let value = json::point(value, &self.pointer)
            .ok_or_else(|| failed("the body has nothing at `pointer`"))?;
        json::write_without(value, &self.drop, text);
        freshness.add(&response);
        Ok(())
    }
}

impl Failure {
    fn reason(&self) -> &str {
        match self {
            Self::TimedOut => "it timed out",
            Self::Failed(why) => why,
        }
    }

    /// The answer when the call was required.
    fn problem(&self, call: &str) -> Verdict {
        let problem = match self {
            Self::TimedOut => Problem::new(504, "upstream-timeout", "An upstream took too long"),
            Self::Failed(_) => Problem::new(502, "upstream-failed", "An upstream call failed"),
        };
        problem.detail(format!("The call `{call}` failed.")).into()
    }
}

/// How many aggregates have led to this request; `None` if the header says nothing that one of
/// them would have said.
fn depth(request: &Request) -> Option<u8> {
    match request.header(DEPTH) {
        None => Some(0),
        Some(depth) => depth.parse().ok(),
    }
}
