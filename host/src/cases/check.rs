//! What the shape of the file cannot tell: methods, targets, fields, and what excludes what.

use std::collections::HashMap;

use super::{
    file::{Case, Content, Delivery, File, Headers, RequestIn, StandIn, Step, Wanted},
    message, run,
};
use crate::config::{Document, Fault, Faults, Pointer};

pub(super) fn faults(document: &Document, file: &File) -> Vec<Fault> {
    let faults = Faults::new(document);
    let root = Pointer::default();
    upstreams(&faults, &root.key("defaults"), file.defaults.upstreams.iter().flatten());
    let mut names = HashMap::new();
    for (index, case) in file.cases.iter().enumerate() {
        let at = root.key("cases").index(index);
        let Some(case) = case else { continue };
        if let Some(first) = names.insert(case.name.as_str(), at.clone()) {
            let line = document.place(&first).line;
            faults.push(&at.key("name"), format!("the case on line {line} has this name"));
        }
        self::case(&faults, &at, case);
    }
    faults.into_vec()
}

fn case(faults: &Faults<'_>, at: &Pointer, case: &Case) {
    upstreams(faults, at, case.setting.upstreams.iter().flatten());
    step(faults, at, &case.step);
    let own = ["advance", "request", "attributes", "response", "outcome", "expect"];
    let excludes = |key: &str| {
        for other in own.into_iter().filter(|other| faults.document().has(&at.key(other))) {
            faults.push(&at.key(other), format!("cannot stand beside `{key}`"));
        }
    };
    if case.refused.is_some() {
        excludes("refused");
    }
    if let Some(steps) = &case.steps {
        excludes("steps");
        if case.refused.is_some() {
            faults.push(&at.key("steps"), "cannot stand beside `refused`");
        }
        for (index, each) in steps.iter().enumerate() {
            step(faults, &at.key("steps").index(index), each);
        }
    }
}

fn step(faults: &Faults<'_>, at: &Pointer, step: &Step) {
    if let Some(request) = &step.request {
        self::request(faults, &at.key("request"), request);
    }
    if let Some(response) = &step.response {
        let at = at.key("response");
        content(faults, &at, &response.headers, &response.content);
        delivery(faults, &at, &response.content, &response.delivery);
    }
    let Some(expect) = &step.expect else { return };
    let at = at.key("expect");
    if let Some(request) = &expect.request {
        wanted(faults, &at.key("request"), &request.wanted);
    }
    if let Some(response) = &expect.response {
        wanted(faults, &at.key("response"), &response.wanted);
    }
    for (index, call) in expect.calls.iter().flatten().enumerate() {
        wanted(faults, &at.key("calls").index(index), &call.wanted);
    }
}

fn request(faults: &Faults<'_>, at: &Pointer, request: &RequestIn) {
    faults.keep(&at.key("method"), run::method(request.method.as_deref()));
    faults.keep(&at.key("target"), run::target(request.target.as_deref()));
    faults.keep(&at.key("host"), run::host(request.host.as_deref()));
    content(faults, at, &request.headers, &request.content);
    delivery(faults, at, &request.content, &request.delivery);
}

fn upstreams<'f>(
    faults: &Faults<'_>,
    at: &Pointer,
    upstreams: impl Iterator<Item = (&'f String, &'f StandIn)>,
) {
    for (name, stand_in) in upstreams {
        let StandIn::Answers(answers) = stand_in else { continue };
        for (index, answer) in answers.iter().enumerate() {
            let at = at.key("upstreams").key(name).index(index);
            content(faults, &at, &answer.headers, &answer.content);
        }
    }
}

fn content(faults: &Faults<'_>, at: &Pointer, headers: &Headers, content: &Content) {
    message::check(faults, at, headers, content);
}

/// Finds pieces beside a whole body, or beside a length for each.
fn delivery(faults: &Faults<'_>, at: &Pointer, content: &Content, delivery: &Delivery) {
    if delivery.chunks.is_none() {
        return;
    }
    let others = [
        ("body", content.body.is_some()),
        ("json", content.json.is_some()),
        ("base64", content.base64.is_some()),
        ("chunk_bytes", delivery.chunk_bytes.is_some()),
    ];
    for (key, _) in others.into_iter().filter(|(_, is_stated)| *is_stated) {
        faults.push(&at.key(key), "cannot stand beside `chunks`");
    }
}

fn wanted(faults: &Faults<'_>, at: &Pointer, wanted: &Wanted) {
    for name in wanted.headers.keys() {
        faults.keep(&at.key("headers").key(name), message::parse_name(name));
    }
    for (index, name) in wanted.without.iter().enumerate() {
        faults.keep(&at.key("without").index(index), message::parse_name(name));
    }
}
