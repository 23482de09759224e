//! A response: the upstream's, a fetched one, or a new one.

use crate::error::{BodyError, Refused};
use crate::request::Field;
use crate::sys;

/// A response: the upstream's, a fetched one, or a new one.
///
/// Its body stays in the gateway until it is asked for.
pub struct Response {
    pub(crate) sys: sys::Response,
}

impl Response {
    /// An empty response; `status` is from 200 to 599.
    #[must_use]
    pub fn new(status: u16) -> Self {
        Self { sys: sys::Response::new(status) }
    }

    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.sys.status()
    }

    /// Changes the status code.
    ///
    /// # Errors
    ///
    /// Not from 200 to 599.
    pub fn set_status(&mut self, status: u16) -> Result<(), Refused> {
        self.sys.set_status(status)
    }

    /// A header's value; several lines of it are joined with `, ` (RFC 9110 section 5.3).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.sys.header(name)
    }

    /// The lines of one header, for those where two are not one list, such as `set-cookie`.
    #[must_use]
    pub fn header_lines(&self, name: &str) -> Vec<String> {
        self.sys.headers(Some(name)).into_iter().map(|field| field.value).collect()
    }

    /// All header lines in order.
    #[must_use]
    pub fn headers(&self) -> Vec<Field> {
        self.sys.headers(None)
    }

    /// Sets a header, in place of all lines of this name.
    ///
    /// # Errors
    ///
    /// HTTP does not allow the name or value, or the field belongs to the gateway.
    pub fn set_header(&mut self, name: &str, value: &str) -> Result<(), Refused> {
        self.sys.set_header(name, value)
    }

    /// Adds a line of a header to those that are there.
    ///
    /// # Errors
    ///
    /// As [`set_header`](Response::set_header).
    pub fn append_header(&mut self, name: &str, value: &str) -> Result<(), Refused> {
        self.sys.append_header(name, value)
    }

    /// Removes all lines of a header.
    ///
    /// # Errors
    ///
    /// The field belongs to the gateway.
    pub fn remove_header(&mut self, name: &str) -> Result<(), Refused> {
        self.sys.remove_header(name)
    }

    /// The whole body; waits for its end. That of the upstream's response needs
    /// [`Need::ResponseBody`](crate::Need::ResponseBody).
    ///
    /// Its content coding (gzip, br, zstd, deflate) is undone in what is read; the body itself goes
    /// on as it came.
    ///
    /// # Errors
    ///
    /// Too large (decoded), too slow, broken off, in an unknown coding, or not granted.
    pub fn body(&self) -> Result<Vec<u8>, BodyError> {
        self.sys.body()
    }

    /// Replaces the body; the gateway sets the length, and gives it the content coding of the one
    /// before if the client takes that. Who sets `content-encoding` after this says that `body` is
    /// in that coding.
    ///
    /// # Errors
    ///
    /// Not granted, or more than the gateway holds for one instance.
    pub fn set_body(&mut self, body: impl AsRef<[u8]>) -> Result<(), Refused> {
        self.sys.set_body(body.as_ref())
    }
}
