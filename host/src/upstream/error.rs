//! Why an upstream gave no response.

use std::{io, net::SocketAddr, time::Duration};

use super::connect::{MAX_RESPONSE_FIELDS, MAX_RESPONSE_HEAD};
use crate::body::BodyError;

/// Why an upstream gave no response.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpstreamError {
    #[error("none of its endpoints has an address")]
    Unresolved,
    #[error("no connection to {address}")]
    Unreachable { address: SocketAddr, source: io::Error },
    /// All streams of all HTTP/2 connections that there may be are taken.
    #[error("{address} had no room for another request within {limit:?}")]
    Full { address: SocketAddr, limit: Duration },
    #[error("{address} sent no response head within {limit:?}")]
    TimedOut { address: SocketAddr, limit: Duration },
    #[error("{address} took up nothing of the request body for {limit:?}")]
    Stalled { address: SocketAddr, limit: Duration },
    /// It did nothing with the request (RFC 9113 §8.7).
    #[error("{address} refused the request")]
    Refused { address: SocketAddr, source: hyper::Error },
    /// The connection ended before a response head; the request may have been taken.
    #[error("{address} closed the connection")]
    Closed { address: SocketAddr, source: hyper::Error },
    #[error(
        "{address} sent a response head of more than {MAX_RESPONSE_HEAD} bytes or {MAX_RESPONSE_FIELDS} fields"
    )]
    HeadTooLarge { address: SocketAddr },
    #[error("{address} did not answer as HTTP asks")]
    Protocol { address: SocketAddr, source: hyper::Error },
    /// A body that would go on as if it had no such coding.
    #[error("{address} answered in a transfer coding other than chunked")]
    TransferCoding { address: SocketAddr },
    #[error("{address} answered with lengths that differ")]
    Lengths { address: SocketAddr },
    #[error("it switched to another protocol unasked")]
    UnaskedUpgrade,
    /// The request's body did, which is not the upstream's doing.
    #[error("the request broke off")]
    BrokenUpload { source: BodyError },
}

impl UpstreamError {
    /// The label in metrics; `None` where the upstream has done nothing wrong.
    pub(super) fn reason(&self) -> Option<&'static str> {
        Some(match self {
            Self::Unresolved => "unresolved",
            Self::Unreachable { .. } => "unreachable",
            Self::Full { .. } => "full",
            Self::TimedOut { .. } | Self::Stalled { .. } => "timed-out",
            Self::Refused { .. } => "refused",
            Self::Closed { .. } => "closed",
            Self::HeadTooLarge { .. }
            | Self::Protocol { .. }
            | Self::TransferCoding { .. }
            | Self::Lengths { .. }
            | Self::UnaskedUpgrade => "protocol",
            Self::BrokenUpload { .. } => return None,
        })
    }
}
