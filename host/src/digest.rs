//! The name of content: its SHA-256.

use std::{fmt, str::FromStr};

use aws_lc_rs::digest::{SHA256, digest};

/// A SHA-256, written `sha256:` and 64 hexadecimal digits. No other algorithm is in use, here or at
/// registries.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Digest(String);

/// Why a text is no [`Digest`].
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("a digest is `sha256:` and 64 hexadecimal digits in lower case")]
pub struct BadDigest;

impl Digest {
    pub(crate) fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(hex::encode(digest(&SHA256, bytes.as_ref())))
    }

    /// Without the algorithm's name.
    pub(crate) fn hex(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_hex(self) -> String {
        self.0
    }
}

impl FromStr for Digest {
    type Err = BadDigest;

    fn from_str(text: &str) -> Result<Self, BadDigest> {
        let hex = text.strip_prefix("sha256:").ok_or(BadDigest)?;
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let is_whole = hex.len() == 64 && hex.bytes().all(is_digit);
        is_whole.then(|| Self(hex.to_owned())).ok_or(BadDigest)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_sha_256_is_a_digest() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), empty);
        assert_eq!(empty.parse(), Ok(Digest::of(b"")));
        // Longer and shorter, another algorithm, upper case, what would leave a folder.
        for wrong in [
            &format!("{empty}0"),
            &empty[..empty.len() - 1],
            &empty.replace("sha256", "sha512"),
            &empty.replace("e3b0", "E3B0"),
            &empty.replace("e3b0", "../."),
            &empty[7..],
        ] {
            assert_eq!(wrong.parse::<Digest>(), Err(BadDigest), "{wrong}");
        }
    }
}
