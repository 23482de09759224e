//! What a route asks of a request.

use http::{HeaderName, Method};

use super::{Spot, did_you_mean};
use crate::{
    config::file::{ConditionFile, ConditionTableFile, MatchFile},
    forwarding,
    router::{HeaderCondition, Match, QueryCondition, ValueCondition},
};

/// `None` where what is left without its faults would match other requests.
pub(super) fn check(spot: &Spot<'_>, file: &MatchFile) -> Option<Match> {
    let hosts: Vec<_> = spot
        .key("hosts")
        .elements(file.hosts.as_ref())
        .map(|(spot, host)| spot.parse(host))
        .collect();
    let methods: Vec<_> = spot
        .key("methods")
        .elements(file.methods.as_ref())
        .map(|(spot, method)| check_method(&spot, method))
        .collect();
    let headers: Vec<_> = spot
        .key("headers")
        .entries(file.headers.as_ref())
        .map(|(spot, name, value)| check_header(&spot, name, value))
        .collect();
    let query: Vec<_> = spot
        .key("query")
        .entries(file.query.as_ref())
        .map(|(spot, name, value)| {
            Some(QueryCondition { name: name.clone(), value: check_value(&spot, value)? })
        })
        .collect();
    let path = file.path.as_deref().and_then(|path| spot.key("path").parse(path));
    if spot.faults.any_within(&spot.at) {
        return None;
    }
    Some(Match {
        hosts: hosts.into_iter().collect::<Option<_>>()?,
        path: path?,
        methods: methods.into_iter().collect::<Option<_>>()?,
        headers: headers.into_iter().collect::<Option<_>>()?,
        query: query.into_iter().collect::<Option<_>>()?,
    })
}

fn check_method(spot: &Spot<'_>, text: &str) -> Option<Method> {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];
    let capitals = text.to_ascii_uppercase();
    let hint = did_you_mean(text, KNOWN.into_iter());
    match Method::from_bytes(capitals.as_bytes()) {
        Ok(method) if !forwarding::is_forwarded(&method) => spot.fault(format!(
            "never matches: the gateway answers {method} with 405 itself, since {}; leave {method} out",
            why_refused(&method)
        )),
        // RFC 9110 §9.1: names of methods are case-sensitive.
        Ok(_) if capitals != text => spot.fault(format!(
            "no method is called \"{text}\": methods are in capitals, {capitals}"
        )),
        Ok(method) if KNOWN.contains(&text) || hint.is_empty() => return Some(method),
        Ok(_) => spot.fault(format!("no method is called \"{text}\"{hint}")),
        Err(_) => spot.fault(format!("\"{text}\" is not a method")),
    }
    None
}

/// Why no upstream gets the method.
fn why_refused(method: &Method) -> &'static str {
    if *method == Method::TRACE {
        "an upstream's answer would show what it was sent, credentials included"
    } else {
        "it is no proxy that opens tunnels to any host"
    }
}

fn check_header(spot: &Spot<'_>, name: &str, value: &ConditionFile) -> Option<HeaderCondition> {
    let value = check_value(spot, value);
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(name) => Some(HeaderCondition { name, value: value? }),
        Err(_) => {
            spot.fault_at_key("is not a header field name");
            None
        }
    }
}

fn check_value(spot: &Spot<'_>, file: &ConditionFile) -> Option<ValueCondition> {
    match file {
        ConditionFile::Exact(exact) => Some(ValueCondition::Exact(exact.clone())),
        ConditionFile::Table(table) => check_table(spot, table),
    }
}

fn check_table(spot: &Spot<'_>, table: &ConditionTableFile) -> Option<ValueCondition> {
    let count = ["prefix", "regex", "present"].iter().filter(|key| spot.has(key)).count();
    if count != 1 {
        // A misspelt key is fault enough.
        if !spot.faults.any_at(&spot.at) {
            spot.fault("must have exactly one of `prefix`, `regex` and `present`");
        }
        return None;
    }
    if let Some(prefix) = &table.prefix {
        return Some(ValueCondition::Prefix(prefix.clone()));
    }
    if let Some(source) = &table.regex {
        let regex = ValueCondition::regex(source);
        // The last line says what is wrong, those before it draw where.
        let reason = regex.map_err(|error| {
            let text = error.to_string();
            let reason = text.lines().last().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason).to_owned();
            format!("is not a regular expression: {reason}")
        });
        return spot.key("regex").keep(reason);
    }
    table.present.map(ValueCondition::Present)
}
