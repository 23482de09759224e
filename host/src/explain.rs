//! What the gateway would do with a request, in words.

mod action;
mod reasons;

use std::{fmt::Write, net::SocketAddr};

use http::{HeaderMap, Method, Uri, header::HOST, uri::Scheme};

use crate::{
    config::{Config, Isolation, OnError, Route, Use, UseLimits, shown_match, written_size},
    error::methods,
    gateway::{admit_target, is_server_wide},
    problem,
    router::{Head, NoRoute, Params, Router, normalise},
};

/// How many of the routes that do not take the request are told of.
const MOST_OTHERS: usize = 10;

/// Width of the names in front of values.
const INDENT: usize = 12;

/// Tells which route takes a request and why the others do not, what its plugins may do, and
/// where it ends. Sends nothing.
///
/// `url` is a URL or only a path; `headers` may have a `host` that goes before the URL's.
///
/// # Errors
///
/// `url` is none, or one that the gateway refuses.
pub fn explain(
    config: &Config,
    method: &Method,
    url: &str,
    headers: &HeaderMap,
) -> Result<String, String> {
    let uri: Uri = url
        .parse()
        .map_err(|error| format!("{url:?} is not a URL ({error}); a path alone begins with `/`"))?;
    admit_target(method, &uri, &config.limits).map_err(|error| {
        format!("{method} {url:.80} is answered with {}: {error}", problem::status(&error))
    })?;
    // Says more of a path than the client is told.
    let normal = normalise(uri.path());
    let normal = normal.map_err(|error| format!("{url:?} is answered with 400: {error}"))?;
    let path = normal.as_ref();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| uri.authority().map(|authority| authority.as_str()));
    let head = Head { host, method, path, query: uri.query(), headers };

    let mut text = String::new();
    line(&mut text, "request", &request_line(&head));
    if is_server_wide(method, &uri) {
        line(&mut text, "answer", "204, with the methods that routes may serve");
        return Ok(text);
    }
    if let Some((listener, status)) = redirecting(config, &uri) {
        let answer = format!("{status} of {listener} sends it to https before any route");
        line(&mut text, "listener", &answer);
    }
    if path != uri.path() {
        line(&mut text, "normalised", &format!("from {}", uri.path()));
    }
    let indices = config.routes.iter().enumerate();
    let matches = indices.map(|(index, route)| (route.matching.clone(), index)).collect();
    let router = Router::new(matches).map_err(|_| "the routes conflict".to_owned())?;
    let taken = match router.find(head) {
        Ok(found) => {
            tell_route(&mut text, config, &config.routes[*found.route], &head, &found.params);
            Some(*found.route)
        }
        Err(no_route) => {
            line(&mut text, "route", "none");
            line(&mut text, "answer", &refusal(&no_route));
            None
        }
    };
    tell_others(&mut text, config, taken, &head);
    Ok(text)
}

/// The listener that redirects a URL of `http`, with the status: the one at its port. Where it names
/// none and nobody listens at 80, something leads there from outside: any that redirects is meant.
fn redirecting(config: &Config, uri: &Uri) -> Option<(SocketAddr, u16)> {
    if uri.scheme() != Some(&Scheme::HTTP) {
        return None;
    }
    let at = |port| config.listeners.iter().find(move |it| it.address.port() == port);
    let listener = match uri.port_u16() {
        Some(port) => at(port),
        None => {
            at(80).or_else(|| config.listeners.iter().find(|it| it.redirect_to_https.is_some()))
        }
    }?;
    Some((listener.address, listener.redirect_to_https?.status.as_u16()))
}

fn request_line(head: &Head<'_>) -> String {
    let query = head.query.map_or_else(String::new, |query| format!("?{query}"));
    let host = head.host.map_or_else(|| " without a host".to_owned(), |host| format!(" at {host}"));
    format!("{} {}{query}{host}", head.method, head.path)
}

fn refusal(no_route: &NoRoute) -> String {
    match no_route {
        NoRoute::NotFound => "404 route-not-found".to_owned(),
        NoRoute::MethodNotAllowed(allow) => {
            format!("405 method-not-allowed; allowed: {}", methods(allow))
        }
    }
}

fn tell_route(text: &mut String, config: &Config, route: &Route, head: &Head<'_>, params: &Params) {
    let place = config.document.place(&route.at);
    let file = config.document.file();
    line(text, "route", &format!("{} ({} at {file}:{place})", route.name, route.at));
    line(text, "matched by", &reasons::describe(&shown_match(&config.document, route)));
    let names = route.matching.path.names();
    let pairs = params.iter(names, head.path).map(|(name, value)| format!("{name} = {value}"));
    lines(text, "parameters", pairs);
    if route.plugins.is_empty() {
        line(text, "plugins", "none");
    }
    for (position, &index) in route.plugins.iter().enumerate() {
        tell_use(text, config, position + 1, &config.uses[index]);
    }
    action::tell(text, config, route, (head.path, head.query), params);
    let timeout = match route.timeout {
        Some(timeout) => format!("{timeout:?} for the whole exchange"),
        None if route.plugins.is_empty() => "none for the whole exchange".to_owned(),
        None => "none for the whole exchange; 60s each way for the plugins together".to_owned(),
    };
    line(text, "timeout", &timeout);
}

