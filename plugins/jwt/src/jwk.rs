//! A JSON Web Key (RFC 7517): what it may be used for.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tollgate_plugin::schemars::{self, JsonSchema};

use crate::algorithm::{Algorithm, Kind};

/// The members that matter; others are allowed and not looked at (RFC 7517 section 4).
// What is not written out again is no secret for that: hence `writeOnly`.
#[derive(Deserialize, JsonSchema, Serialize)]
#[schemars(crate = "schemars")]
pub(crate) struct Jwk {
    pub(crate) kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crv: Option<String>,
    #[serde(rename = "use", skip_serializing)]
    #[schemars(extend("writeOnly" = false))]
    usage: Option<String>,
    #[serde(skip_serializing)]
    #[schemars(extend("writeOnly" = false))]
    key_ops: Option<Vec<String>>,
    #[serde(skip_serializing)]
    #[schemars(extend("writeOnly" = false))]
    alg: Option<String>,
    #[serde(skip_serializing)]
    #[schemars(extend("writeOnly" = false))]
    pub(crate) kid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    /// The bytes of a secret, in base64url.
    #[serde(skip_serializing)]
    pub(crate) k: Option<String>,
    /// The private half, which has no business here.
    #[serde(skip_serializing)]
    #[schemars(skip)]
    d: Option<String>,
}

/// The keys of a set, each as it stands there: one that makes no sense must not spoil the others.
#[derive(Deserialize)]
struct Set<'a> {
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

impl Jwk {
    /// The algorithms of `allowed` that the key may be used with.
    ///
    /// # Errors
    ///
    /// There are none, and why.
    pub(crate) fn algorithms(&self, allowed: &[Algorithm]) -> Result<Vec<Algorithm>, String> {
        if self.usage.as_deref().is_some_and(|usage| usage != "sig") {
            return Err("`use` is not sig".to_owned());
        }
        if self.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
            return Err("`key_ops` does not hold verify".to_owned());
        }
        let kind = match (self.kty.as_str(), self.crv.as_deref()) {
            ("RSA", _) => Kind::Rsa,
            ("EC", Some("P-256")) => Kind::P256,
            ("EC", Some("P-384")) => Kind::P384,
            ("OKP", Some("Ed25519")) => Kind::Ed25519,
            ("oct", _) => Kind::Secret,
            (kty, _) => return Err(format!("no algorithm here uses `kty` {kty} with this `crv`")),
        };
        // RFC 9864 calls Ed25519 by its own name.
        let fits = |algorithm: &Algorithm| {
            algorithm.kind() == kind
                && self.alg.as_deref().is_none_or(|alg| {
                    alg == algorithm.name() || (*algorithm == Algorithm::EdDSA && alg == "Ed25519")
                })
        };
        let algorithms: Vec<Algorithm> = allowed.iter().copied().filter(fits).collect();
        if algorithms.is_empty() {
            return Err("none of the allowed algorithms fits `kty`, `crv` and `alg`".to_owned());
        }
        Ok(algorithms)
    }

    /// The algorithm that the key itself names.
    pub(crate) fn own_algorithm(&self) -> Option<Algorithm> {
        self.alg.as_deref().and_then(Algorithm::named)
    }

    /// Whether the private half is there.
    pub(crate) fn is_private(&self) -> bool {
        self.d.is_some()
    }
}

/// The keys of a set that can be read; others are passed over (RFC 7517 section 5).
pub(crate) fn set(json: &[u8]) -> Result<Vec<Jwk>, String> {
    let set: Set<'_> = serde_json::from_slice(json)
        .map_err(|_| "not a JSON Web Key Set: an object with a list `keys`".to_owned())?;
    Ok(set.keys.into_iter().filter_map(|key| serde_json::from_str(key.get()).ok()).collect())
}
