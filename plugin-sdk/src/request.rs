//! The request on its way to the upstream.

use crate::error::{BodyError, Refused};
use crate::name::HeaderName;
use crate::sys;
use crate::template::percent_decode;

/// The request on its way to the upstream.
///
/// It lives in the gateway: each method is one call across the border, and nothing is copied that
/// is not asked for.
pub struct Request {
    pub(crate) sys: sys::Request,
}

impl Request {
    /// The id that logs, traces and problem responses carry.
    #[must_use]
    pub fn id(&self) -> String {
        self.sys.id()
    }

    /// The name of the route that took the request.
    #[must_use]
    pub fn route(&self) -> String {
        self.sys.route()
    }

    /// Who sent it, after the trusted-proxy rules.
    #[must_use]
    pub fn peer(&self) -> Peer {
        self.sys.peer()
    }

    /// The method, such as `GET`.
    #[must_use]
    pub fn method(&self) -> String {
        self.sys.method()
    }

    /// Changes the method.
    ///
    /// # Errors
    ///
    /// Not a method, or CONNECT or TRACE, which no gateway sends on.
    pub fn set_method(&mut self, method: &str) -> Result<(), Refused> {
        self.sys.set_method(method)
    }

    /// `http` or `https`.
    #[must_use]
    pub fn scheme(&self) -> String {
        self.sys.scheme()
    }

    /// The host, and the port if one was given.
    #[must_use]
    pub fn authority(&self) -> String {
        self.sys.authority()
    }

    /// The path as received, normalised: not percent-decoded but for characters that need no
    /// encoding, without dot segments, without the query.
    #[must_use]
    pub fn path(&self) -> String {
        self.sys.path()
    }

    /// The query as received, without the `?`.
    #[must_use]
    pub fn query(&self) -> Option<String> {
        self.sys.query()
    }

    /// The first value of a query parameter, percent-decoded, with `+` as a space.
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<String> {
        self.query_values(name).into_iter().next()
    }

    /// All values of a query parameter, percent-decoded, with `+` as a space.
    #[must_use]
    pub fn query_values(&self, name: &str) -> Vec<String> {
        let query = self.query().unwrap_or_default();
        query
            .split('&')
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .filter(|(key, _)| *key == name || percent_decode(key) == name)
            .map(|(_, value)| percent_decode(value))
            .collect()
    }

    /// Takes a parameter out of the query that the upstream will see; the others keep their order
    /// and spelling.
    ///
    /// # Errors
    ///
    /// As [`set_target`](Request::set_target).
    pub fn remove_query(&mut self, name: &str) -> Result<(), Refused> {
        let Some(query) = self.query() else { return Ok(()) };
        let kept: Vec<&str> = query
            .split('&')
            .filter(|pair| percent_decode(pair.split('=').next().unwrap_or_default()) != name)
            .collect();
        let path = self.path();
        if kept.is_empty() {
            self.set_target(&path)
        } else {
            self.set_target(&format!("{path}?{}", kept.join("&")))
        }
    }

    /// A cookie's values (RFC 6265 section 4.2.1); more than one if the client sent several.
    #[must_use]
    pub fn cookies(&self, name: &str) -> Vec<String> {
        let cookies = |line: &str| -> Vec<String> {
            line.split(';')
                .filter_map(|pair| pair.trim().split_once('='))
                .filter(|(key, _)| *key == name)
                .map(|(_, value)| value.to_owned())
                .collect()
        };
        self.header_lines("cookie").iter().flat_map(|line| cookies(line)).collect()
    }

    /// Takes a cookie out of those that the upstream will see.
    ///
    /// # Errors
    ///
    /// As [`set_header`](Request::set_header).
    pub fn remove_cookie(&mut self, name: &str) -> Result<(), Refused> {
        let lines = self.header_lines("cookie");
        let kept: Vec<&str> = lines
            .iter()
            .flat_map(|line| line.split(';'))
            .map(str::trim)
            .filter(|pair| !pair.is_empty() && pair.split('=').next() != Some(name))
            .collect();
        if kept.is_empty() {
            self.remove_header("cookie")
        } else {
            self.set_header("cookie", &kept.join("; "))
        }
    }

