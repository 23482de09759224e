//! What names an artifact in a registry.

use std::{fmt, str::FromStr};

use super::Digest;

/// What stands before a reference in the configuration.
pub const SCHEME: &str = "oci://";

/// An artifact in a registry: `HOST[:PORT]/NAME:TAG`, `HOST[:PORT]/NAME@sha256:..` or both, in which
/// case the digest counts.
///
/// Nothing is filled in: a reference without a registry is a slip here, and one without a tag would
/// be `latest`, which no operator means.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Reference(oci_client::Reference);

/// Why a text is no [`Reference`].
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadReference {
    #[error("must be `oci://REGISTRY/NAME:TAG` or `oci://REGISTRY/NAME@sha256:..`")]
    Malformed,
    #[error("must begin with the registry, such as `ghcr.io` or `localhost:5000`")]
    NoRegistry,
    #[error("must end with a tag or a digest: `NAME:TAG` or `NAME@sha256:..`")]
    NoVersion,
    #[error("must be in small letters after the registry")]
    Capital,
    #[error("a digest is `sha256:` and 64 hexadecimal digits in lower case")]
    BadDigest,
}

impl Reference {
    /// Host and port.
    pub(crate) fn registry(&self) -> &str {
        self.0.registry()
    }

    /// The last part of the artifact's name.
    pub(crate) fn name(&self) -> &str {
        let repository = self.0.repository();
        repository.rsplit('/').next().unwrap_or(repository)
    }

    pub(crate) fn tag(&self) -> Option<&str> {
        self.0.tag()
    }

    pub(crate) fn digest(&self) -> Option<Digest> {
        self.0.digest()?.parse().ok()
    }

    /// The same artifact by this digest alone.
    pub(super) fn by_digest(&self, digest: &Digest) -> oci_client::Reference {
        self.0.clone_with_digest(digest.to_string())
    }

    pub(super) fn as_inner(&self) -> &oci_client::Reference {
        &self.0
    }

    /// The registry's host is this machine.
    pub(super) fn is_loopback(&self) -> bool {
        let registry = self.registry();
        let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
        host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
    }
}

impl FromStr for Reference {
    type Err = BadReference;

    /// With or without [`SCHEME`].
    fn from_str(text: &str) -> Result<Self, BadReference> {
        let text = text.strip_prefix(SCHEME).unwrap_or(text);
        let (registry, name) = text.split_once('/').ok_or(BadReference::NoRegistry)?;
        if !registry.contains(['.', ':']) && registry != "localhost" {
            return Err(BadReference::NoRegistry);
        }
        if !name.contains([':', '@']) {
            return Err(BadReference::NoVersion);
        }
        if let Some((_, digest)) = name.split_once('@') {
            digest.parse::<Digest>().map_err(|_| BadReference::BadDigest)?;
        }
        let path = name.split([':', '@']).next().unwrap_or_default();
        if path.contains(|letter: char| letter.is_ascii_uppercase()) {
            return Err(BadReference::Capital);
        }
        text.parse().map(Self).map_err(|_| BadReference::Malformed)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[track_caller]
    fn check(text: &str, expected: Result<(&str, &str, Option<&str>, bool), BadReference>) {
        let parsed = text.parse::<Reference>();
        let parts =
            parsed.as_ref().map(|r| (r.registry(), r.name(), r.tag(), r.digest().is_some()));
        assert_eq!(parts, expected.as_ref().copied(), "{text}");
    }

    #[test]
    fn a_reference_names_registry_and_version() {
        let host = "localhost:5000";
        check("oci://localhost:5000/a:1.2", Ok((host, "a", Some("1.2"), false)));
        check("localhost:5000/a/b_c/d:1", Ok((host, "d", Some("1"), false)));
        check(&format!("oci://ghcr.io/a/b@sha256:{HEX}"), Ok(("ghcr.io", "b", None, true)));
        check(&format!("oci://ghcr.io/a/b:1@sha256:{HEX}"), Ok(("ghcr.io", "b", Some("1"), true)));
    }

    #[test]
    fn what_is_left_out_is_said() {
        check("oci://jwt:1", Err(BadReference::NoRegistry));
        check("oci://library/jwt:1", Err(BadReference::NoRegistry));
        check("oci://ghcr.io/a/jwt", Err(BadReference::NoVersion));
        check("oci://ghcr.io/a/jwt@sha256:00", Err(BadReference::BadDigest));
        check("oci://ghcr.io/A/jwt:1", Err(BadReference::Capital));
        check("oci://ghcr.io/a/../b:1", Err(BadReference::Malformed));
        check("oci://user:secret@ghcr.io/a:1", Err(BadReference::Malformed));
    }

    #[test]
    fn loopback_is_this_machine_only() {
        let is_loopback = |host: &str| {
            format!("{host}/a:1").parse::<Reference>().expect("a reference").is_loopback()
        };
        for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["ghcr.io", "10.0.0.1:5000", "localhost.example:5000", "128.0.0.1"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
