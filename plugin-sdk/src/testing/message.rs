//! What goes in: requests, and responses of upstreams.

use std::cell::RefCell;

use crate::request::{self, Field, Peer};
use crate::response::Response;
use crate::sys;

/// A request to be sent.
pub struct Request {
    data: sys::RequestData,
}

impl Request {
    /// A `GET` of a path and query, from 192.0.2.1, on a route called `route`.
    #[must_use]
    pub fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    /// A `POST`, otherwise as [`get`](Request::get).
    #[must_use]
    pub fn post(target: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", target).body(body)
    }

    /// A request with any method, otherwise as [`get`](Request::get).
    #[must_use]
    pub fn new(method: &str, target: &str) -> Self {
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let data = sys::RequestData {
            id: "test-request".to_owned(),
            route: "route".to_owned(),
            peer: Peer { address: "192.0.2.1".to_owned(), tls: None },
            method: method.to_owned(),
            scheme: "http".to_owned(),
            authority: "gateway.test".to_owned(),
            path: path.to_owned(),
            query,
            ..sys::RequestData::default()
        };
        Self { data }
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let name = name.to_ascii_lowercase();
        self.data.headers.push(Field { name, value: value.to_owned() });
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.data.body = body.into();
        self
    }

    /// Sets a path parameter of the route.
    #[must_use]
    pub fn param(mut self, name: &str, value: &str) -> Self {
        self.data.params.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets an attribute, as an earlier plugin would.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.data.attributes.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Sets the client's address.
    #[must_use]
    pub fn from(mut self, address: &str) -> Self {
        address.clone_into(&mut self.data.peer.address);
        self
    }

    /// Sets the name of the route.
    #[must_use]
    pub fn route(mut self, route: &str) -> Self {
        route.clone_into(&mut self.data.route);
        self
    }

    /// The request as a plugin sees it, for tests of a plugin's parts.
    #[must_use]
    pub fn build(self) -> request::Request {
        request::Request { sys: sys::Request(RefCell::new(self.data)) }
    }
}

impl Response {
    /// Adds a header line, to make a response in one expression in a test.
    ///
    /// # Panics
    ///
    /// HTTP does not allow it.
    #[must_use]
    #[track_caller]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.append_header(name, value).expect("a header that HTTP allows");
        self
    }

    /// Sets the body, to make a response in one expression in a test.
    #[must_use]
    pub fn with_body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.set_body(body).expect("a body in memory");
        self
    }
}