    /// Changes the path and query that the upstream will see.
    ///
    /// # Errors
    ///
    /// Not a request target.
    pub fn set_target(&mut self, path_and_query: &str) -> Result<(), Refused> {
        self.sys.set_target(path_and_query)
    }

    /// A path parameter of the route's pattern, percent-decoded.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<String> {
        self.sys.param(name)
    }

    /// A header's value; several lines of it are joined with `, ` (RFC 9110 section 5.3).
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.sys.header(name)
    }

    /// The lines of one header, for those where two are not one list.
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
    /// As [`set_header`](Request::set_header).
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

    /// Makes a header the gateway's own: what the client sent under this name, in every spelling
    /// that an upstream could take for it, is gone, and `value` stands there, if there is one.
    ///
    /// # Errors
    ///
    /// As [`set_header`](Request::set_header).
    pub fn own_header(&mut self, name: &HeaderName, value: Option<&str>) -> Result<(), Refused> {
        // The gateway itself removes the other spellings.
        match value {
            Some(value) => self.set_header(name.as_str(), value),
            None => self.remove_header(name.as_str()),
        }
    }

    /// The whole body; waits for its end. Needs [`Need::RequestBody`](crate::Need::RequestBody).
    ///
    /// Its content coding (gzip, br, zstd, deflate) is undone in what is read; the body itself goes
    /// on as it came.
    ///
    /// # Errors
    ///
    /// Too large (decoded), too slow, broken off, in an unknown coding, or not granted. All but the
    /// last are the client's doing.
    pub fn body(&self) -> Result<Vec<u8>, BodyError> {
        self.sys.body()
    }

    /// Replaces the body; the gateway sets the length, and gives it the content coding of the one
    /// before. Who sets `content-encoding` after this says that `body` is in that coding.
    ///
    /// # Errors
    ///
    /// Not granted.
    pub fn set_body(&mut self, body: impl AsRef<[u8]>) -> Result<(), Refused> {
        self.sys.set_body(body.as_ref())
    }

    /// A value that an earlier hook or plugin noted for this exchange.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<String> {
        self.sys.attribute(name)
    }

    /// Notes a value for later hooks, later plugins, the access log and rate-limit keys.
    pub fn set_attribute(&mut self, name: &str, value: &str) {
        self.sys.set_attribute(name, value);
    }

    /// In a chunk hook: these bytes come again, before those of the next chunk; a second call
    /// replaces the first.
    ///
    /// This is how a plugin waits for more before it decides, about a word that may be cut in two
    /// for example. The gateway keeps the bytes: the next chunk may go to another instance.
    ///
    /// # Errors
    ///
    /// More than the use's `max_body`, with the last chunk, or outside of a chunk hook.
    pub fn hold_back(&mut self, bytes: impl AsRef<[u8]>) -> Result<(), Refused> {
        self.sys.hold_back(bytes.as_ref())
    }

    /// Sends this exchange to another upstream than the route's.
    ///
    /// # Errors
    ///
    /// Unknown or not granted.
    pub fn set_upstream(&mut self, name: &str) -> Result<(), Refused> {
        self.sys.set_upstream(name)
    }
}

/// One header line; the name is lower-case.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Field {
    /// Lower-case.
    pub name: String,
    /// Bytes that are not UTF-8 show as U+FFFD; a line that is not set again goes on unchanged.
    pub value: String,
}

/// Who sent the request.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Peer {
    /// The client's address after the trusted-proxy rules, without a port.
    pub address: String,
    /// The connection's TLS session, if it has one.
    pub tls: Option<Tls>,
}

/// The TLS session of the client's connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tls {
    /// Such as `1.3`.
    pub version: String,
    /// The name that the client asked for (SNI).
    pub server_name: Option<String>,
    /// The certificate that the client proved.
    pub client_certificate: Option<ClientCertificate>,
}

/// A certificate that the client proved.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientCertificate {
    /// The subject's distinguished name.
    pub subject: String,
    /// DNS names, addresses and URIs, in the certificate's order.
    pub alternative_names: Vec<String>,
    /// Hex SHA-256 of the DER certificate.
    pub sha256: String,
}
