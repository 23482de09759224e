//! `types.request`: the exchange's request, looked at and changed where it stands.

use std::{borrow::Cow, sync::Arc};

use http::uri::PathAndQuery;
use percent_encoding::percent_decode_str;
use wasmtime::{Result, component::Resource};

use super::fields;
use crate::{
    body::{Body, BodyError as Ended, ReadError},
    coding,
    exchange::Exchange,
    plugin::{
        bindings::tollgate::plugin::types::{
            self, BodyError, ClientCertificate, Field, HostRequest, Peer, Refused, TlsInfo,
        },
        denied::Lack,
        reached::Limit,
        state::{RequestHandle, State},
    },
    router::normalise,
};

type Handle = Resource<RequestHandle>;

impl types::Host for State {}

impl HostRequest for State {
    fn id(&mut self, _: Handle) -> Result<String> {
        Ok(self.exchange()?.id().to_owned())
    }

    fn route(&mut self, _: Handle) -> Result<String> {
        Ok(self.exchange()?.route_name().to_owned())
    }

    fn peer(&mut self, _: Handle) -> Result<Peer> {
        let exchange = self.exchange()?;
        let address = exchange.client_address().to_string();
        let tls = exchange.client.tls.as_ref().map(|tls| TlsInfo {
            version: tls.version.to_owned(),
            server_name: tls.server_name.clone(),
            client_certificate: tls.certificate.as_ref().map(|certificate| ClientCertificate {
                subject: certificate.subject.clone(),
                alternative_names: certificate.alternative_names.clone(),
                sha256: certificate.sha256.clone(),
            }),
        });
        Ok(Peer { address, tls })
    }

    fn method(&mut self, _: Handle) -> Result<String> {
        Ok(self.exchange()?.request.method.as_str().to_owned())
    }

    fn set_method(&mut self, _: Handle, method: String) -> Result<Result<(), Refused>> {
        let Some(parsed) = fields::method(&method) else {
            return Ok(Err(Refused::Invalid(format!("`{method}` is not a method to forward"))));
        };
        Ok(self.before_sent()?.map(|exchange| exchange.request.method = parsed))
    }

    fn scheme(&mut self, _: Handle) -> Result<String> {
        Ok(self.exchange()?.client.scheme().to_owned())
    }

    fn authority(&mut self, _: Handle) -> Result<String> {
        let host = self.exchange()?.request.headers.get(http::header::HOST);
        Ok(host.and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned())
    }

    fn path(&mut self, _: Handle) -> Result<String> {
        Ok(self.exchange()?.uri().path().to_owned())
    }

    fn query(&mut self, _: Handle) -> Result<Option<String>> {
        Ok(self.exchange()?.uri().query().map(str::to_owned))
    }

    fn set_target(&mut self, _: Handle, target: String) -> Result<Result<(), Refused>> {
        let Some(parsed) = normal_target(&target) else {
            let reason = "a target is a path that begins with `/` and stays below it, with an \
                          optional query";
            return Ok(Err(Refused::Invalid(reason.into())));
        };
        Ok(self.before_sent()?.map(|exchange| exchange.target = Some(parsed)))
    }

    fn param(&mut self, _: Handle, name: String) -> Result<Option<String>> {
        let raw = self.exchange()?.param(&name);
        Ok(raw.map(|raw| percent_decode_str(raw).decode_utf8_lossy().into_owned()))
    }

    fn header(&mut self, _: Handle, name: String) -> Result<Option<String>> {
        Ok(fields::joined(&self.exchange()?.request.headers, &name))
    }

    fn headers(&mut self, _: Handle, name: Option<String>) -> Result<Vec<Field>> {
        Ok(fields::lines(&self.exchange()?.request.headers, name.as_deref()))
    }

    fn set_header(
        &mut self,
        _: Handle,
        name: String,
        value: String,
    ) -> Result<Result<(), Refused>> {
        let headers = match self.before_sent()? {
            Ok(exchange) => &mut exchange.request.headers,
            Err(late) => return Ok(Err(late)),
        };
        let set = fields::set(headers, &name, value);
        if set.is_ok() {
            fields::remove_lookalikes(headers, &name);
        }
        Ok(set)
    }

    fn append_header(
        &mut self,
        _: Handle,
        name: String,
        value: String,
    ) -> Result<Result<(), Refused>> {
        let exchange = self.before_sent()?;
        Ok(exchange.and_then(|it| fields::append(&mut it.request.headers, &name, value)))
    }

    fn remove_header(&mut self, _: Handle, name: String) -> Result<Result<(), Refused>> {
        let headers = match self.before_sent()? {
            Ok(exchange) => &mut exchange.request.headers,
            Err(late) => return Ok(Err(late)),
        };
        let removed = fields::remove(headers, &name);
        if removed.is_ok() {
            fields::remove_lookalikes(headers, &name);
        }
        Ok(removed)
    }

