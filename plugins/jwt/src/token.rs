//! A token taken apart (RFC 7515 section 3.1), and its claims.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::Invalid;
use crate::algorithm::Algorithm;

/// Above this a token is refused before anybody reads it.
pub(crate) const MAX_TOKEN: usize = 8 * 1024;

/// A token taken apart. Nothing of it is to be believed before its signature has been verified.
pub(crate) struct Token<'a> {
    /// Header and payload as they were signed.
    pub(crate) message: &'a str,
    pub(crate) signature: Vec<u8>,
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    payload: &'a str,
}

/// The members of the header that matter. `jku`, `jwk`, `x5u` and `x5c` are not among them: where
/// keys come from is for the configuration to say. A member that stands there twice is an error.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(borrow)]
    kid: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

/// Whether a member is there, whatever its value.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl<'a> Token<'a> {
    pub(crate) fn parse(text: &'a str) -> Result<Self, Invalid> {
        if text.len() > MAX_TOKEN {
            return Err(Invalid::Malformed("the token is too long"));
        }
        let (message, signature) =
            text.rsplit_once('.').ok_or(Invalid::Malformed("there are not three parts"))?;
        let (header, payload) =
            message.split_once('.').ok_or(Invalid::Malformed("there are not three parts"))?;
        let header = decode(header)?;
        let header: Header<'_> = serde_json::from_slice(&header)
            .map_err(|_| Invalid::Malformed("the header is not JSON with `alg`"))?;
        // No extension is understood here (RFC 7515 section 4.1.11).
        if header.crit {
            return Err(Invalid::Malformed("the header has `crit`"));
        }
        let algorithm = Algorithm::named(&header.alg).ok_or(Invalid::Algorithm)?;
        let kid = header.kid.map(Cow::into_owned);
        Ok(Self { message, signature: decode(signature)?, algorithm, kid, payload })
    }

    /// The bytes of the payload.
    pub(crate) fn payload(&self) -> Result<Vec<u8>, Invalid> {
        decode(self.payload)
    }
}

/// Base64url without padding, and nothing else; a dot in it is no part of the alphabet.
fn decode(part: &str) -> Result<Vec<u8>, Invalid> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| Invalid::Malformed("a part is not base64url"))
}

/// The claims as they stand in the payload.
pub(crate) struct Claims<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A string that is borrowed where the JSON has no escapes in it.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Claims<'a> {
    pub(crate) fn parse(payload: &'a [u8]) -> Result<Self, Invalid> {
        serde_json::from_slice(payload)
            .map_err(|_| Invalid::Malformed("the payload is not a JSON object"))
    }

    /// A claim as JSON; null is as good as none.
    pub(crate) fn raw(&self, name: &str) -> Option<&'a str> {
        let claim = self.0.iter().find(|(key, _)| key == name);
        claim.map(|(_, value)| value.get()).filter(|&value| value != "null")
    }

    /// A claim that is a string.
    pub(crate) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        string(self.raw(name)?)
    }

    /// A claim as the text of an attribute or header: a string as it is, anything else as JSON.
    pub(crate) fn display(&self, name: &str) -> Option<Cow<'a, str>> {
        let raw = self.raw(name)?;
        Some(string(raw).unwrap_or(Cow::Borrowed(raw)))
    }

    /// A claim that is a string or a list of strings; `None` if it is neither.
    pub(crate) fn texts(&self, name: &str) -> Option<Vec<Cow<'a, str>>> {
        let raw = self.raw(name)?;
        if let Some(text) = string(raw) {
            return Some(vec![text]);
        }
        let texts: Vec<Text<'a>> = serde_json::from_str(raw).ok()?;
        Some(texts.into_iter().map(|text| text.0).collect())
    }

    /// A claim that is a point in time (RFC 7519 section 2: seconds, maybe with a fraction).
    pub(crate) fn time(&self, name: &str) -> Result<Option<f64>, Invalid> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        match serde_json::from_str::<f64>(raw) {
            Ok(time) => Ok(Some(time)),
            Err(_) => Err(Invalid::Malformed("a time is not a number")),
        }
    }
}

fn string(json: &str) -> Option<Cow<'_, str>> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str::<Text<'_>>(json).ok().map(|text| text.0)
}

impl<'de: 'a, 'a> Deserialize<'de> for Claims<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                // Most tokens have fewer.
                let mut members = Self::Value::with_capacity(16);
                while let Some((Text(key), value)) = map.next_entry()? {
                    // Of two claims of one name others might believe the other one.
                    if members.iter().any(|(other, _)| *other == key) {
                        return Err(A::Error::custom("a claim stands there twice"));
                    }
                    members.push((key, value));
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(Members).map(Self)
    }
}
