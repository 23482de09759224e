//! Why the gateway, and not the upstream, answers an exchange.

use std::time::Duration;

use http::Method;

use crate::{
    body::BodyError,
    plugin::{HANDLE, HookError},
    upstream::UpstreamError,
};

/// Everything that can end an exchange before the upstream's response does.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// What the client sent is not a request that may be forwarded.
    #[error("bad request: {0}")]
    BadRequest(&'static str),
    #[error("the request target is longer than {limit} bytes")]
    UriTooLong { limit: usize },
    #[error("the request has more than {limit} header fields")]
    TooManyHeaders { limit: usize },
    #[error("the request head has more than {limit} bytes")]
    HeadTooLarge { limit: usize },
    /// It comes from gateways over and over, in all likelihood from this one.
    #[error("the request has passed {hops} gateways")]
    Loop { hops: usize },
    #[error("no route serves the request")]
    RouteNotFound,
    /// The route has no end of its own, and no plugin has answered.
    #[error("no plugin of the route answered")]
    NotAnswered,
    #[error("only {} may be asked for here", methods(allow))]
    MethodNotAllowed { allow: Vec<Method> },
    #[error("the request body is larger than {limit} bytes")]
    BodyTooLarge { limit: u64 },
    /// A plugin wants to see the request body, and nobody can undo its content coding.
    #[error("the request body has a content coding that is not known")]
    UnknownCoding,
    #[error("the client sent nothing of its request body for {limit:?}")]
    RequestTimeout { limit: Duration },
    #[error("plugin `{plugin}` failed in {hook}")]
    Plugin { plugin: String, hook: &'static str, source: HookError },
    #[error("upstream `{upstream}` failed")]
    Upstream { upstream: String, source: UpstreamError },
    /// The route's own `timeout`.
    #[error("the exchange took longer than {limit:?}")]
    ExchangeTimeout { limit: Duration },
    #[error("no upstream is called `{0}` any more")]
    UnknownUpstream(String),
}

impl Error {
    /// Whether a hook of a plugin failed. Components have none, only the one call.
    pub(crate) fn is_of_hook(&self) -> bool {
        matches!(self, Self::Plugin { hook, .. } if *hook != HANDLE)
    }

    /// What went wrong with a request body that the upstream was to get; `None` where the
    /// upstream is to blame.
    pub(crate) fn of_request_body(error: &BodyError) -> Option<Self> {
        match *error {
            BodyError::TooLarge { limit } => Some(Self::BodyTooLarge { limit }),
            BodyError::ClientIdle { limit } => Some(Self::RequestTimeout { limit }),
            BodyError::ClientAborted => Some(Self::BadRequest("the request body ended early")),
            BodyError::ClientMalformed => {
                Some(Self::BadRequest("the request body is not well-formed"))
            }
            BodyError::Coding { .. } => {
                Some(Self::BadRequest("the request body does not follow its content coding"))
            }
            BodyError::Plugin { ref plugin, hook, ref source } => {
                let (plugin, source) = (plugin.clone(), (**source).clone());
                Some(Self::Plugin { plugin, hook, source })
            }
            BodyError::ClientStalled { .. }
            | BodyError::UpstreamIdle { .. }
            | BodyError::UpstreamAborted
            | BodyError::UpstreamMalformed
            | BodyError::ComponentAborted
            | BodyError::Deadline { .. } => None,
        }
    }
}

/// As a text tells them.
pub(crate) fn methods(methods: &[Method]) -> String {
    methods.iter().map(Method::as_str).collect::<Vec<_>>().join(", ")
}
