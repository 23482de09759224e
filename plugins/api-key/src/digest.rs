//! SHA-256 digests as the configuration gives them, and how they are compared.

use std::borrow::Cow;
use std::hint::black_box;

use tollgate_plugin::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use tollgate_plugin::serde::Deserialize;

/// A SHA-256 digest.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(crate = "tollgate_plugin::serde", try_from = "String")]
pub(crate) struct Digest(pub(crate) [u8; 32]);

impl Digest {
    /// The place of this digest among others. Takes the same time wherever it stands and wherever
    /// the others begin to differ.
    pub(crate) fn find<'a>(&self, others: impl Iterator<Item = &'a Self>) -> Option<usize> {
        let mut found = 0_usize;
        for (i, other) in others.enumerate() {
            let differs = self.0.iter().zip(other.0).fold(0, |all, (a, b)| all | (a ^ b));
            // 0 for a digest that differs and all ones for the one that does not.
            let same = usize::from(black_box(differs) == 0).wrapping_neg();
            found |= black_box(same) & (i + 1);
        }
        found.checked_sub(1)
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let mut digest = [0; 32];
        let hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if text.len() != 64 || !hex {
            // Not the text: it might be the key itself.
            return Err("a SHA-256 digest has 64 hex digits".to_owned());
        }
        for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).expect("hex digits are ASCII");
            *byte = u8::from_str_radix(pair, 16).expect("two hex digits are one byte");
        }
        Ok(Self(digest))
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> Cow<'static, str> {
        "Digest".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[0-9A-Fa-f]{64}$",
            "x-expected": "the SHA-256 digest of a key, 64 hex digits; `printf %s KEY | sha256sum` prints it",
        })
    }
}
