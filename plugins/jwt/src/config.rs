//! The configuration, as the operator writes it.

use std::borrow::Cow;
use std::collections::BTreeMap;

use tollgate_plugin::{Config, HeaderName, OneOrMany, Period};

use crate::algorithm::Algorithm;
use crate::jwk::Jwk;

/// Above this a clock is not skewed but wrong.
const MAX_LEEWAY: Period = Period::seconds(300);

/// Above this an instance would grow out of its memory.
const MAX_REMEMBERED: usize = 10_000;

/// Which tokens open the route, and what becomes of their claims.
#[derive(Config)]
pub(crate) struct Jwt {
    /// Keys that stand in the configuration.
    #[serde(default)]
    #[schemars(extend("writeOnly" = false))]
    pub(crate) keys: Vec<Key>,
    /// A whole JSON Web Key Set as text, such as `${file:/run/secrets/jwks.json}`.
    // There may be secrets in it, and private halves that have no business there.
    #[schemars(extend("writeOnly" = true))]
    pub(crate) jwks_json: Option<String>,
    /// A JSON Web Key Set to be fetched.
    pub(crate) jwks: Option<Jwks>,
    /// The algorithms that keys of a set may be used with; by default all but HS. Keys under
    /// `keys` name their own.
    #[serde(default = "public_algorithms")]
    #[schemars(length(min = 1))]
    pub(crate) algorithms: Vec<Algorithm>,
    /// The `iss` that a token must have, exactly; of several any one.
    pub(crate) issuer: Option<OneOrMany>,
    /// The `aud` of which a token must have at least one.
    pub(crate) audience: Option<OneOrMany>,
    /// How wrong the clocks may be, up to 300s; for `exp` and `nbf`.
    #[serde(default = "sixty_seconds")]
    pub(crate) leeway: Period,
    /// Refuse tokens that never expire.
    #[serde(default = "yes")]
    pub(crate) require_exp: bool,
    /// Further claims that a token must have, with any value but null.
    #[serde(default)]
    pub(crate) required_claims: Vec<String>,
    /// Scopes that a token must have, else 403.
    #[serde(default)]
    pub(crate) scopes: Scopes,
    /// Where the token stands in a request.
    #[serde(default)]
    #[schemars(extend("writeOnly" = false))]
    pub(crate) token: Token,
    /// Let requests without a token through. One with a token that is not valid is still refused.
    #[serde(default)]
    pub(crate) optional: bool,
    /// Claims that become attributes: `auth.claims.NAME`. `auth.subject` and `auth.scopes` are
    /// always there.
    #[serde(default)]
    pub(crate) claims: Vec<String>,
    /// Headers for the upstream: name to claim. What the client sent under such a name never gets
    /// through, with a token or without.
    #[serde(default)]
    pub(crate) headers: BTreeMap<HeaderName, String>,
    /// Leave the token in the request.
    #[serde(default)]
    pub(crate) forward: bool,
    /// How many valid tokens each instance remembers, up to 10000: one that comes again is not
    /// verified again as long as its key and its time hold. 0: none.
    #[serde(default = "many")]
    #[schemars(range(max = 10_000))]
    pub(crate) remember: usize,
    /// The realm of the challenge.
    #[serde(default = "tollgate")]
    pub(crate) realm: String,
}

/// A key that stands in the configuration: one of `secret`, `secret_base64url`, `pem` and `jwk`.
#[derive(Config)]
pub(crate) struct Key {
    /// The `kid` of the tokens that it is for; without one it is for those of any.
    pub(crate) kid: Option<String>,
    /// The one algorithm that it is used with; not needed for a `jwk` with `alg`.
    pub(crate) algorithm: Option<Algorithm>,
    /// A shared secret as text, for HS: at least as many bytes as the digest has.
    #[schemars(extend("writeOnly" = true))]
    pub(crate) secret: Option<String>,
    /// A shared secret in base64url.
    #[schemars(extend("writeOnly" = true))]
    pub(crate) secret_base64url: Option<String>,
    /// A public key or certificate in PEM, such as `${file:/run/secrets/idp.pem}`.
    pub(crate) pem: Option<String>,
    /// A JSON Web Key.
    pub(crate) jwk: Option<Jwk>,
}

