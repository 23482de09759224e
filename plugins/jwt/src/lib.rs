//! Lets a request through if it carries a valid JSON Web Token (RFC 7519, RFC 6750, RFC 8725).

mod accepted;
mod algorithm;
mod config;
mod jwk;
mod jwks;
mod keys;
mod known;
mod shared;
#[cfg(test)]
mod tests;
mod token;

use std::borrow::Cow;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

use tollgate_plugin::{
    Error, Need, Plugin, Problem, Refused, Request, Verdict, clock, log, plugin,
};

use crate::accepted::{Accepted, Times};
use crate::jwks::{Jwks, Unavailable};
use crate::keys::Key;
use crate::known::Known;
use crate::token::{Claims, Token};

/// The configuration with its keys read.
struct Jwt {
    config: config::Jwt,
    keys: Vec<Key>,
    jwks: Option<Jwks>,
    known: Known,
}

/// Why a token does not open the route. The client only learns what it can do about it.
enum Invalid {
    /// There is none.
    Missing,
    /// There are several, and it would be open which one counts.
    Several,
    /// Not a token that anybody should look at further.
    Malformed(&'static str),
    /// `none`, or none of the algorithms that exist here.
    Algorithm,
    /// No key for this algorithm and `kid` has made the signature.
    Signature,
    Expired,
    NotYetValid,
    Claim(&'static str),
    RequiredClaim(String),
    /// Valid, but without a scope that is needed.
    Scope,
    /// The keys cannot be had.
    NoKeys,
}

#[plugin(schema = "config.schema.json")]
impl Plugin for Jwt {
    type Config = config::Jwt;

    const NEEDS: &'static [Need] = &[Need::Upstreams];

    fn new(mut config: config::Jwt) -> Result<Self, Error> {
        let mut faults = config.faults();
        let keys = keys::configured(&config, &mut faults);
        Error::if_any(&faults)?;
        let allowed = config.algorithms.clone();
        let jwks = config.jwks.take().map(|jwks| Jwks::new(jwks, allowed));
        let known = Known::new(config.remember);
        Ok(Self { config, keys, jwks, known })
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict, Error> {
        let text = self.token(request);
        let text = match &text {
            Ok(text) => text,
            Err(Invalid::Missing) if self.config.optional => {
                for name in self.config.headers.keys() {
                    request.own_header(name, None)?;
                }
                return Ok(Verdict::Next);
            }
            Err(invalid) => return Ok(self.refusal(invalid)),
        };
        let accepted = match self.accept(text) {
            Ok(accepted) => accepted,
            Err(invalid) => return Ok(self.refusal(&invalid)),
        };
        accepted.tell(request)?;
        if !self.config.forward {
            self.strip(request)?;
        }
        Ok(Verdict::Next)
    }
}

impl Jwt {
    /// The one token of the request (RFC 6750 section 2: a client must not send two).
    fn token(&self, request: &Request) -> Result<String, Invalid> {
        let places = &self.config.token;
        let mut tokens = Vec::new();
        if let Some(name) = &places.header {
            tokens.extend(request.header_lines(name.as_str()));
        }
        if tokens.len() > 1 {
            return Err(Invalid::Several);
        }
        if !places.scheme.is_empty() {
            tokens = tokens.iter().filter_map(|line| after_scheme(line, &places.scheme)).collect();
        }
        if let Some(name) = &places.cookie {
            tokens.extend(request.cookies(name));
        }
        if let Some(name) = &places.query {
            tokens.extend(request.query_values(name));
        }
        match tokens.len() {
            0 => Err(Invalid::Missing),
            1 => Ok(tokens.remove(0)),
            _ => Err(Invalid::Several),
        }
    }

    /// What a token says that is for us, from whom we trust, and good now.
    fn accept(&self, text: &str) -> Result<Rc<Accepted>, Invalid> {
        let now = clock::now();
        let digest = self.known.digest(text);
        let set = self.jwks.as_ref().and_then(|jwks| jwks.current(now));
        if let Some(accepted) = digest.and_then(|digest| self.known.get(&digest, set)) {
            accepted.times.check(&self.config, now)?;
            return Ok(accepted);
        }
        let (payload, set) = self.payload(text)?;
        let claims = Claims::parse(&payload)?;
        let times = Times::of(&claims)?;
        times.check(&self.config, now)?;
        self.check(&claims)?;
        let accepted = Rc::new(Accepted::of(&claims, times, set, &self.config)?);
        if let Some(digest) = digest {
            self.known.keep(digest, &accepted);
        }
        Ok(accepted)
    }

    /// The payload of a token whose signature has been verified, and the set that has the key.
    fn payload(&self, text: &str) -> Result<(Vec<u8>, Option<Duration>), Invalid> {
        let token = Token::parse(text)?;
        let verifies = |keys: &[Key]| {
            keys.iter()
                .filter(|key| key.fits(token.algorithm, token.kid.as_deref()))
                .any(|key| key.verify(token.algorithm, token.message.as_bytes(), &token.signature))
        };
        if verifies(&self.keys) {
            return Ok((token.payload()?, None));
        }
        // A fetched key is never a secret: there is no need to ask for one.
        let jwks = self.jwks.as_ref().filter(|_| !token.algorithm.is_hmac());
        let Some(jwks) = jwks else { return Err(Invalid::Signature) };
        match jwks.with_keys(token.kid.as_deref(), verifies) {
            Ok((true, set)) => Ok((token.payload()?, set)),
            Ok((false, _)) => Err(Invalid::Signature),
            Err(Unavailable) => Err(Invalid::NoKeys),
        }
    }

    /// Whether the claims are those of a token that is for us, and from whom we trust.
    fn check(&self, claims: &Claims<'_>) -> Result<(), Invalid> {
        let config = &self.config;
        if let Some(issuer) = &config.issuer
            && !claims.text("iss").is_some_and(|iss| issuer.contains(&iss))
        {
            return Err(Invalid::Claim("iss"));
        }
        if let Some(audience) = &config.audience {
            let own = claims.texts("aud").unwrap_or_default();
            if !own.iter().any(|aud| audience.contains(aud)) {
                return Err(Invalid::Claim("aud"));
            }
        }
        match config.required_claims.iter().find(|name| claims.raw(name).is_none()) {
            Some(name) => Err(Invalid::RequiredClaim(name.clone())),
            None => Ok(()),
        }
    }

    /// Takes the token out of what the upstream will see; a header that a claim has just been
    /// written to is no longer the token's.
    fn strip(&self, request: &mut Request) -> Result<(), Refused> {
        let places = &self.config.token;
        if let Some(name) = &places.header
            && !self.config.headers.contains_key(name)
        {
            request.remove_header(name.as_str())?;
        }
        if let Some(name) = &places.cookie {
            request.remove_cookie(name)?;
        }
        if let Some(name) = &places.query {
            request.remove_query(name)?;
        }
        Ok(())
    }

    /// The answer to a token that does not open the route (RFC 6750 section 3).
    fn refusal(&self, invalid: &Invalid) -> Verdict {
        log!(Debug, "refused: {invalid}");
        let realm = &self.config.realm;
        let unauthorized = |error: &str, description: &str| {
            Verdict::unauthorized(&format!(
                r#"Bearer realm="{realm}", error="{error}", error_description="{description}""#
            ))
        };
        match invalid {
            // Who sent no token has made no error (RFC 6750 section 3.1).
            Invalid::Missing => Verdict::unauthorized(&format!(r#"Bearer realm="{realm}""#)),
            Invalid::Several => unauthorized("invalid_request", "More than one token was sent"),
            Invalid::Expired => unauthorized("invalid_token", "The access token expired"),
            Invalid::Malformed(_)
            | Invalid::Algorithm
            | Invalid::Signature
            | Invalid::NotYetValid
            | Invalid::Claim(_)
            | Invalid::RequiredClaim(_) => {
                unauthorized("invalid_token", "The access token is not valid")
            }
            Invalid::Scope => {
                let scopes = &self.config.scopes;
                let wanted: Vec<&str> =
                    scopes.all_of.iter().chain(&scopes.any_of).map(String::as_str).collect();
                let challenge = format!(
                    r#"Bearer realm="{realm}", error="insufficient_scope", scope="{}""#,
                    wanted.join(" ")
                );
                Problem::new(403, "forbidden", "The token does not allow this")
                    .header("www-authenticate", &challenge)
                    .into()
            }
            Invalid::NoKeys => {
                Problem::new(503, "keys-unavailable", "Tokens cannot be verified at the moment")
                    .header("retry-after", "1")
                    .into()
            }
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no token"),
            Self::Several => f.write_str("there are several tokens"),
            Self::Malformed(why) => f.write_str(why),
            Self::Algorithm => f.write_str("`alg` is not an algorithm that is used here"),
            Self::Signature => {
                f.write_str("no key for this algorithm and `kid` made the signature")
            }
            Self::Expired => f.write_str("`exp` is past"),
            Self::NotYetValid => f.write_str("`nbf` is to come"),
            Self::Claim(name) => write!(f, "`{name}` is missing or another"),
            Self::RequiredClaim(name) => write!(f, "`{name}` is missing"),
            Self::Scope => f.write_str("a scope is missing"),
            Self::NoKeys => f.write_str("the keys cannot be had"),
        }
    }
}

/// What follows the scheme, which is case-insensitive (RFC 9110 section 11.1).
fn after_scheme(line: &str, scheme: &str) -> Option<String> {
    let (first, token) = line.trim().split_once(' ')?;
    first.eq_ignore_ascii_case(scheme).then(|| token.trim_start().to_owned())
}

/// `scope` as RFC 8693 section 4.2 has it, or `scp` as a list or in the same form.
fn scopes<'a>(claims: &Claims<'a>) -> Vec<Cow<'a, str>> {
    fn split<'a>(text: Cow<'a, str>) -> Vec<Cow<'a, str>> {
        match text {
            Cow::Borrowed(text) => text.split_ascii_whitespace().map(Cow::Borrowed).collect(),
            Cow::Owned(text) => {
                text.split_ascii_whitespace().map(|scope| Cow::Owned(scope.to_owned())).collect()
            }
        }
    }
    let texts = claims.text("scope").map(|text| vec![text]).or_else(|| claims.texts("scp"));
    texts.unwrap_or_default().into_iter().flat_map(split).collect()
}
