//! Requests and responses: handles to what the gateway has.

use super::bindings::tollgate::plugin::types;
use crate::error::{BodyError, Reason, Refused};
use crate::request::{ClientCertificate, Field, Peer, Tls};

pub(crate) struct Request(pub(super) types::Request);
pub(crate) struct Response(pub(super) types::Response);

impl Request {
    pub(crate) fn id(&self) -> String {
        self.0.id()
    }
    pub(crate) fn route(&self) -> String {
        self.0.route()
    }
    pub(crate) fn peer(&self) -> Peer {
        let peer = self.0.peer();
        let tls = peer.tls.map(|tls| Tls {
            version: tls.version,
            server_name: tls.server_name,
            client_certificate: tls.client_certificate.map(|certificate| ClientCertificate {
                subject: certificate.subject,
                alternative_names: certificate.alternative_names,
                sha256: certificate.sha256,
            }),
        });
        Peer { address: peer.address, tls }
    }
    pub(crate) fn method(&self) -> String {
        self.0.method()
    }
    pub(crate) fn set_method(&self, method: &str) -> Result<(), Refused> {
        self.0.set_method(method).map_err(|why| refused(method, why))
    }
    pub(crate) fn scheme(&self) -> String {
        self.0.scheme()
    }
    pub(crate) fn authority(&self) -> String {
        self.0.authority()
    }
    pub(crate) fn path(&self) -> String {
        self.0.path()
    }
    pub(crate) fn query(&self) -> Option<String> {
        self.0.query()
    }
    pub(crate) fn set_target(&self, target: &str) -> Result<(), Refused> {
        self.0.set_target(target).map_err(|why| refused("the target", why))
    }
    pub(crate) fn param(&self, name: &str) -> Option<String> {
        self.0.param(name)
    }
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.0.header(name)
    }
    pub(crate) fn headers(&self, name: Option<&str>) -> Vec<Field> {
        fields(self.0.headers(name))
    }
    pub(crate) fn set_header(&self, name: &str, value: &str) -> Result<(), Refused> {
        self.0.set_header(name, value).map_err(|why| refused(name, why))
    }
    pub(crate) fn append_header(&self, name: &str, value: &str) -> Result<(), Refused> {
        self.0.append_header(name, value).map_err(|why| refused(name, why))
    }
    pub(crate) fn remove_header(&self, name: &str) -> Result<(), Refused> {
        self.0.remove_header(name).map_err(|why| refused(name, why))
    }
    pub(crate) fn body(&self) -> Result<Vec<u8>, BodyError> {
        self.0.body().map_err(body_error)
    }
    pub(crate) fn set_body(&self, body: &[u8]) -> Result<(), Refused> {
        self.0.set_body(body).map_err(|why| refused("the body", why))
    }
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        self.0.attribute(name)
    }
    pub(crate) fn set_attribute(&self, name: &str, value: &str) {
        self.0.set_attribute(name, value);
    }
    pub(crate) fn hold_back(&self, bytes: &[u8]) -> Result<(), Refused> {
        self.0.hold_back(bytes).map_err(|why| refused("bytes held back", why))
    }
    pub(crate) fn set_upstream(&self, name: &str) -> Result<(), Refused> {
        self.0.set_upstream(name).map_err(|why| refused(name, why))
    }
}

impl Response {
    pub(crate) fn new(status: u16) -> Self {
        Self(types::Response::new(status))
    }
    pub(crate) fn status(&self) -> u16 {
        self.0.status()
    }
    pub(crate) fn set_status(&self, status: u16) -> Result<(), Refused> {
        self.0.set_status(status).map_err(|why| refused("the status", why))
    }
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.0.header(name)
    }
    pub(crate) fn headers(&self, name: Option<&str>) -> Vec<Field> {
        fields(self.0.headers(name))
    }
    pub(crate) fn set_header(&self, name: &str, value: &str) -> Result<(), Refused> {
        self.0.set_header(name, value).map_err(|why| refused(name, why))
    }
    pub(crate) fn append_header(&self, name: &str, value: &str) -> Result<(), Refused> {
        self.0.append_header(name, value).map_err(|why| refused(name, why))
    }
    pub(crate) fn remove_header(&self, name: &str) -> Result<(), Refused> {
        self.0.remove_header(name).map_err(|why| refused(name, why))
    }
    pub(crate) fn body(&self) -> Result<Vec<u8>, BodyError> {
        self.0.body().map_err(body_error)
    }
    pub(crate) fn set_body(&self, body: &[u8]) -> Result<(), Refused> {
        self.0.set_body(body).map_err(|why| refused("the body", why))
    }
}

fn fields(fields: Vec<types::Field>) -> Vec<Field> {
    fields.into_iter().map(|field| Field { name: field.name, value: field.value }).collect()
}

fn refused(what: &str, why: types::Refused) -> Refused {
    let reason = match why {
        types::Refused::Invalid(why) => Reason::Invalid(why),
        types::Refused::Reserved => Reason::Reserved,
        types::Refused::NotGranted => Reason::NotGranted,
        types::Refused::Unknown => Reason::Unknown,
    };
    Refused { what: what.to_owned(), reason }
}

fn body_error(error: types::BodyError) -> BodyError {
    match error {
        types::BodyError::TooLarge(limit) => BodyError::TooLarge(limit),
        types::BodyError::TimedOut => BodyError::TimedOut,
        types::BodyError::Aborted => BodyError::Aborted,
        types::BodyError::NotGranted => BodyError::NotGranted,
    }
}