fn tell_use(text: &mut String, config: &Config, position: usize, use_: &Use) {
    let place = config.document.place(&use_.at);
    let name = if position == 1 { "plugins" } else { "" };
    let title = format!("{position}. {} ({})", use_.name, use_.component);
    line(text, name, &format!("{title} at {}:{place}", config.document.file()));
    let on_error = match use_.on_error {
        OnError::Reject => "if it fails: 503",
        OnError::Skip => "if it fails: goes on without it",
    };
    line(text, "", &format!("   {on_error}"));
    let mut grants = Vec::new();
    if !use_.grants.upstreams.is_empty() {
        grants.push(format!("upstreams {}", use_.grants.upstreams.join(", ")));
    }
    if !use_.grants.stores.is_empty() {
        grants.push(format!("stores {}", use_.grants.stores.join(", ")));
    }
    grants.extend(use_.grants.request_body.then(|| "request body".to_owned()));
    grants.extend(use_.grants.response_body.then(|| "response body".to_owned()));
    grants.extend(use_.grants.cache.then(|| "cache".to_owned()));
    let grants = if grants.is_empty() { "nothing".to_owned() } else { grants.join("; ") };
    line(text, "", &format!("   may use: {grants}"));
    tell_limits(text, &use_.limits, Subject::Plugin);
    tell_containment(text, use_);
}

/// Whose limits are told: not every one is a component's.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Subject {
    Plugin,
    Component,
}

/// By their names in the file.
fn tell_limits(text: &mut String, limits: &UseLimits, subject: Subject) {
    let of_run = format!(
        "cpu {:?}, timeout {:?}, memory {}, table {}",
        limits.cpu,
        limits.timeout,
        written_size(limits.memory as u64),
        limits.table
    );
    line(text, "", &format!("   limits: {of_run}"));
    let UseLimits { max_instances, calls, log_lines, .. } = limits;
    let of_use = format!("max_instances {max_instances}, calls {calls}, log_lines {log_lines}/s");
    line(text, "", &format!("           {of_use}"));
    if subject == Subject::Plugin {
        let of_exchange = format!(
            "max_body {}, attributes {}, attribute_bytes {}, series {}",
            written_size(limits.max_body),
            limits.attributes,
            written_size(limits.attribute_bytes as u64),
            limits.series
        );
        line(text, "", &format!("           {of_exchange}"));
    }
}

/// What is not as by default.
fn tell_containment(text: &mut String, use_: &Use) {
    if use_.isolation == Isolation::Request {
        line(text, "", "   isolation: a fresh instance for each hook");
    }
    if use_.quarantine.is_none() {
        line(text, "", "   quarantine: none");
    }
    if let Some(canary) = &use_.canary {
        let share = (canary.share * 10_000.0).round() / 100.0;
        let kind = if canary.shadow { "as a shadow, which only watches" } else { "instead of it" };
        let component = &canary.component;
        line(text, "", &format!("   canary: {component} for {share}% of the clients, {kind}"));
    }
}

/// Those that come closest first: routes of the same host and path, then of the same path.
fn tell_others(text: &mut String, config: &Config, taken: Option<usize>, head: &Head<'_>) {
    let others = config.routes.iter().enumerate().filter(|(index, _)| Some(*index) != taken);
    let mut others: Vec<_> = others
        .filter_map(|(_, route)| {
            let shown = shown_match(&config.document, route);
            Some((reasons::why_not(&route.matching, &shown, head)?, route))
        })
        .collect();
    others.sort_by_key(|(reason, _)| reason.distance);
    if others.is_empty() {
        return;
    }
    text.push_str("\nother routes\n");
    let width = others.iter().take(MOST_OTHERS).map(|(_, route)| route.name.chars().count()).max();
    let width = width.unwrap_or_default();
    for (reason, route) in others.iter().take(MOST_OTHERS) {
        _ = writeln!(text, "  {:width$}  {}", route.name, reason.text);
    }
    if others.len() > MOST_OTHERS {
        _ = writeln!(text, "  and {} more", others.len() - MOST_OTHERS);
    }
}

fn line(text: &mut String, name: &str, value: &str) {
    // Writing to a string cannot fail.
    _ = writeln!(text, "{name:INDENT$}{value}");
}

/// The name in front of the first value only.
fn lines(text: &mut String, name: &str, values: impl Iterator<Item = String>) {
    for (position, value) in values.enumerate() {
        line(text, if position == 0 { name } else { "" }, &value);
    }
}

#[cfg(test)]
mod tests;
