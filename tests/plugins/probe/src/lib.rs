//! Does what its configuration says, step by step, and reports what came of it.
//!
//! What a step finds out goes into the header `x-probe`, a line for each: of the request in the
//! request's hook, so that the upstream sees it, and of the response in the response's hook.

mod config;
mod keep;
mod message;

use tollgate_plugin::{
    Error, Outcome, Phases, Plugin, Request, Response, Verdict, http, log, plugin,
};

use crate::config::{Probe, Reply, Step};
use crate::message::Message;

const REPORT: &str = "x-probe";

#[plugin]
impl Plugin for Probe {
    type Config = Self;

    fn new(config: Self) -> Result<Self, Error> {
        match &config.refuse {
            Some(reason) => Err(Error::new(reason)),
            None => Ok(config),
        }
    }

    fn phases(&self) -> Phases {
        Phases::NONE
            .and_if(!self.request.is_empty(), Phases::REQUEST)
            .and_if(!self.response.is_empty(), Phases::RESPONSE)
            .and_if(self.finish, Phases::FINISH)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict, Error> {
        for step in &self.request {
            if let Step::Respond(reply) = step {
                return respond(reply);
            }
            if let Step::RespondWith(calls) = step {
                return respond_with(calls);
            }
            if let Step::Cache(step) = step
                && let Some(answer) = keep::answer(step, request)?
            {
                match answer {
                    Ok(verdict) => return Ok(verdict),
                    Err(finding) => request.append_header(REPORT, &finding)?,
                }
                continue;
            }
            if let Some(finding) = take(step, &mut Message::Request(request))? {
                request.append_header(REPORT, &finding)?;
            }
        }
        Ok(Verdict::Next)
    }

    fn on_response(&self, request: &mut Request, response: &mut Response) -> Result<(), Error> {
        for step in &self.response {
            if let Some(finding) = take(step, &mut Message::Response(request, response))? {
                response.append_header(REPORT, &finding)?;
            }
        }
        Ok(())
    }

    fn on_finish(&self, request: &mut Request, outcome: &Outcome) {
        let note = request.attribute("note").unwrap_or_default();
        log!(
            Info,
            "finished";
            "id" => &request.id(),
            "note" => &note,
            "status" => &outcome.status.to_string(),
            "request_bytes" => &outcome.request_bytes.to_string(),
            "response_bytes" => &outcome.response_bytes.to_string(),
            "upstream" => outcome.upstream.as_deref().unwrap_or("-"),
            "error" => outcome.error.as_deref().unwrap_or("-"),
        );
    }
}

/// Takes a step; some find something out.
fn take(step: &Step, message: &mut Message<'_>) -> Result<Option<String>, Error> {
    let finding = match step {
        Step::Show(what) => message.show(what),
        Step::SetHeader(name, value) => message::verdict(message.set_header(name, value)),
        Step::AppendHeader(name, value) => message::verdict(message.append_header(name, value)),
        Step::RemoveHeader(name) => message::verdict(message.remove_header(name)),
        Step::SetMethod(method) => message::verdict(message.request().set_method(method)),
        Step::SetTarget(target) => message::verdict(message.request().set_target(target)),
        Step::SetUpstream(name) => message::verdict(message.request().set_upstream(name)),
        Step::SetStatus(status) => message::verdict(message.set_status(*status)),
        Step::SetBody(body) => message::verdict(message.set_body(body)),
        Step::SetAttribute(name, value) => {
            message.request().set_attribute(name, value);
            return Ok(None);
        }
        Step::Call(call) => report(&http::Call::get(&call.upstream, &call.target).send()),
        Step::CallAll(calls) => {
            let results = send_all(calls);
            results.iter().map(report).collect::<Vec<_>>().join(" ")
        }
        Step::Count(metric) => {
            tollgate_plugin::telemetry::count(metric, &[], 1);
            return Ok(None);
        }
        Step::Store(step) => keep::store(step, message.request()),
        Step::Cache(step) => keep::cache(step, message)?,
        Step::Tell(step) => {
            keep::tell(step, message.request());
            return Ok(None);
        }
        Step::Fail(text) => return Err(Error::new(text)),
        Step::Respond(_) | Step::RespondWith(_) => {
            return Err(Error::new("a response cannot be answered"));
        }
    };
    Ok(Some(finding))
}

fn respond(reply: &Reply) -> Result<Verdict, Error> {
    Ok(Verdict::Respond(response(reply)?))
}

fn response(reply: &Reply) -> Result<Response, Error> {
    let mut response = Response::new(reply.status);
    for (name, value) in &reply.headers {
        response.append_header(name, value)?;
    }
    response.set_body(&reply.body)?;
    Ok(response)
}

/// The first call's own response goes on; those of several are joined by commas.
fn respond_with(calls: &[config::Call]) -> Result<Verdict, Error> {
    if let [call] = calls {
        return Ok(Verdict::Respond(http::Call::get(&call.upstream, &call.target).send()?));
    }
    let mut bodies = Vec::new();
    for result in send_all(calls) {
        bodies.push(match result {
            Ok(response) => String::from_utf8_lossy(&response.body()?).into_owned(),
            Err(error) => error.to_string(),
        });
    }
    let mut response = Response::new(200);
    response.set_body(bodies.join(","))?;
    Ok(Verdict::Respond(response))
}

fn send_all(calls: &[config::Call]) -> Vec<Result<Response, http::CallError>> {
    http::send_all(calls.iter().map(|call| http::Call::get(&call.upstream, &call.target)))
}

fn report(result: &Result<Response, http::CallError>) -> String {
    match result {
        Ok(response) => response.status().to_string(),
        Err(http::CallError::NotGranted) => "not-granted".to_owned(),
        Err(http::CallError::UnknownUpstream) => "unknown-upstream".to_owned(),
        Err(http::CallError::Invalid(_)) => "invalid".to_owned(),
        Err(http::CallError::TimedOut) => "timed-out".to_owned(),
        Err(http::CallError::Unreachable(_)) => "unreachable".to_owned(),
        Err(http::CallError::Protocol(_)) => "protocol".to_owned(),
    }
}
