//! How a route ends.

use std::borrow::Cow;

use http::{HeaderName, HeaderValue, StatusCode, uri::Authority};

use super::{Spot, services::Services};
use crate::{
    config::{
        Action, Forward, PathRewrite, Template,
        file::{File, RedirectFile, RespondFile, RouteFile},
    },
    router::normalise,
};

/// `names`: the path's parameters; `None` where the path itself has faults.
pub(super) fn check(
    spot: &Spot<'_>,
    route: &RouteFile,
    names: Option<&[String]>,
    file: &File,
    services: &mut Services<'_>,
) -> Option<Action> {
    check_count(spot);
    check_company(spot);
    let forward = route.upstream.as_deref().map(|upstream| {
        super::check_upstream(&spot.key("upstream"), upstream, file.upstreams.as_ref());
        check_forward(spot, route, upstream, names)
    });
    let component = route.component.as_ref();
    let component = component
        .map(|service| services.check(&spot.key("component"), service).map(Action::Component));
    let redirect = route.redirect.as_ref();
    let redirect = redirect.map(|redirect| check_redirect(&spot.key("redirect"), redirect, names));
    let respond = route.respond.as_ref();
    let respond = respond.map(|respond| check_respond(&spot.key("respond"), respond));
    forward.or(component).or(redirect).or(respond).unwrap_or(Some(Action::Nothing))
}

fn check_count(spot: &Spot<'_>) {
    const ENDS: [&str; 4] = ["upstream", "component", "redirect", "respond"];
    // What has been said: a misspelt key, or one that is not for this version.
    let is_known = spot.faults.any_at(&spot.at) || spot.has("split");
    let ends: Vec<&str> = ENDS.into_iter().filter(|key| spot.has(key)).collect();
    match ends.as_slice() {
        // Plugins may answer all by themselves.
        [] if !is_known && !spot.has("plugins") => {
            spot.fault(
                "needs one of `upstream`, `component`, `redirect` and `respond`, or `plugins` that answer",
            );
        }
        [first, others @ ..] => {
            for other in others {
                spot.key(other).fault_at_key(format!("cannot stand beside `{first}`"));
            }
        }
        [] => (),
    }
}

/// Keys that mean nothing without another, or against it.
fn check_company(spot: &Spot<'_>) {
    for key in ["rewrite", "strip_prefix"] {
        if spot.has(key) && !spot.has("upstream") && !spot.has("split") {
            spot.key(key).fault_at_key("needs `upstream`");
        }
    }
    if spot.has("strip_prefix") && spot.key("rewrite").has("path") {
        spot.key("strip_prefix").fault_at_key("cannot stand beside `rewrite.path`");
    }
}

fn check_forward(
    spot: &Spot<'_>,
    route: &RouteFile,
    upstream: &str,
    names: Option<&[String]>,
) -> Option<Action> {
    let rewrite = route.rewrite.as_ref();
    let host = rewrite.and_then(|rewrite| rewrite.host.as_deref()).map(|host| {
        let host = host.parse::<Authority>().ok().filter(|host| !host.as_str().contains('@'));
        spot.key("rewrite").key("host").keep(host.ok_or("is not a host, with or without a port"))
    });
    let template = rewrite.and_then(|rewrite| rewrite.path.as_deref());
    let template = template.map(|text| {
        let spot = spot.key("rewrite").key("path");
        check_path(&spot, text);
        check_template(&spot, text, names)
    });
    let prefix = route.strip_prefix.as_deref();
    let path = route.r#match.as_ref().and_then(|matching| matching.path.as_deref());
    let prefix = prefix.map(|prefix| {
        let spot = spot.key("strip_prefix");
        let prefix = check_prefix(&spot, prefix)?;
        if template.is_none()
            && let Some(path) = path.filter(|path| !may_begin_with(path, &prefix))
        {
            spot.fault(format!("is never there: the route's path is `{path}`"));
        }
        Some(prefix)
    });
    let path = match (template, prefix) {
        (Some(template), _) => PathRewrite::Replace(template?),
        (None, Some(prefix)) => PathRewrite::StripPrefix(prefix?),
        (None, None) => PathRewrite::Keep,
    };
    let host = match host {
        Some(host) => Some(host?),
        None => None,
    };
    Some(Action::Forward(Forward { upstream: upstream.to_owned(), path, host }))
}

/// Whether a path that a pattern takes may have the prefix.
fn may_begin_with(pattern: &str, prefix: &str) -> bool {
    let mut segments = pattern.split('/');
    for wanted in prefix.split('/') {
        match segments.next() {
            Some(segment) if segment.starts_with("{*") => return true,
            Some(segment) if segment == wanted || segment.contains('{') => {}
            _ => return false,
        }
    }
    true
}

