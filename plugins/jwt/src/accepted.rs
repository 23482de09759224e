//! What a valid token says, as far as the configuration asks.

use std::time::Duration;

use tollgate_plugin::{HeaderName, Refused, Request};

use crate::config;
use crate::token::Claims;
use crate::{Invalid, scopes};

/// What an attribute or header takes beside its text.
const ENTRY: usize = 64;

/// A token whose signature and claims hold; whether it holds now is for [`Times::check`] to say.
pub(crate) struct Accepted {
    pub(crate) times: Times,
    /// When the fetched key set came that has its key; `None` for a key of the configuration.
    pub(crate) set: Option<Duration>,
    attributes: Vec<(String, String)>,
    headers: Vec<(HeaderName, Option<String>)>,
}

impl Accepted {
    /// # Errors
    ///
    /// A scope is missing, or a claim cannot be the header that it is to become.
    pub(crate) fn of(
        claims: &Claims<'_>,
        times: Times,
        set: Option<Duration>,
        config: &config::Jwt,
    ) -> Result<Self, Invalid> {
        let scopes = scopes(claims);
        if !config.scopes.are_met_by(&scopes) {
            return Err(Invalid::Scope);
        }
        let mut attributes = Vec::new();
        if let Some(subject) = claims.text("sub") {
            attributes.push(("auth.subject".to_owned(), subject.into_owned()));
        }
        if !scopes.is_empty() {
            attributes.push(("auth.scopes".to_owned(), scopes.join(" ")));
        }
        for name in &config.claims {
            if let Some(value) = claims.display(name) {
                attributes.push((format!("auth.claims.{name}"), value.into_owned()));
            }
        }
        let mut headers = Vec::new();
        for (name, claim) in &config.headers {
            let value = claims.display(claim).map(|value| value.into_owned());
            if value.as_deref().is_some_and(|value| !fits_header(value)) {
                return Err(Invalid::Malformed("a claim cannot be a header"));
            }
            headers.push((name.clone(), value));
        }
        Ok(Self { times, set, attributes, headers })
    }

    /// Bytes that it takes, about.
    pub(crate) fn size(&self) -> usize {
        let attributes = self.attributes.iter().map(|(name, value)| name.len() + value.len());
        let headers = self
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.as_ref().map_or(0, String::len));
        size_of::<Self>() + attributes.chain(headers).map(|text| text + ENTRY).sum::<usize>()
    }

    /// Tells later plugins and the upstream who it is.
    pub(crate) fn tell(&self, request: &mut Request) -> Result<(), Refused> {
        for (name, value) in &self.attributes {
            request.set_attribute(name, value);
        }
        for (name, value) in &self.headers {
            request.own_header(name, value.as_deref())?;
        }
        Ok(())
    }
}

/// The longest value that the gateway lets a plugin set, in bytes.
const MAX_HEADER: usize = 16 * 1024;

/// Whether an upstream reads the same in a header. Blanks around a value are cut off on the way
/// (RFC 9110 section 5.5), and would make one subject another.
fn fits_header(value: &str) -> bool {
    let has_control = value.contains(|letter: char| letter.is_ascii_control() && letter != '\t');
    value.len() <= MAX_HEADER && !has_control && value.trim_matches([' ', '\t']) == value
}

/// From when and until when a token holds, in seconds since 1970.
pub(crate) struct Times {
    exp: Option<f64>,
    nbf: Option<f64>,
}

impl Times {
    pub(crate) fn of(claims: &Claims<'_>) -> Result<Self, Invalid> {
        Ok(Self { exp: claims.time("exp")?, nbf: claims.time("nbf")? })
    }

    pub(crate) fn check(&self, config: &config::Jwt, now: Duration) -> Result<(), Invalid> {
        let (now, leeway) = (now.as_secs_f64(), config.leeway.get().as_secs_f64());
        match self.exp {
            Some(exp) if now >= exp + leeway => return Err(Invalid::Expired),
            None if config.require_exp => return Err(Invalid::Claim("exp")),
            Some(_) | None => (),
        }
        if self.nbf.is_some_and(|nbf| now + leeway < nbf) {
            return Err(Invalid::NotYetValid);
        }
        Ok(())
    }
}
