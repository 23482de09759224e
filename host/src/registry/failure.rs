//! From what the client library says to what an operator can act on.

use std::{error::Error as StdError, io};

use oci_client::errors::{DigestError, OciDistributionError as Failure, OciErrorCode};

use super::Error;

/// What was asked for, so that a 404 can say what is not there.
#[derive(Clone, Copy, Debug)]
pub(super) enum What {
    Tag,
    Digest,
    Blob,
    Repository,
}

impl What {
    fn as_str(self) -> &'static str {
        match self {
            Self::Tag => "tag",
            Self::Digest => "digest",
            Self::Blob => "layer",
            Self::Repository => "repository",
        }
    }
}

/// A blob that goes on beyond the size that its manifest states.
#[derive(Debug, thiserror::Error)]
#[error("longer than it should be")]
struct TooLong;

pub(super) fn too_long() -> Failure {
    Failure::IoError(io::Error::other(TooLong))
}

/// `is_anonymous`: no credentials were sent.
pub(super) fn translate(registry: &str, what: What, is_anonymous: bool, failure: Failure) -> Error {
    let asked = Asked { registry: registry.to_owned(), what, is_anonymous };
    match failure {
        Failure::RequestError(error) => request(asked, &error),
        Failure::UnauthorizedError { .. } | Failure::AuthenticationFailure(_) => asked.status(401),
        Failure::RegistryError { envelope, .. } => {
            let codes: Vec<_> = envelope.errors.into_iter().map(|error| error.code).collect();
            coded(asked, &codes)
        }
        Failure::ServerError { code, .. } => asked.status(code),
        Failure::ImageManifestNotFoundError(_) => asked.status(404),
        Failure::DigestError(DigestError::VerificationError { .. }) => {
            Error::Mismatch { registry: asked.registry }
        }
        Failure::IoError(error) => stream(asked, &error),
        _ => {
            let reason = "an answer that the specification does not know";
            Error::Protocol { registry: asked.registry, reason }
        }
    }
}

/// What was asked, and of whom.
struct Asked {
    registry: String,
    what: What,
    is_anonymous: bool,
}

impl Asked {
    fn status(self, status: u16) -> Error {
        let Self { registry, what, is_anonymous } = self;
        match status {
            401 if is_anonymous => Error::NoCredentials { registry },
            401 => Error::Unauthorized { registry },
            403 => Error::Denied { registry },
            404 => Error::NotFound { registry, what: what.as_str() },
            status => Error::Status { registry, status },
        }
    }
}

/// The codes of the distribution specification; with several, the first one that tells something.
fn coded(asked: Asked, codes: &[OciErrorCode]) -> Error {
    let found = codes.iter().find_map(|code| match code {
        OciErrorCode::NameUnknown => Some(What::Repository.as_str()),
        OciErrorCode::ManifestUnknown | OciErrorCode::NotFound | OciErrorCode::BlobUnknown => {
            Some(asked.what.as_str())
        }
        _ => None,
    });
    let has = |wanted: OciErrorCode| codes.contains(&wanted);
    let registry = asked.registry;
    match found {
        Some(what) => Error::NotFound { registry, what },
        None if has(OciErrorCode::Denied) || has(OciErrorCode::Unauthorized) => {
            Error::Denied { registry }
        }
        None if has(OciErrorCode::Toomanyrequests) => Error::Status { registry, status: 429 },
        None => Error::Protocol { registry, reason: "it refuses the request" },
    }
}

/// No answer came, or none that could be read.
fn request(asked: Asked, error: &reqwest::Error) -> Error {
    if let Some(status) = error.status() {
        return asked.status(status.as_u16());
    }
    let registry = asked.registry;
    match error.is_timeout() {
        true => Error::TimedOut { registry },
        false => Error::Unreachable { registry, reason: cause(error) },
    }
}

/// An answer broke off.
fn stream(asked: Asked, error: &io::Error) -> Error {
    let inner = error.get_ref();
    if inner.is_some_and(|inner| inner.is::<TooLong>() || inner.is::<DigestError>()) {
        return Error::Mismatch { registry: asked.registry };
    }
    match inner.and_then(|inner| inner.downcast_ref::<reqwest::Error>()) {
        Some(error) => request(asked, error),
        None => Error::Unreachable { registry: asked.registry, reason: cause(error) },
    }
}

/// The innermost error: those around it say that there is one.
pub(super) fn cause(error: &(dyn StdError + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
