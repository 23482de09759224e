//! What a request asks its next hop for, and where a redirect leads to.

use http::{HeaderValue, header::InvalidHeaderValue, uri::PathAndQuery};

use crate::{
    config::{PathRewrite, Template, without_prefix},
    error::Error,
    exchange::Exchange,
    generation::{End, Route},
};

/// Path and query for the upstream: what a plugin set, else as the route rewrites it.
pub(super) fn of(exchange: &Exchange, route: &Route) -> Result<PathAndQuery, Error> {
    if let Some(target) = &exchange.target {
        return Ok(target.clone());
    }
    let End::Forward { path, .. } = &route.end else {
        return Err(Error::BadRequest("the route does not forward"));
    };
    let uri = exchange.uri();
    let path = match path {
        PathRewrite::Keep => {
            return Ok(uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")));
        }
        PathRewrite::Replace(template) => template.render(|name| param(exchange, name)),
        PathRewrite::StripPrefix(prefix) => without_prefix(uri.path(), prefix).to_owned(),
    };
    let target = match uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path,
    };
    target.try_into().map_err(|_| Error::BadRequest("the rewritten path is not one"))
}

/// Where a redirect leads to.
///
/// # Errors
///
/// The path has what no header field can hold.
pub(super) fn location(
    exchange: &Exchange,
    location: &Template,
) -> Result<HeaderValue, InvalidHeaderValue> {
    let value = |name: &str| param(exchange, name);
    location.render_location(exchange.uri().query(), value).try_into()
}

/// Parameters go in as they came, still percent-encoded: decoding them could make new segments.
fn param<'a>(exchange: &'a Exchange, name: &str) -> &'a str {
    exchange.param(name).unwrap_or_default()
}
