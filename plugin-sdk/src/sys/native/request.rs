//! A request: its data, and the gateway's rules for changing them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::fields::{
    append, check, invalid, joined, lines, not_granted_body, remove, remove_lookalikes, set,
};
use crate::error::{BodyError, Refused};
use crate::name::is_token;
use crate::request::{Field, Peer};

#[derive(Default)]
pub(crate) struct Request(pub(crate) RefCell<RequestData>);

#[derive(Default)]
pub(crate) struct RequestData {
    pub(crate) id: String,
    pub(crate) route: String,
    pub(crate) peer: Peer,
    pub(crate) method: String,
    pub(crate) scheme: String,
    pub(crate) authority: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) params: BTreeMap<String, String>,
    pub(crate) headers: Vec<Field>,
    pub(crate) body: Vec<u8>,
    /// During the hooks of a plugin that has not said that it needs the body.
    pub(crate) is_body_withheld: bool,
    pub(crate) attributes: BTreeMap<String, String>,
    /// What `set_target` has set.
    pub(crate) target: Option<String>,
    pub(crate) upstream: Option<String>,
    /// There during a chunk hook.
    pub(crate) chunk: Option<Chunk>,
}

/// What a chunk hook may still do.
#[derive(Default)]
pub(crate) struct Chunk {
    pub(crate) last: bool,
    pub(crate) held: Vec<u8>,
}

impl Request {
    /// A head that has been sent cannot be changed.
    fn check_unsent(&self, what: &str) -> Result<(), Refused> {
        match self.0.borrow().chunk {
            Some(_) => Err(invalid(what, "the head has been sent")),
            None => Ok(()),
        }
    }
    pub(crate) fn hold_back(&self, bytes: &[u8]) -> Result<(), Refused> {
        let what = "bytes held back";
        match &mut self.0.borrow_mut().chunk {
            None => Err(invalid(what, "only a chunk hook can hold bytes back")),
            Some(chunk) if chunk.last => Err(invalid(what, "nothing comes after the last chunk")),
            Some(chunk) => {
                chunk.held = bytes.to_vec();
                Ok(())
            }
        }
    }
    pub(crate) fn id(&self) -> String {
        self.0.borrow().id.clone()
    }
    pub(crate) fn route(&self) -> String {
        self.0.borrow().route.clone()
    }
    pub(crate) fn peer(&self) -> Peer {
        self.0.borrow().peer.clone()
    }
    pub(crate) fn method(&self) -> String {
        self.0.borrow().method.clone()
    }
    pub(crate) fn set_method(&self, method: &str) -> Result<(), Refused> {
        self.check_unsent(method)?;
        let refused = matches!(method, "" | "CONNECT" | "TRACE");
        if refused || !method.bytes().all(is_token) {
            return Err(invalid(method, "not a method to forward"));
        }
        method.clone_into(&mut self.0.borrow_mut().method);
        Ok(())
    }
    pub(crate) fn scheme(&self) -> String {
        self.0.borrow().scheme.clone()
    }
    pub(crate) fn authority(&self) -> String {
        self.0.borrow().authority.clone()
    }
    pub(crate) fn path(&self) -> String {
        self.0.borrow().path.clone()
    }
    pub(crate) fn query(&self) -> Option<String> {
        self.0.borrow().query.clone()
    }
    pub(crate) fn set_target(&self, target: &str) -> Result<(), Refused> {
        self.check_unsent("the target")?;
        if !target.starts_with('/') || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(invalid("the target", "not a request target"));
        }
        self.0.borrow_mut().target = Some(target.to_owned());
        Ok(())
    }
    pub(crate) fn param(&self, name: &str) -> Option<String> {
        self.0.borrow().params.get(name).cloned()
    }
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        joined(&self.0.borrow().headers, name)
    }
    pub(crate) fn headers(&self, name: Option<&str>) -> Vec<Field> {
        lines(&self.0.borrow().headers, name)
    }
    pub(crate) fn set_header(&self, name: &str, value: &str) -> Result<(), Refused> {
        self.check_unsent(name)?;
        check(name, value)?;
        remove_lookalikes(&mut self.0.borrow_mut().headers, name);
        set(&mut self.0.borrow_mut().headers, name, value)
    }
    pub(crate) fn append_header(&self, name: &str, value: &str) -> Result<(), Refused> {
        self.check_unsent(name)?;
        append(&mut self.0.borrow_mut().headers, name, value)
    }
    pub(crate) fn remove_header(&self, name: &str) -> Result<(), Refused> {
        self.check_unsent(name)?;
        check(name, "")?;
        remove_lookalikes(&mut self.0.borrow_mut().headers, name);
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
        self.check_unsent("the body")?;
        self.0.borrow_mut().body = body.to_vec();
        Ok(())
    }
    pub(crate) fn attribute(&self, name: &str) -> Option<String> {
        self.0.borrow().attributes.get(name).cloned()
    }
    pub(crate) fn set_attribute(&self, name: &str, value: &str) {
        self.0.borrow_mut().attributes.insert(name.to_owned(), value.to_owned());
    }
    pub(crate) fn set_upstream(&self, name: &str) -> Result<(), Refused> {
        self.check_unsent(name)?;
        self.0.borrow_mut().upstream = Some(name.to_owned());
        Ok(())
    }
}
