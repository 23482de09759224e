//! Why a route does or does not match a request.

use http::Method;

use crate::router::{Head, Match};

/// Why a route does not take a request.
pub(super) struct Reason {
    /// How early it fails; less is closer.
    pub(super) distance: u8,
    pub(super) text: String,
}

/// What `matching` asks for, in one line: the conditions as they may be shown.
pub(super) fn describe(matching: &Match) -> String {
    let mut parts = Vec::new();
    if !matching.hosts.is_empty() {
        parts.push(format!("host {}", hosts(matching)));
    }
    parts.push(format!("path {}", matching.path));
    if !matching.methods.is_empty() {
        parts.push(format!("method {}", methods(matching)));
    }
    let headers = matching.headers.iter();
    parts.extend(headers.map(|header| format!("header {} {}", header.name, header.value)));
    let query = matching.query.iter();
    parts.extend(query.map(|query| format!("query {} {}", query.name, query.value)));
    parts.join(", ")
}

/// What kept the route from taking the request. `shown`: `matching` without its secrets.
pub(super) fn why_not(matching: &Match, shown: &Match, head: &Head<'_>) -> Option<Reason> {
    let fit = matching.path.fit(head.path);
    let host = head.host.unwrap_or_default();
    if !matching.hosts.is_empty() && !matching.hosts.iter().any(|pattern| pattern.matches(host)) {
        let distance = if fit.is_ok() { 3 } else { 5 };
        return Some(Reason { distance, text: format!("host is not {}", hosts(matching)) });
    }
    if let Err(misfit) = fit {
        let text = match (misfit.wanted, misfit.found.as_deref()) {
            (Some(wanted), Some(found)) => {
                format!("path segment {} is `{found}`, not `{wanted}`", misfit.segment)
            }
            (Some(wanted), None) => format!("path ends before `{wanted}`"),
            (None, Some("") | None) => "path ends with a slash".to_owned(),
            (None, Some(found)) => format!("path goes on with `{found}`"),
        };
        let text = format!("{text} ({})", matching.path);
        return Some(Reason { distance: 4, text });
    }
    let text = conditions(matching, shown, head);
    Some(match text {
        Some(text) => Reason { distance: 1, text },
        None if !matching.accepts_method(head.method) => {
            Reason { distance: 0, text: format!("method is not {}", methods(matching)) }
        }
        None => Reason { distance: 0, text: "matches too, but is less specific".to_owned() },
    })
}

/// The first condition that fails.
fn conditions(matching: &Match, shown: &Match, head: &Head<'_>) -> Option<String> {
    let mut headers = matching.headers.iter().zip(&shown.headers);
    if let Some((header, shown)) = headers.find(|(header, _)| !header.accepts(head.headers)) {
        let found = match head.headers.get(&header.name) {
            Some(value) => format!("{value:?}"),
            None => "absent".to_owned(),
        };
        return Some(format!("header {} is {found}, not {}", header.name, shown.value));
    }
    let mut query = matching.query.iter().zip(&shown.query);
    let (query, shown) = query.find(|(query, _)| !query.accepts(head.query))?;
    Some(format!("query {} is not {}", query.name, shown.value))
}

fn hosts(matching: &Match) -> String {
    let hosts: Vec<String> = matching.hosts.iter().map(ToString::to_string).collect();
    hosts.join(" or ")
}

fn methods(matching: &Match) -> String {
    let methods: Vec<&str> = matching.methods.iter().map(Method::as_str).collect();
    methods.join(" or ")
}
