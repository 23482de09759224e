//! Why a hook or a configuration failed.

use std::fmt;

/// Why a hook or a configuration failed, in words for the operator.
///
/// The text goes to the log and never to a client. Any [`std::error::Error`] becomes one with `?`,
/// its sources included; which is why this type cannot be a [`std::error::Error`] itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Error(String);

impl Error {
    /// An error that says `text`: lower case, no full stop, no secrets.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Of several faults in a configuration: `Err` with a line for each, `Ok` if there are none.
    ///
    /// The gateway tells each line as a fault. One that begins with the way to a value, as in
    /// `limits[0].cost: must be at least 1`, it tells at the line and column of that value.
    ///
    /// # Errors
    ///
    /// There are faults.
    pub fn if_any(faults: &[String]) -> Result<(), Self> {
        if faults.is_empty() { Ok(()) } else { Err(Self(faults.join("\n"))) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        Self(text)
    }
}

/// What the gateway did not let a plugin set or use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refused {
    /// The field, method, target or upstream.
    pub what: String,
    /// Why.
    pub reason: Reason,
}

/// Why the gateway refused something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reason {
    /// HTTP does not allow it, such as a field value with a line break.
    Invalid(String),
    /// Framing and connection fields belong to the gateway.
    Reserved,
    /// The configuration has not granted it.
    NotGranted,
    /// No upstream has this name.
    Unknown,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = &self.what;
        match &self.reason {
            Reason::Invalid(why) => write!(f, "`{what}` cannot be set: {why}"),
            Reason::Reserved => write!(f, "`{what}` belongs to the gateway"),
            Reason::NotGranted => {
                write!(
                    f,
                    "`{what}` is not granted to this plugin: that is for the `grants` of its use"
                )
            }
            Reason::Unknown => write!(f, "no upstream is called `{what}`"),
        }
    }
}

impl std::error::Error for Refused {}

/// Why a body could not be read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum BodyError {
    /// Larger than the use's `max_body`, in bytes.
    TooLarge(u64),
    /// It did not end in time.
    TimedOut,
    /// The sender went away before the end, or the body has gone on already: that of a request is there in
    /// `on_request` alone.
    Aborted,
    /// The configuration has not granted bodies to this plugin.
    NotGranted,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge(limit) => write!(f, "the body is larger than {limit} bytes"),
            Self::TimedOut => f.write_str("the body did not end in time"),
            Self::Aborted => f.write_str("the body broke off, or has gone on already"),
            Self::NotGranted => f.write_str(
                "the body is not granted to this plugin: its use has to set `grants.request_body`, or `response_body` for that of a response",
            ),
        }
    }
}

impl std::error::Error for BodyError {}