fn check_redirect(
    spot: &Spot<'_>,
    file: &RedirectFile,
    names: Option<&[String]>,
) -> Option<Action> {
    let text = file.location.as_deref()?;
    let spot = spot.key("location");
    check_location(&spot, text);
    let location = check_template(&spot, text, names)?;
    let status = StatusCode::from_u16(file.status.unwrap_or(307)).ok()?;
    Some(Action::Redirect { status, location })
}

fn check_respond(spot: &Spot<'_>, file: &RespondFile) -> Option<Action> {
    let headers = spot.key("headers");
    let headers = headers
        .entries(file.headers.as_ref())
        .filter_map(|(spot, name, value)| check_field(&spot, name, value))
        .collect();
    let status = StatusCode::from_u16(file.status.unwrap_or(200)).ok()?;
    // RFC 9110 §6.4.1.
    let has_none = matches!(status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if has_none && file.body.as_deref().is_some_and(|body| !body.is_empty()) {
        spot.key("body").fault(format!("a response with the status {} has none", status.as_u16()));
    }
    Some(Action::Respond { status, headers, body: file.body.clone().unwrap_or_default() })
}

fn check_field(spot: &Spot<'_>, name: &str, value: &str) -> Option<(HeaderName, HeaderValue)> {
    // Connection and framing are the gateway's own business.
    const FORBIDDEN: [&str; 8] = [
        "connection",
        "content-length",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "proxy-connection",
    ];
    let field_name = HeaderName::from_bytes(name.as_bytes()).ok();
    match &field_name {
        None => spot.fault_at_key("is not a header field name"),
        Some(name) if FORBIDDEN.contains(&name.as_str()) => {
            spot.fault_at_key("is set by the gateway itself");
        }
        Some(_) => (),
    }
    let field_value = match value.trim_matches([' ', '\t']) == value {
        true => HeaderValue::from_str(value).map_err(|_| "is not a header field value"),
        false => Err("begins or ends with a blank, which no header field value can"),
    };
    Some((field_name?, spot.keep(field_value)?))
}

fn check_template(spot: &Spot<'_>, text: &str, names: Option<&[String]>) -> Option<Template> {
    spot.keep(Template::parse(text, names?))
}

/// The path an upstream gets must need no more normalising, whatever the parameters are.
fn check_path(spot: &Spot<'_>, text: &str) {
    if !text.starts_with('/') {
        spot.fault("must begin with `/`");
    } else if text.contains(['?', '#']) {
        spot.fault("must be without `?` and `#`; the query stays as it is");
    } else {
        // A placeholder beside a dot could become a dot segment, so both must be normal.
        let filled = ["x", ""].map(|value| replace_placeholders(text, value));
        for path in filled.into_iter().flatten() {
            match normalise(&path) {
                Ok(Cow::Borrowed(_)) => continue,
                Ok(Cow::Owned(_)) => spot.fault(
                    "must be normalised as requests are: no dot segments, no needless escapes",
                ),
                Err(error) => spot.fault(error),
            }
            return;
        }
    }
}

fn check_prefix(spot: &Spot<'_>, prefix: &str) -> Option<String> {
    if !prefix.starts_with('/') || prefix.ends_with('/') {
        spot.fault("must begin with `/` and not end with it");
        return None;
    }
    match normalise(prefix) {
        Ok(Cow::Borrowed(_)) => return Some(prefix.to_owned()),
        Ok(Cow::Owned(normal)) => spot.fault(format!("must be written as `{normal}`")),
        Err(error) => spot.fault(error),
    }
    None
}

/// Parameters may fill the path and the query only: no client decides on another host.
fn check_location(spot: &Spot<'_>, location: &str) {
    let path = match location.strip_prefix("https://").or(location.strip_prefix("http://")) {
        Some(rest) => {
            let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            if rest[..end].contains('{') {
                return spot.fault("parameters may stand after the host only");
            }
            if rest[..end].parse::<Authority>().is_err() {
                return spot.fault("has no valid host");
            }
            &rest[end..]
        }
        None if location.starts_with('/') && !location.starts_with("//") => location,
        None => return spot.fault("must begin with `/`, `https://` or `http://`"),
    };
    let is_allowed = |byte: u8| byte.is_ascii_graphic() && byte != b'\\';
    if !path.bytes().all(is_allowed) {
        spot.fault("must be percent-encoded where a URL asks for it");
    }
}

/// `None` where the braces do not match.
fn replace_placeholders(text: &str, value: &str) -> Option<String> {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, inner)) = rest.split_once('{') {
        plain.push_str(before);
        plain.push_str(value);
        rest = inner.split_once('}')?.1;
    }
    plain.push_str(rest);
    Some(plain)
}
