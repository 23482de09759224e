//! Why a body ends before its end, and why one cannot be read whole.

use std::{io, time::Duration};

use crate::plugin::HookError;

/// Why a body ended before its end.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the request body is larger than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the client sent nothing for {limit:?}")]
    ClientIdle { limit: Duration },
    #[error("the client ended its body early")]
    ClientAborted,
    /// Its chunks are none, or they are not as long as it said.
    #[error("the client's body is not well-formed")]
    ClientMalformed,
    #[error("the client took up nothing for {limit:?}")]
    ClientStalled { limit: Duration },
    #[error("the upstream sent nothing for {limit:?}")]
    UpstreamIdle { limit: Duration },
    #[error("the upstream ended its body early")]
    UpstreamAborted,
    #[error("the upstream's body is not well-formed")]
    UpstreamMalformed,
    #[error("the exchange took longer than {limit:?}")]
    Deadline { limit: Duration },
    /// A `wasi:http` component gave up a body that it had begun.
    #[error("the component ended its body early")]
    ComponentAborted,
    /// Cut short, or never was what `content-encoding` says.
    #[error("the body does not follow its content coding, {coding}")]
    Coding { coding: &'static str },
    /// A chunk hook failed, and its use says `on_error: reject`.
    #[error("plugin `{plugin}` failed in {hook}")]
    Plugin { plugin: String, hook: &'static str, source: Box<HookError> },
}

/// Why [`super::Body::read`] has no bytes to give.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// Larger than the reader's limit, in bytes.
    TooLarge(u64),
    Ended(BodyError),
    /// It has a content coding that the gateway cannot undo.
    UnknownCoding,
}

impl From<BodyError> for ReadError {
    fn from(error: BodyError) -> Self {
        Self::Ended(error)
    }
}

impl BodyError {
    /// Why a client's body breaks off.
    pub(super) fn of_client(error: &hyper::Error) -> Self {
        if is_malformed(error) { Self::ClientMalformed } else { Self::ClientAborted }
    }

    /// Why an upstream's body breaks off.
    pub(super) fn of_upstream(error: &hyper::Error) -> Self {
        if is_malformed(error) { Self::UpstreamMalformed } else { Self::UpstreamAborted }
    }
}

/// Whether a body ended because nobody can tell what its bytes mean.
fn is_malformed(error: &hyper::Error) -> bool {
    use std::error::Error;
    let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
    let kind = source.map(io::Error::kind);
    matches!(kind, Some(io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput))
}
