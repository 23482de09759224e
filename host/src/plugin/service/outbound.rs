//! A service's own requests, through the upstreams that it was granted.

use std::{io::ErrorKind, sync::Arc, time::Instant};

use http::{
    HeaderMap, HeaderValue, Request, Response, Uri,
    header::{EXPECT, HOST},
    uri::{Authority, PathAndQuery, Scheme},
};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use super::{Asked, body};
use crate::{
    body::{Body, Progress},
    exchange::Bound,
    forwarding::{self, X_REQUEST_ID},
    generation::Generation,
    plugin::{denied::Lack, reached::Limit, settings::Settings},
    upstream::{Patience, Upstream, UpstreamError},
};

/// The way out of one instance.
pub(super) struct Outbound {
    settings: Arc<Settings>,
    caller: Option<Caller>,
    calls: u32,
}

/// The exchange that an instance answers.
pub(super) struct Caller {
    generation: Arc<Generation>,
    bound: Option<Bound>,
    /// What tells that a request is a part of the exchange, in logs and traces.
    identity: HeaderMap,
}

/// A request that may be sent: checked, counted, ready to go.
struct Prepared {
    upstream: Arc<Upstream>,
    request: Request<Body>,
    patience: Patience,
    options: RequestOptions,
}

type Sent = Result<(Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>), Error>;

impl Caller {
    pub(super) fn of(asked: Asked) -> (Request<WasiBody>, Self) {
        let Asked { request, generation, bound } = asked;
        let mut identity = HeaderMap::new();
        forwarding::identify(&mut identity, request.headers());
        (request.map(body::for_guest), Self { generation, bound, identity })
    }

    pub(super) fn request_id(&self) -> Option<&HeaderValue> {
        self.identity.get(X_REQUEST_ID)
    }
}

impl Outbound {
    pub(super) fn new(settings: Arc<Settings>, caller: Option<Caller>) -> Self {
        Self { settings, caller, calls: 0 }
    }

    fn prepare(
        &mut self,
        request: Request<WasiBody>,
        options: RequestOptions,
    ) -> Result<Prepared, Error> {
        // Outside of an exchange there is nobody to answer.
        let caller = self.caller.as_ref().ok_or(Error::HttpRequestDenied)?;
        let id = || caller.request_id().and_then(|id| id.to_str().ok()).unwrap_or_default();
        let Some(upstream) = self.upstream(caller, request.uri()) else {
            let authority = request.uri().authority().map_or("", Authority::as_str);
            self.settings.denied(Lack::Upstream(authority), "", id());
            return Err(Error::HttpRequestDenied);
        };
        if self.calls >= self.settings.limits.calls {
            self.settings.reached(Limit::Calls, "", id());
            return Err(Error::ConnectionLimitReached);
        }
        self.calls += 1;
        let own = options.first_byte_timeout.map(|patience| Instant::now() + patience);
        let bound = caller.bound.map(|bound| bound.at);
        let deadline = own.into_iter().chain(bound).min();
        let (request, progress) = outgoing(request, &upstream, &caller.identity)?;
        let patience = Patience { deadline, progress };
        Ok(Prepared { upstream, request, patience, options })
    }

    /// The granted upstream that `uri` names: by its own name, or by the address of one of its
    /// endpoints.
    fn upstream(&self, caller: &Caller, uri: &Uri) -> Option<Arc<Upstream>> {
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@'))?;
        let upstreams = &caller.generation.upstreams;
        let mut granted =
            self.settings.grants.upstreams.iter().filter_map(|name| upstreams.get(name));
        let named = granted.clone().find(|upstream| *upstream.name == *authority.as_str());
        let https = uri.scheme() == Some(&Scheme::HTTPS);
        let port = authority.port_u16().unwrap_or(if https { 443 } else { 80 });
        // Who asks for TLS by an address must get it, and who does not must not be surprised by it.
        let is_at = |upstream: &&Arc<Upstream>| {
            upstream.config.tls.is_some() == https && has_endpoint(upstream, authority, port)
        };
        named.or_else(|| granted.find(is_at)).map(Arc::clone)
    }
}

fn has_endpoint(upstream: &Upstream, authority: &Authority, port: u16) -> bool {
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    let mut endpoints = upstream.config.endpoints.iter();
    endpoints.any(|endpoint| endpoint.port == port && endpoint.host.eq_ignore_ascii_case(host))
}

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Sent> + Send> {
        let prepared = self.prepare(request, options.unwrap_or_default());
        Box::new(async move { prepared?.send().await })
    }
}

impl Prepared {
    async fn send(self) -> Sent {
        let sent = self.upstream.call(Box::new(self.request), self.patience).await;
        let response = sent.map_err(|error| told(&error))?;
        let response = response.map(|body| match self.options.between_bytes_timeout {
            Some(patience) => body::for_patient_guest(body, patience),
            None => body::for_guest(body),
        });
        Ok((response, Box::new(async { Ok(()) })))
    }
}

/// The request as the upstream gets it.
fn outgoing(
    request: Request<WasiBody>,
    upstream: &Upstream,
    identity: &HeaderMap,
) -> Result<(Request<Body>, Option<Arc<Progress>>), Error> {
    if !forwarding::is_forwarded(request.method()) {
        return Err(Error::HttpRequestMethodInvalid);
    }
    let (head, body) = request.into_parts();
    let (body, progress) = body::to_upstream(body);
    let mut request = Request::from_parts(head, body);
    let uri = std::mem::take(request.uri_mut());
    let host = host(&uri, upstream);
    let target = uri.into_parts().path_and_query;
    *request.uri_mut() = Uri::from(target.unwrap_or(PathAndQuery::from_static("/")));
    let headers = request.headers_mut();
    if forwarding::strip_hop_by_hop(headers).trailers {
        forwarding::accept_trailers(headers);
    }
    headers.remove(EXPECT);
    headers.insert(HOST, host);
    forwarding::identify(headers, identity);
    Ok((request, progress))
}

/// The upstream's own name means nothing outside of the gateway.
fn host(uri: &Uri, upstream: &Upstream) -> HeaderValue {
    let own = upstream.host_field.clone();
    match uri.authority() {
        Some(authority) if *upstream.name != *authority.as_str() => {
            HeaderValue::from_str(authority.as_str()).unwrap_or(own)
        }
        _ => own,
    }
}

/// Why an upstream gave no response, as guests are told.
fn told(error: &UpstreamError) -> Error {
    match error {
        UpstreamError::Unresolved => Error::DestinationUnavailable,
        UpstreamError::Unreachable { source, .. } if source.kind() == ErrorKind::TimedOut => {
            Error::ConnectionTimeout
        }
        UpstreamError::Unreachable { .. } => Error::ConnectionRefused,
        UpstreamError::Full { .. } => Error::ConnectionLimitReached,
        UpstreamError::TimedOut { .. } => Error::HttpResponseTimeout,
        UpstreamError::Stalled { .. } => Error::ConnectionWriteTimeout,
        UpstreamError::Refused { .. } | UpstreamError::Closed { .. } => Error::ConnectionTerminated,
        UpstreamError::HeadTooLarge { .. } => Error::HttpResponseHeaderSectionSize(None),
        UpstreamError::Protocol { .. }
        | UpstreamError::Lengths { .. }
        | UpstreamError::BrokenUpload { .. } => Error::HttpProtocolError,
        UpstreamError::TransferCoding { .. } => Error::HttpResponseTransferCoding(None),
        UpstreamError::UnaskedUpgrade => Error::HttpUpgradeFailed,
    }
}
