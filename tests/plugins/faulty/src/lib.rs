//! Misbehaves in the way that its configuration names.

mod fault;

use tollgate_plugin::store::Store;
use tollgate_plugin::{Config, Error, Outcome, Phases, Plugin, Request, Response, Verdict, plugin};

use crate::fault::{Fault, Place};

/// One fault, in one hook.
#[derive(Config)]
struct Faulty {
    /// Where it happens.
    hook: Hook,
    /// What happens.
    fault: Fault,
    /// Only for requests with this header.
    only_with: Option<String>,
    /// In `configure`: only while the store has this key.
    only_while: Option<String>,
}

#[derive(Clone, Copy, Config, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Hook {
    Configure,
    Request,
    RequestChunk,
    Response,
    ResponseChunk,
    Finish,
}

#[plugin]
impl Plugin for Faulty {
    type Config = Self;

    fn new(config: Self) -> Result<Self, Error> {
        if matches!(config.fault, Fault::Digest | Fault::Verify) {
            fault::prepare_digest();
        }
        if config.hook == Hook::Configure && config.is_time() {
            config.fault.happen(Place::Configure)?;
        }
        Ok(config)
    }

    fn phases(&self) -> Phases {
        match self.hook {
            // Whoever asks for the hook needs an instance.
            Hook::Configure if self.only_while.is_some() => Phases::REQUEST,
            Hook::Configure => Phases::NONE,
            Hook::Request => Phases::REQUEST,
            Hook::RequestChunk => Phases::REQUEST_CHUNKS,
            Hook::Response => Phases::RESPONSE,
            Hook::ResponseChunk => Phases::RESPONSE_CHUNKS,
            Hook::Finish => Phases::FINISH,
        }
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict, Error> {
        if self.is_meant(Hook::Request, request) {
            self.fault.happen(Place::Request(request))?;
        }
        Ok(Verdict::Next)
    }

    fn on_request_chunk(
        &self,
        request: &mut Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error> {
        self.reach_chunk(Hook::RequestChunk, request, chunk, last)
    }

    fn on_response(&self, request: &mut Request, response: &mut Response) -> Result<(), Error> {
        if self.is_meant(Hook::Response, request) {
            self.fault.happen(Place::Response(request, response))?;
        }
        Ok(())
    }

    fn on_response_chunk(
        &self,
        request: &mut Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error> {
        self.reach_chunk(Hook::ResponseChunk, request, chunk, last)
    }

    fn on_finish(&self, request: &mut Request, _: &Outcome) {
        if self.is_meant(Hook::Finish, request) {
            // There is nobody left to tell.
            let _ = self.fault.happen(Place::Finish(request));
        }
    }
}

impl Faulty {
    fn is_time(&self) -> bool {
        let has = |key: &String| Store::granted().get(key).is_ok_and(|value| value.is_some());
        self.only_while.as_ref().is_none_or(has)
    }

    fn is_meant(&self, hook: Hook, request: &Request) -> bool {
        let has = |name: &String| request.header(name).is_some();
        self.hook == hook && self.only_with.as_ref().is_none_or(has)
    }

    /// With the first chunk: the last one may be empty, and cannot be held back.
    fn reach_chunk(
        &self,
        hook: Hook,
        request: &mut Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error> {
        if last || !self.is_meant(hook, request) {
            return Ok(chunk);
        }
        let long = self.fault.happen(Place::Chunk(request))?;
        Ok(if long.is_empty() { chunk } else { long })
    }
}
