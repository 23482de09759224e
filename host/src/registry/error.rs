//! Why a component cannot be had from a registry, or brought to it.

use std::{io, path::PathBuf};

use super::{Digest, layout::Misfit};

/// Without anything that a registry has said in words: it ends up in logs.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("registry `{registry}` cannot be reached: {reason}")]
    Unreachable { registry: String, reason: String },
    #[error("registry `{registry}` did not answer in time")]
    TimedOut { registry: String },
    #[error(
        "registry `{registry}` wants credentials: `docker login {registry}`, or `registries` in the configuration"
    )]
    NoCredentials { registry: String },
    #[error("registry `{registry}` refuses the credentials")]
    Unauthorized { registry: String },
    #[error("registry `{registry}` does not allow it")]
    Denied { registry: String },
    #[error("registry `{registry}` has no such {what}")]
    NotFound { registry: String, what: &'static str },
    #[error("registry `{registry}` answered with status {status}")]
    Status { registry: String, status: u16 },
    #[error("registry `{registry}` breaks its protocol: {reason}")]
    Protocol { registry: String, reason: &'static str },
    #[error("what registry `{registry}` sends has not the digest by which it was asked for")]
    Mismatch { registry: String },
    #[error("it is larger than {} MiB", most >> 20)]
    TooLarge { most: u64 },
    #[error("it is no plugin: {0}")]
    Misfit(#[from] Misfit),
    #[error("its tag is not pinned, and nothing may be asked offline")]
    NotPinned,
    #[error("`{digest}` is not kept here, and nothing may be fetched offline")]
    NotKept { digest: Digest },
    #[error("`{path}` cannot be used: {source}")]
    Disk { path: PathBuf, source: io::Error },
    #[error("the authorities of registry `{registry}` cannot be used: {reason}")]
    Authorities { registry: String, reason: String },
    #[error("Docker's credentials for registry `{registry}` cannot be used: {reason}")]
    Credentials { registry: String, reason: &'static str },
    #[error("it is pushed by a tag, so it needs one and no digest")]
    NotATag,
}

impl Error {
    /// Another try may succeed where this one failed.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } => true,
            Self::Status { status, .. } => *status == 429 || *status >= 500,
            Self::NoCredentials { .. }
            | Self::Unauthorized { .. }
            | Self::Denied { .. }
            | Self::NotFound { .. }
            | Self::Protocol { .. }
            | Self::Mismatch { .. }
            | Self::TooLarge { .. }
            | Self::Misfit(_)
            | Self::NotPinned
            | Self::NotKept { .. }
            | Self::Disk { .. }
            | Self::Authorities { .. }
            | Self::Credentials { .. }
            | Self::NotATag => false,
        }
    }
}