/// A JSON Web Key Set to be fetched, at first need and again when it is due.
#[derive(Config)]
pub(crate) struct Jwks {
    /// The upstream that has it; it must be granted to this use.
    #[schemars(extend("x-tollgate-name" = "upstream"))]
    pub(crate) upstream: String,
    /// Path and query.
    pub(crate) path: String,
    /// How long it is good for.
    #[serde(default = "ten_minutes")]
    pub(crate) refresh: Period,
    /// How long after that it still serves when no new one can be had.
    #[serde(default = "one_hour")]
    pub(crate) stale_for: Period,
    /// How long a request waits for it.
    #[serde(default = "two_seconds")]
    pub(crate) timeout: Period,
    /// The store through which all instances share it, if one is granted; by default the first
    /// that is. Whoever else is granted the same store can put keys of its own there.
    #[schemars(extend("x-tollgate-name" = "store"))]
    pub(crate) store: Option<String>,
}

/// Scopes, from the claim `scope` (a text) or `scp` (a list or text).
#[derive(Config, Default)]
pub(crate) struct Scopes {
    /// All of these.
    #[serde(default)]
    pub(crate) all_of: Vec<String>,
    /// At least one of these.
    #[serde(default)]
    pub(crate) any_of: Vec<String>,
}

/// Where the token stands in a request.
#[derive(Config)]
pub(crate) struct Token {
    /// The header with the token; null: none.
    #[serde(default = "authorization")]
    pub(crate) header: Option<HeaderName>,
    /// The word before the token in that header; empty: none.
    #[serde(default = "bearer")]
    pub(crate) scheme: String,
    /// The cookie with the token; off by default.
    #[schemars(extend("writeOnly" = false))]
    pub(crate) cookie: Option<String>,
    /// The query parameter with the token. Queries end up in logs and histories: off by default.
    pub(crate) query: Option<String>,
}

impl Scopes {
    /// Whether a token with these is let through.
    pub(crate) fn are_met_by(&self, own: &[Cow<'_, str>]) -> bool {
        let has = |scope: &String| own.iter().any(|own| own == scope);
        self.all_of.iter().all(has) && (self.any_of.is_empty() || self.any_of.iter().any(has))
    }
}

impl Default for Token {
    fn default() -> Self {
        Self { header: authorization(), scheme: bearer(), cookie: None, query: None }
    }
}

impl Jwt {
    /// What the types do not rule out, a line each; the keys are looked at when they are read.
    pub(crate) fn faults(&self) -> Vec<String> {
        let filled = |values: &OneOrMany| {
            !values.as_slice().is_empty() && !values.as_slice().iter().any(String::is_empty)
        };
        let printable = |c: char| c.is_ascii_graphic() && c != '"' && c != '\\';
        let is_scope = |scope: &String| !scope.is_empty() && scope.chars().all(printable);
        let token = &self.token;
        let mut scopes = self.scopes.all_of.iter().chain(&self.scopes.any_of);
        let checks = [
            (
                !self.keys.is_empty() || self.jwks_json.is_some() || self.jwks.is_some(),
                "keys: there are none, and neither jwks nor jwks_json",
            ),
            (!self.algorithms.is_empty(), "algorithms: at least one is needed"),
            (
                !self.algorithms.iter().any(|algorithm| algorithm.is_hmac()),
                "algorithms: HS is for secrets under keys, never for keys of a set",
            ),
            (self.remember <= MAX_REMEMBERED, "remember: at most 10000"),
            (self.leeway <= MAX_LEEWAY, "leeway: at most 300s"),
            (self.issuer.as_ref().is_none_or(filled), "issuer: must not be empty"),
            (self.audience.as_ref().is_none_or(filled), "audience: must not be empty"),
            (
                self.jwks.as_ref().is_none_or(|jwks| jwks.path.starts_with('/')),
                "jwks.path: must begin with /",
            ),
            (
                token.header.is_some() || token.cookie.is_some() || token.query.is_some(),
                "token.header: a token has to come from somewhere",
            ),
            (scopes.all(is_scope), "scopes: a scope is printable ASCII without spaces and quotes"),
            (
                self.realm.chars().all(|c| printable(c) || c == ' '),
                "realm: must be printable ASCII without quotes",
            ),
        ];
        let failed = checks.into_iter().filter(|(holds, _)| !holds);
        failed.map(|(_, fault)| fault.to_owned()).collect()
    }
}

fn public_algorithms() -> Vec<Algorithm> {
    Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_hmac()).collect()
}

fn sixty_seconds() -> Period {
    Period::seconds(60)
}

fn ten_minutes() -> Period {
    Period::seconds(600)
}

fn one_hour() -> Period {
    Period::seconds(3600)
}

fn two_seconds() -> Period {
    Period::seconds(2)
}

fn many() -> usize {
    256
}

fn yes() -> bool {
    true
}

fn authorization() -> Option<HeaderName> {
    HeaderName::new("authorization").ok()
}

fn bearer() -> String {
    "Bearer".to_owned()
}

fn tollgate() -> String {
    "tollgate".to_owned()
}
