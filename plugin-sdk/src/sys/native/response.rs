//! A response: its data, and the gateway's rules for changing them.

use std::cell::RefCell;

use super::fields::{append, invalid, joined, lines, not_granted_body, remove, set};
use crate::error::{BodyError, Refused};
use crate::request::Field;

#[derive(Default)]
pub(crate) struct Response(pub(super) RefCell<ResponseData>);

#[derive(Clone, Default)]
pub(super) struct ResponseData {
    status: u16,
    headers: Vec<Field>,
    body: Vec<u8>,
    /// As [`super::request::RequestData::is_body_withheld`].
    is_body_withheld: bool,
}

impl Response {
    pub(crate) fn new(status: u16) -> Self {
        assert!((200..=599).contains(&status), "{status} is not a final status");
        Self(RefCell::new(ResponseData { status, ..ResponseData::default() }))
    }
    pub(crate) fn status(&self) -> u16 {
        self.0.borrow().status
    }
    pub(crate) fn set_status(&self, status: u16) -> Result<(), Refused> {
        if !(200..=599).contains(&status) {
            return Err(invalid("the status", "not a final status"));
        }
        self.0.borrow_mut().status = status;
        Ok(())
    }
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        joined(&self.0.borrow().headers, name)
    }
    pub(crate) fn headers(&self, name: Option<&str>) -> Vec<Field> {
        lines(&self.0.borrow().headers, name)
    }
    pub(crate) fn set_header(&self, name: &str, value: &str) -> Result<(), Refused> {
        set(&mut self.0.borrow_mut().headers, name, value)
    }
    pub(crate) fn append_header(&self, name: &str, value: &str) -> Result<(), Refused> {
        append(&mut self.0.borrow_mut().headers, name, value)
    }
    pub(crate) fn remove_header(&self, name: &str) -> Result<(), Refused> {
        remove(&mut self.0.borrow_mut().headers, name)
    }
    pub(crate) fn withhold_body(&self, withheld: bool) {
        self.0.borrow_mut().is_body_withheld = withheld;
    }
    pub(crate) fn body(&self) -> Result<Vec<u8>, BodyError> {
        let data = self.0.borrow();
        if data.is_body_withheld { Err(BodyError::NotGranted) } else { Ok(data.body.clone()) }
    }
    pub(crate) fn set_body(&self, body: &[u8]) -> Result<(), Refused> {
        if self.0.borrow().is_body_withheld {
            return Err(not_granted_body());
        }
        self.0.borrow_mut().body = body.to_vec();
        Ok(())
    }
}
