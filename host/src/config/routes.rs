//! Which requests go where.

use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode, uri::Authority};

use super::{pointer::Pointer, template::Template};
use crate::router::Match;

#[derive(Clone, Debug)]
pub struct Route {
    /// Unique; the label in logs and metrics.
    pub name: String,
    pub matching: Match,
    /// Indices into [`Config::uses`](super::Config::uses), in chain order.
    pub plugins: Vec<usize>,
    pub action: Action,
    /// The whole exchange, the response body included; `None`: no bound on the body, and
    /// 60 s until the response head.
    pub timeout: Option<Duration>,
    pub at: Pointer,
}

/// How a route ends.
#[derive(Clone, Debug)]
pub enum Action {
    Forward(Forward),
    /// An index into [`Config::services`](super::Config::services).
    Component(usize),
    /// Its plugins answer; 404 where none does.
    Nothing,
    Redirect {
        status: StatusCode,
        location: Template,
    },
    Respond {
        status: StatusCode,
        headers: Vec<(HeaderName, HeaderValue)>,
        body: String,
    },
}

#[derive(Clone, Debug)]
pub struct Forward {
    /// A key of [`Config::upstreams`](super::Config::upstreams).
    pub upstream: String,
    pub path: PathRewrite,
    /// The `host` that the upstream sees; `None`: the client's.
    pub host: Option<Authority>,
}

#[derive(Clone, Debug)]
pub enum PathRewrite {
    /// As normalised.
    Keep,
    /// The path is replaced; the query stays.
    Replace(Template),
    /// The prefix is cut off where the path has it; what is left begins with `/`.
    StripPrefix(String),
}

/// `path` without `prefix`, where the prefix ends with a segment. Empty segments stay: to merge them
/// could make the path of another route.
pub fn without_prefix<'p>(path: &'p str, prefix: &str) -> &'p str {
    match path.strip_prefix(prefix) {
        Some("") => "/",
        Some(rest) if rest.starts_with('/') => rest,
        _ => path,
    }
}

#[cfg(test)]
mod tests {
    use super::without_prefix;

    #[test]
    fn a_prefix_is_cut_off_at_a_segment_only() {
        for (path, prefix, expected) in [
            ("/api/users", "/api", "/users"),
            ("/api", "/api", "/"),
            ("/api/", "/api", "/"),
            ("/apis/x", "/api", "/apis/x"),
            ("/api//users", "/api", "//users"),
        ] {
            assert_eq!(without_prefix(path, prefix), expected, "{path} without {prefix}");
        }
    }
}
