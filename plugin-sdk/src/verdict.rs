//! What a plugin decides about a request.

use serde::Serialize;

use crate::error::{Error, Refused};
use crate::response::Response;

/// Where each problem type is explained; its last segment is the slug.
const PROBLEMS: &str = "https://tollgate.dev/problems/";

/// What a plugin decides about a request.
pub enum Verdict {
    /// Go on to the next plugin, then to the upstream.
    Next,
    /// Answer now. Later plugins and the upstream never see the request.
    Respond(Response),
    /// Answer now, with a problem response (RFC 9457).
    Problem(Box<Problem>),
}

impl Verdict {
    /// A problem response of the status's own type.
    #[must_use]
    pub fn problem(status: u16, title: &'static str) -> Self {
        Problem::new(status, slug(status), title).into()
    }

    /// 401: who is it? `challenge` is the `WWW-Authenticate` that says how to tell.
    #[must_use]
    pub fn unauthorized(challenge: &str) -> Self {
        Problem::new(401, "unauthorized", "Authentication is required")
            .header("www-authenticate", challenge)
            .into()
    }

    /// 403: it is known who asks, and the answer is no.
    #[must_use]
    pub fn forbidden(title: &'static str) -> Self {
        Self::problem(403, title)
    }

    /// 429: again in `retry_after_ms`, which the client gets in whole seconds, rounded up.
    #[must_use]
    pub fn too_many_requests(retry_after_ms: u32) -> Self {
        Problem::new(429, "rate-limited", "Too many requests")
            .header("retry-after", &retry_after_ms.div_ceil(1000).max(1).to_string())
            .into()
    }
}

/// A response that says what went wrong, for programs and for people (RFC 9457).
///
/// The gateway's id of the request goes in with the verdict.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// From 400 to 599.
    pub status: u16,
    /// The last segment of the problem's `type`: clients may branch on it.
    pub slug: &'static str,
    /// The type in words; the same for all problems of the type.
    pub title: &'static str,
    /// What is special about this one. Never from an error's sources: they name hosts.
    pub detail: Option<String>,
    /// Header lines besides `content-type`.
    pub headers: Vec<(&'static str, String)>,
}

impl Problem {
    /// A problem of the type that `slug` names.
    #[must_use]
    pub fn new(status: u16, slug: &'static str, title: &'static str) -> Self {
        Self { status, slug, title, detail: None, headers: Vec::new() }
    }

    /// Says what is special about this one.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// The response, under the request's id.
    ///
    /// # Errors
    ///
    /// A header that HTTP does not allow.
    pub fn into_response(self, request_id: &str) -> Result<Response, Error> {
        #[derive(Serialize)]
        struct Body<'a> {
            r#type: String,
            title: &'a str,
            status: u16,
            #[serde(skip_serializing_if = "Option::is_none")]
            detail: Option<&'a str>,
            request_id: &'a str,
        }
        let mut response = Response::new(self.status);
        let body = serde_json::to_vec(&Body {
            r#type: format!("{PROBLEMS}{}", self.slug),
            title: self.title,
            // What no response can have has become another.
            status: response.status(),
            detail: self.detail.as_deref(),
            request_id,
        })?;

        let write = |response: &mut Response| -> Result<(), Refused> {
            response.set_header("content-type", "application/problem+json")?;
            for (name, value) in &self.headers {
                response.append_header(name, value)?;
            }
            response.set_body(&body)
        };
        write(&mut response)?;
        Ok(response)
    }
}

impl From<Problem> for Verdict {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

/// The type that a status has where nothing more special is known.
fn slug(status: u16) -> &'static str {
    match status {
        401 => "unauthorized",
        403 => "forbidden",
        404 => "not-found",
        413 => "body-too-large",
        429 => "rate-limited",
        400..=499 => "bad-request",
        502 => "upstream-unreachable",
        504 => "upstream-timeout",
        _ => "plugin-failed",
    }
}
