//! `types.response`: the exchange's response, a fetched one, or one that the plugin makes.

use http::{Response, StatusCode};
use wasmtime::{Result, component::Resource};

use super::{fields, request::body_error};
use crate::{
    body::Body,
    cache::FromCache,
    coding::{self, Recode},
    plugin::{
        bindings::tollgate::plugin::types::{BodyError, Field, HostResponse, Refused},
        denied::Lack,
        reached::Limit,
        state::{ResponseHandle, State},
    },
};

type Handle = Resource<ResponseHandle>;

impl HostResponse for State {
    fn new(&mut self, status: u16) -> Result<Handle> {
        let mut response = Response::new(Body::Empty);
        // A constructor cannot fail: what is no final status becomes the status of a fault.
        *response.status_mut() = final_status(status).unwrap_or_else(|| {
            self.tell_misfit(status);
            StatusCode::INTERNAL_SERVER_ERROR
        });
        Ok(self.own(response)?)
    }

    fn status(&mut self, response: Handle) -> Result<u16> {
        Ok(self.response(&response)?.status().as_u16())
    }

    fn set_status(&mut self, response: Handle, status: u16) -> Result<Result<(), Refused>> {
        let response = self.response(&response)?;
        let Some(status) = final_status(status) else {
            let reason = format!("{status} is not a status from 200 to 599");
            return Ok(Err(Refused::Invalid(reason)));
        };
        *response.status_mut() = status;
        Ok(Ok(()))
    }

    fn header(&mut self, response: Handle, name: String) -> Result<Option<String>> {
        Ok(fields::joined(self.response(&response)?.headers(), &name))
    }

    fn headers(&mut self, response: Handle, name: Option<String>) -> Result<Vec<Field>> {
        Ok(fields::lines(self.response(&response)?.headers(), name.as_deref()))
    }

    fn set_header(
        &mut self,
        response: Handle,
        name: String,
        value: String,
    ) -> Result<Result<(), Refused>> {
        if let Err(refused) = self.room_for(&response, name.len() + value.len()) {
            return Ok(Err(refused));
        }
        let set = fields::set(self.response(&response)?.headers_mut(), &name, value);
        self.recount(&response);
        Ok(set)
    }

    fn append_header(
        &mut self,
        response: Handle,
        name: String,
        value: String,
    ) -> Result<Result<(), Refused>> {
        if let Err(refused) = self.room_for(&response, name.len() + value.len()) {
            return Ok(Err(refused));
        }
        let appended = fields::append(self.response(&response)?.headers_mut(), &name, value);
        self.recount(&response);
        Ok(appended)
    }

    fn remove_header(&mut self, response: Handle, name: String) -> Result<Result<(), Refused>> {
        Ok(fields::remove(self.response(&response)?.headers_mut(), &name))
    }

    async fn body(&mut self, response: Handle) -> Result<Result<Vec<u8>, BodyError>> {
        if self.is_of_an_exchange(&response)? && !self.settings.grants.response_body {
            self.denied(Lack::ResponseBody);
            return Ok(Err(BodyError::NotGranted));
        }
        let mut limit = self.settings.limits.max_body;
        if let Some((own, held)) = self.own_response(&response) {
            limit = limit.min(held.room_for_body(own) as u64);
        }
        let read_from = self.response(&response)?;
        let coded = coding::of(read_from.headers());
        let read = read_from.body_mut().read_decoded(coded, limit).await;
        self.recount(&response);
        let read = read.map(Vec::from).map_err(|error| body_error(&error));
        if let Err(BodyError::TooLarge(_)) = &read {
            self.reached(Limit::Body);
        }
        Ok(read)
    }

    fn set_body(&mut self, response: Handle, body: Vec<u8>) -> Result<Result<(), Refused>> {
        if self.is_of_the_exchange(&response) && !self.settings.grants.response_body {
            self.denied(Lack::ResponseBody);
            return Ok(Err(Refused::NotGranted));
        }
        if let Err(refused) = self.check_body(&body) {
            return Ok(Err(refused));
        }
        if let Some((own, held)) = self.own_response(&response)
            && body.len() > held.room_for_body(own)
        {
            return Ok(Err(Refused::Invalid(held.refusal())));
        }
        let of_the_exchange = self.is_of_the_exchange(&response);
        let changed = self.response(&response)?;
        let headers = changed.headers_mut();
        coding::bytes_change(headers);
        // What a plugin says of a response of its own, it says of the body that it sets.
        if of_the_exchange {
            coding::weaken(headers);
        }
        if let Some(coding) = coding::remove(headers) {
            changed.extensions_mut().insert(Recode(coding));
        }
        *changed.body_mut() = Body::full(body);
        self.recount(&response);
        Ok(Ok(()))
    }

    fn drop(&mut self, response: Handle) -> Result<()> {
        if response.owned() {
            self.disown(&response)?;
        }
        Ok(())
    }
}

impl State {
    /// # Errors
    ///
    /// The instance holds as much as it may. The exchange's response it does not hold.
    fn room_for(&mut self, response: &Handle, bytes: usize) -> Result<(), Refused> {
        match self.own_response(response) {
            Some((_, held)) if bytes > held.room() => Err(Refused::Invalid(held.refusal())),
            _ => Ok(()),
        }
    }

    /// A response has changed.
    fn recount(&mut self, response: &Handle) {
        if let Some((own, held)) = self.own_response(response) {
            held.recount(own);
        }
    }

    /// What a plugin fetched or made itself it may read. The exchange's own body needs the grant,
    /// and so does one that came from the cache: it may be that of an exchange before.
    fn is_of_an_exchange(&mut self, response: &Handle) -> Result<bool> {
        let is_own = self.is_of_the_exchange(response);
        Ok(is_own || self.response(response)?.extensions().get::<FromCache>().is_some())
    }
}

impl State {
    fn tell_misfit(&self, status: u16) {
        if self.settings.may_tell_failure() {
            let plugin = self.settings.name.as_str();
            let request_id = self.exchange().ok().map(|exchange| exchange.id());
            tracing::warn!(
                plugin,
                request_id,
                status,
                "a plugin made a response with a status that is not from 200 to 599: it has 500"
            );
        }
    }
}

/// A status that ends an exchange: interim ones (1xx) are the connection's.
fn final_status(status: u16) -> Option<StatusCode> {
    (200..=599).contains(&status).then(|| StatusCode::from_u16(status).ok()).flatten()
}