    async fn body(&mut self, _: Handle) -> Result<Result<Vec<u8>, BodyError>> {
        if !self.settings.grants.request_body {
            self.denied(Lack::RequestBody);
            return Ok(Err(BodyError::NotGranted));
        }
        let limit = self.settings.limits.max_body;
        let exchange = self.exchange_mut()?;
        let coded = coding::of(&exchange.request.headers);
        let read = exchange.request_body.read_decoded(coded, limit).await;
        let read = read.map(Vec::from).map_err(|error| body_error(&error));
        match &read {
            Ok(_) => (),
            Err(BodyError::TooLarge(_)) => self.reached(Limit::Body),
            // A body that streams is not there for a shadow.
            Err(_) => drop(self.refuses_as_shadow()),
        }
        Ok(read)
    }

    fn set_body(&mut self, _: Handle, body: Vec<u8>) -> Result<Result<(), Refused>> {
        if !self.settings.grants.request_body {
            self.denied(Lack::RequestBody);
            return Ok(Err(Refused::NotGranted));
        }
        if let Err(refused) = self.check_body(&body) {
            return Ok(Err(refused));
        }
        let exchange = match self.before_sent()? {
            Ok(exchange) => exchange,
            Err(late) => return Ok(Err(late)),
        };
        // The gateway states the new length; the old one would frame another body.
        coding::bytes_change(&mut exchange.request.headers);
        if let Some(coding) = coding::remove(&mut exchange.request.headers) {
            exchange.recode = Some(coding);
        }
        exchange.request_body = Body::full(body);
        Ok(Ok(()))
    }

    fn attribute(&mut self, _: Handle, name: String) -> Result<Option<String>> {
        Ok(self.exchange()?.attribute(&name).map(Cow::into_owned))
    }

    fn set_attribute(&mut self, _: Handle, name: String, value: String) -> Result<()> {
        let settings = Arc::clone(&self.settings);
        if self.exchange_mut()?.set_attribute(name, value, &settings.limits).is_err() {
            self.reached(Limit::Attributes);
        }
        Ok(())
    }

    fn set_upstream(&mut self, _: Handle, name: String) -> Result<Result<(), Refused>> {
        if !self.settings.grants.upstreams.contains(&name) {
            self.denied(Lack::Upstream(&name));
            return Ok(Err(Refused::NotGranted));
        }
        let exchange = match self.before_sent()? {
            Ok(exchange) => exchange,
            Err(late) => return Ok(Err(late)),
        };
        if !exchange.generation.upstreams.contains_key(&name) {
            return Ok(Err(Refused::Unknown));
        }
        exchange.upstream = Some(name);
        Ok(Ok(()))
    }

    fn hold_back(&mut self, _: Handle, bytes: Vec<u8>) -> Result<Result<(), Refused>> {
        let limit = self.settings.limits.max_body;
        let reason = match &mut self.exchange_mut()?.view {
            None => "only a chunk hook can hold bytes back".to_owned(),
            Some(view) if view.last => "nothing comes after the last chunk".to_owned(),
            Some(_) if bytes.len() as u64 > limit => {
                self.reached(Limit::Body);
                format!("at most {limit} bytes can be held back")
            }
            Some(view) => {
                view.held = bytes.into();
                return Ok(Ok(()));
            }
        };
        Ok(Err(Refused::Invalid(reason)))
    }

    fn drop(&mut self, _: Handle) -> Result<()> {
        Ok(())
    }
}

impl State {
    /// The exchange on loan, where its request has not been sent.
    fn before_sent(&mut self) -> Result<Result<&mut Exchange, Refused>> {
        let exchange = self.exchange_mut()?;
        if exchange.view.is_some() {
            return Ok(Err(Refused::Invalid("the head has been sent".into())));
        }
        Ok(Ok(exchange))
    }
}

/// The target in the form that a client's own would have.
fn normal_target(target: &str) -> Option<PathAndQuery> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let path = path.starts_with('/').then(|| normalise(path).ok())??;
    let target = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.into_owned(),
    };
    target.try_into().ok()
}

pub(super) fn body_error(error: &ReadError) -> BodyError {
    match error {
        ReadError::TooLarge(limit) => BodyError::TooLarge(*limit),
        ReadError::Ended(Ended::TooLarge { limit }) => BodyError::TooLarge(*limit),
        ReadError::Ended(
            Ended::ClientIdle { .. } | Ended::UpstreamIdle { .. } | Ended::Deadline { .. },
        ) => BodyError::TimedOut,
        ReadError::Ended(
            Ended::ClientAborted
            | Ended::ClientMalformed
            | Ended::ClientStalled { .. }
            | Ended::UpstreamAborted
            | Ended::UpstreamMalformed
            | Ended::ComponentAborted
            | Ended::Coding { .. }
            | Ended::Plugin { .. },
        )
        | ReadError::UnknownCoding => BodyError::Aborted,
    }
}
