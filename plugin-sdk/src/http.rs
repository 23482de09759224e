//! Requests of the plugin's own, through the gateway's upstreams: their pools, load balancing, TLS
//! and health. Needs [`Need::Upstreams`](crate::Need::Upstreams).

use std::fmt;
use std::time::Duration;

use crate::request::Field;
use crate::response::Response;
use crate::sys;

/// A request of the plugin's own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Call {
    /// The name of an upstream that the use has been granted.
    pub upstream: String,
    /// Such as `GET`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Header lines; names in lower case.
    pub headers: Vec<Field>,
    /// Nothing for methods without one.
    pub body: Option<Vec<u8>>,
    /// Until the response's head; at most, and by default, what the exchange has left.
    pub timeout: Option<Duration>,
}

impl Call {
    /// A call without headers and body.
    #[must_use]
    pub fn new(upstream: &str, method: &str, target: &str) -> Self {
        Self {
            upstream: upstream.to_owned(),
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            body: None,
            timeout: None,
        }
    }

    /// A `GET`.
    #[must_use]
    pub fn get(upstream: &str, target: &str) -> Self {
        Self::new(upstream, "GET", target)
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push(Field { name: name.to_owned(), value: value.to_owned() });
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Waits at most this long for the response's head.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sends it and waits for the response's head.
    ///
    /// # Errors
    ///
    /// See [`CallError`]; a response of any status is none.
    pub fn send(self) -> Result<Response, CallError> {
        sys::send(self).map(|sys| Response { sys })
    }
}

/// Sends all calls at once and waits for all; the results are in the calls' order.
#[must_use]
pub fn send_all(calls: impl IntoIterator<Item = Call>) -> Vec<Result<Response, CallError>> {
    sys::send_all(calls.into_iter())
        .into_iter()
        .map(|result| result.map(|sys| Response { sys }))
        .collect()
}

/// Why a call got no response.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum CallError {
    /// The configuration has not granted this upstream to the plugin.
    NotGranted,
    /// No upstream has this name.
    UnknownUpstream,
    /// Not a request that HTTP allows.
    Invalid(String),
    /// No head in time.
    TimedOut,
    /// No endpoint took the connection.
    Unreachable(String),
    /// What came back was not HTTP.
    Protocol(String),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotGranted => f.write_str(
                "the upstream is not granted to this plugin: its use has to name it in `grants.upstreams`",
            ),
            Self::UnknownUpstream => f.write_str("no upstream has this name"),
            Self::Invalid(why) => write!(f, "the call is not valid: {why}"),
            Self::TimedOut => f.write_str("the upstream did not answer in time"),
            Self::Unreachable(why) => write!(f, "the upstream cannot be reached: {why}"),
            Self::Protocol(why) => write!(f, "the upstream did not answer in HTTP: {why}"),
        }
    }
}

impl std::error::Error for CallError {}
