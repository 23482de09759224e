//! How a route would end.

use super::{Subject, line, lines, tell_limits};
use crate::{
    config::{
        Action, Config, Forward, PathRewrite, Protocol, Route, Service, Template, Upstream,
        shown_field, without_passwords, without_prefix, written_size,
    },
    router::Params,
};

pub(super) fn tell(
    text: &mut String,
    config: &Config,
    route: &Route,
    (path, query): (&str, Option<&str>),
    params: &Params,
) {
    let names = route.matching.path.names();
    let value = |name: &str| params.get(names, name, path).unwrap_or_default();
    let render = |template: &Template| template.render(value);
    match &route.action {
        Action::Forward(forward) => {
            tell_forward(text, config, forward, &rewrite(&forward.path, path, &render));
        }
        Action::Component(index) => tell_service(text, config, &config.services[*index]),
        Action::Nothing => line(text, "end", "its plugins answer; 404 where none does"),
        Action::Redirect { status, location } => {
            let location = without_passwords(&location.render_location(query, value));
            line(text, "redirect", &format!("{} to {location}", status.as_u16()));
        }
        Action::Respond { status, headers, body } => {
            let size = written_size(body.len() as u64);
            line(text, "respond", &format!("{} with a body of {size}", status.as_u16()));
            let fields = headers.iter();
            lines(
                text,
                "",
                fields.map(|(name, value)| {
                    let (name, value) = (name.as_str(), value.as_bytes());
                    format!("{name}: {}", shown_field(&config.document, route, name, value))
                }),
            );
        }
    }
}

fn tell_service(text: &mut String, config: &Config, service: &Service) {
    let place = config.document.place(&service.at);
    let (name, source) = (&service.name, &service.component);
    let at = format!("{}:{place}", config.document.file());
    line(text, "component", &format!("{name} ({source}) at {at}"));
    let grants = match service.upstreams.as_slice() {
        [] => "nothing".to_owned(),
        names => format!("upstreams {}", names.join(", ")),
    };
    line(text, "", &format!("   may use: {grants}"));
    tell_limits(text, &service.limits, Subject::Component);
}

fn tell_forward(text: &mut String, config: &Config, forward: &Forward, path: &str) {
    line(text, "upstream", &forward.upstream);
    line(text, "", &format!("path {path}"));
    let host = forward.host.as_ref().map_or("the client's", |host| host.as_str());
    line(text, "", &format!("host {host}"));
    if let Some(upstream) = config.upstreams.get(&forward.upstream) {
        tell_upstream(text, upstream);
    }
}

fn tell_upstream(text: &mut String, upstream: &Upstream) {
    let protocol = match upstream.protocol {
        Protocol::Http1 => "HTTP/1.1",
        Protocol::Http2 => "HTTP/2",
        Protocol::Auto => "HTTP/2 or HTTP/1.1 by ALPN",
    };
    let tls = match &upstream.tls {
        None => "cleartext",
        Some(tls) if tls.verify => "TLS",
        Some(_) => "TLS, not verified",
    };
    line(text, "", &format!("{protocol}, {tls}"));
    let endpoints = upstream.endpoints.iter().map(|endpoint| {
        let host = &endpoint.host;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        format!("endpoint {host}:{}, weight {}", endpoint.port, endpoint.weight)
    });
    lines(text, "", endpoints);
    let timeouts = format!(
        "timeouts: connect {:?}, first_byte {:?}, idle {:?}",
        upstream.connect_timeout, upstream.first_byte_timeout, upstream.idle_timeout
    );
    line(text, "", &timeouts);
}

fn rewrite(rewrite: &PathRewrite, path: &str, render: &impl Fn(&Template) -> String) -> String {
    match rewrite {
        PathRewrite::Keep => path.to_owned(),
        PathRewrite::Replace(template) => render(template),
        PathRewrite::StripPrefix(prefix) => without_prefix(path, prefix).to_owned(),
    }
}
