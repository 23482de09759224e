//! The border as it is in a component; the only file that names WIT types.

use std::cell::OnceCell;
use std::marker::PhantomData;
use std::time::{Duration, SystemTime};

use bindings::exports::tollgate::plugin::filter;
use bindings::tollgate::plugin::{cache, crypto, http_client, limits, store, telemetry, types};

use crate::configure;
use crate::crypto::Algorithm;
use crate::error::{BodyError, Error, Reason, Refused};
use crate::http::{Call, CallError};
use crate::limits::{Decision, LimitError, Quota};
use crate::plugin::{Need, Outcome, Phases, Plugin};
use crate::request::{ClientCertificate, Field, Peer, Tls};
use crate::store::StoreError;
use crate::telemetry::Level;
use crate::verdict::Verdict;

#[doc(hidden)]
#[allow(missing_docs, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit",
        world: "plugin",
        pub_export_macro: true,
        export_macro_name: "export_component",
    });
}
pub use bindings::export_component;

// --- What the gateway calls.

thread_local! {
    /// The instance's plugin, from `configure` on. A component has one thread.
    static PLUGIN: OnceCell<&'static dyn Hooks> = const { OnceCell::new() };
}

/// A plugin whose type has been forgotten, so that one static can hold it.
trait Hooks {
    fn on_request(&self, request: &mut crate::Request) -> Result<Verdict, Error>;
    fn on_request_chunk(
        &self,
        request: &mut crate::Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error>;
    fn on_response(
        &self,
        request: &mut crate::Request,
        response: &mut crate::Response,
    ) -> Result<(), Error>;
    fn on_response_chunk(
        &self,
        request: &mut crate::Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error>;
    fn on_finish(&self, request: &mut crate::Request, outcome: &Outcome);
}

impl<P: Plugin> Hooks for P {
    fn on_request(&self, request: &mut crate::Request) -> Result<Verdict, Error> {
        Plugin::on_request(self, request)
    }
    fn on_request_chunk(
        &self,
        request: &mut crate::Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error> {
        Plugin::on_request_chunk(self, request, chunk, last)
    }
    fn on_response(
        &self,
        request: &mut crate::Request,
        response: &mut crate::Response,
    ) -> Result<(), Error> {
        Plugin::on_response(self, request, response)
    }
    fn on_response_chunk(
        &self,
        request: &mut crate::Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error> {
        Plugin::on_response_chunk(self, request, chunk, last)
    }
    fn on_finish(&self, request: &mut crate::Request, outcome: &Outcome) {
        Plugin::on_finish(self, request, outcome);
    }
}

/// A plugin as the world's `filter` export.
pub struct Component<P>(PhantomData<P>);

impl<P: Plugin> filter::Guest for Component<P> {
    fn describe() -> filter::Manifest {
        filter::Manifest {
            name: P::ABOUT.name.to_owned(),
            version: P::ABOUT.version.to_owned(),
            summary: P::ABOUT.summary.to_owned(),
            config_schema: P::schema(),
            needs: P::NEEDS.iter().map(|&need| need.into()).collect(),
        }
    }

    fn configure(config: String) -> Result<filter::Phases, String> {
        let plugin = configure::configure::<P>(&config).map_err(|error| error.to_string())?;
        let phases = plugin.phases().into();
        // The plugin lives as long as the instance.
        let plugin: &'static P = Box::leak(Box::new(plugin));
        PLUGIN
            .with(|slot| slot.set(plugin))
            .map_err(|_| "an instance is configured once".to_owned())?;
        Ok(phases)
    }

    fn on_request(request: &types::Request) -> Result<filter::Verdict, String> {
        let mut request = taken(request);
        let verdict = plugin()?.on_request(&mut request).map_err(|error| error.to_string())?;
        match verdict {
            Verdict::Next => Ok(filter::Verdict::Next),
            Verdict::Respond(response) => Ok(filter::Verdict::Respond(response.sys.0)),
            Verdict::Problem(problem) => match problem.into_response(&request.id()) {
                Ok(response) => Ok(filter::Verdict::Respond(response.sys.0)),
                Err(error) => Err(error.to_string()),
            },
        }
    }

    fn on_request_chunk(
        request: &types::Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, String> {
        plugin()?
            .on_request_chunk(&mut taken(request), chunk, last)
            .map_err(|error| error.to_string())
    }

    fn on_response(request: &types::Request, response: &types::Response) -> Result<(), String> {
        let mut response = taken_response(response);
        plugin()?.on_response(&mut taken(request), &mut response).map_err(|error| error.to_string())
    }

    fn on_response_chunk(
        request: &types::Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, String> {
        plugin()?
            .on_response_chunk(&mut taken(request), chunk, last)
            .map_err(|error| error.to_string())
    }

    fn on_finish(request: &types::Request, outcome: filter::Outcome) {
        let outcome = Outcome {
            status: outcome.status,
            duration_us: outcome.duration_us,
            request_bytes: outcome.request_bytes,
            response_bytes: outcome.response_bytes,
            upstream: outcome.upstream,
            error: outcome.error,
        };
        if let Ok(plugin) = plugin() {
            plugin.on_finish(&mut taken(request), &outcome);
        }
    }
}

fn plugin() -> Result<&'static dyn Hooks, String> {
    PLUGIN.with(|slot| slot.get().copied()).ok_or_else(|| "no configuration yet".to_owned())
}

/// The handle of a borrowed request, to be dropped when the hook returns.
fn taken(request: &types::Request) -> crate::Request {
    // SAFETY: the handle is the one that the bindings hold for this call, and taking it leaves them
    // with none, so it is dropped exactly once.
    #[expect(unsafe_code, reason = "the bindings lend the handle only by reference")]
    let request = unsafe { types::Request::from_handle(request.take_handle()) };
    crate::Request { sys: Request(request) }
}

/// The handle of a borrowed response, to be dropped when the hook returns.
fn taken_response(response: &types::Response) -> crate::Response {
    // SAFETY: as in `taken`.
    #[expect(unsafe_code, reason = "the bindings lend the handle only by reference")]
    let response = unsafe { types::Response::from_handle(response.take_handle()) };
    crate::Response { sys: Response(response) }
}

impl From<Need> for filter::Need {
    fn from(need: Need) -> Self {
        match need {
            Need::Upstreams => Self::Upstreams,
            Need::Store => Self::Store,
            Need::RequestBody => Self::RequestBody,
            Need::ResponseBody => Self::ResponseBody,
            Need::Cache => Self::Cache,
        }
    }
}

impl From<Phases> for filter::Phases {
    fn from(phases: Phases) -> Self {
        let flag = |phase, flag| if phases.contains(phase) { flag } else { Self::empty() };
        flag(Phases::REQUEST, Self::REQUEST)
            | flag(Phases::REQUEST_CHUNKS, Self::REQUEST_CHUNKS)
            | flag(Phases::RESPONSE, Self::RESPONSE)
            | flag(Phases::RESPONSE_CHUNKS, Self::RESPONSE_CHUNKS)
            | flag(Phases::FINISH, Self::FINISH)
    }
}

// --- What the plugin calls.

pub(crate) struct Request(types::Request);
pub(crate) struct Response(types::Response);

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

pub(crate) fn send(call: Call) -> Result<Response, CallError> {
    http_client::send(&wire_call(call)).map(Response).map_err(call_error)
}

pub(crate) fn send_all(calls: impl Iterator<Item = Call>) -> Vec<Result<Response, CallError>> {
    let calls: Vec<_> = calls.map(wire_call).collect();
    let results = http_client::send_all(&calls);
    results.into_iter().map(|result| result.map(Response).map_err(call_error)).collect()
}

fn wire_call(call: Call) -> http_client::Call {
    http_client::Call {
        upstream: call.upstream,
        method: call.method,
        target: call.target,
        headers: call
            .headers
            .into_iter()
            .map(|field| types::Field { name: field.name, value: field.value })
            .collect(),
        body: call.body,
        timeout_ms: millis(call.timeout),
    }
}

/// Whole milliseconds, rounded up: a short time must not become none.
fn millis(duration: Option<Duration>) -> Option<u32> {
    duration
        .map(|duration| u32::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u32::MAX))
}

fn call_error(error: http_client::CallError) -> CallError {
    match error {
        http_client::CallError::NotGranted => CallError::NotGranted,
        http_client::CallError::UnknownUpstream => CallError::UnknownUpstream,
        http_client::CallError::Invalid(why) => CallError::Invalid(why),
        http_client::CallError::TimedOut => CallError::TimedOut,
        http_client::CallError::Unreachable(why) => CallError::Unreachable(why),
        http_client::CallError::Protocol(why) => CallError::Protocol(why),
    }
}

pub(crate) fn take(
    bucket: &str,
    key: &str,
    quota: Quota,
    cost: u32,
) -> Result<Decision, LimitError> {
    let quota =
        limits::Quota { limit: quota.limit, window_ms: quota.window_ms, burst: quota.burst };
    match limits::take(bucket, key, quota, cost) {
        Ok(decision) => Ok(Decision {
            allowed: decision.allowed,
            limit: decision.limit,
            remaining: decision.remaining,
            retry_after_ms: decision.retry_after_ms,
            reset_after_ms: decision.reset_after_ms,
        }),
        Err(limits::LimitError::Unavailable(why)) => Err(LimitError(why)),
    }
}

pub(crate) struct Key(crypto::Key);

impl Key {
    pub(crate) fn from_jwk(jwk: &str) -> Result<Self, String> {
        crypto::Key::from_jwk(jwk).map(Self)
    }
    pub(crate) fn from_pem(pem: &str) -> Result<Self, String> {
        crypto::Key::from_pem(pem).map(Self)
    }
    pub(crate) fn from_secret(secret: &[u8]) -> Result<Self, String> {
        crypto::Key::from_secret(secret).map(Self)
    }
    pub(crate) fn verify(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify(algorithm.into(), message, signature)
    }
    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Result<Vec<u8>, String> {
        self.0.sign(algorithm.into(), message)
    }
}

impl From<Algorithm> for crypto::Algorithm {
    fn from(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Hs256 => Self::Hs256,
            Algorithm::Hs384 => Self::Hs384,
            Algorithm::Hs512 => Self::Hs512,
            Algorithm::Rs256 => Self::Rs256,
            Algorithm::Rs384 => Self::Rs384,
            Algorithm::Rs512 => Self::Rs512,
            Algorithm::Ps256 => Self::Ps256,
            Algorithm::Ps384 => Self::Ps384,
            Algorithm::Ps512 => Self::Ps512,
            Algorithm::Es256 => Self::Es256,
            Algorithm::Es384 => Self::Es384,
            Algorithm::EdDsa => Self::Eddsa,
        }
    }
}

pub(crate) fn sha256(data: &[u8]) -> Vec<u8> {
    crypto::sha256(data)
}

pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    crypto::equal(a, b)
}

pub(crate) fn store_get(store: &str, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
    store::get(store, key).map_err(store_error)
}

pub(crate) fn store_set(
    store: &str,
    key: &str,
    value: &[u8],
    ttl: Option<Duration>,
) -> Result<(), StoreError> {
    store::set(store, key, value, millis(ttl)).map_err(store_error)
}

pub(crate) fn store_add(
    store: &str,
    key: &str,
    value: &[u8],
    ttl: Option<Duration>,
) -> Result<bool, StoreError> {
    store::add(store, key, value, millis(ttl)).map_err(store_error)
}

pub(crate) fn store_delete(store: &str, key: &str) -> Result<(), StoreError> {
    store::delete(store, key).map_err(store_error)
}

pub(crate) fn store_increment(
    store: &str,
    key: &str,
    by: i64,
    ttl: Option<Duration>,
) -> Result<i64, StoreError> {
    store::increment(store, key, by, millis(ttl)).map_err(store_error)
}

fn store_error(error: store::StoreError) -> StoreError {
    match error {
        store::StoreError::NotGranted => StoreError::NotGranted,
        store::StoreError::Unavailable(why) => StoreError::Unavailable(why),
        store::StoreError::TooLarge(limit) => StoreError::TooLarge(limit),
    }
}

pub(crate) struct Entry(cache::Entry);

impl Entry {
    pub(crate) fn metadata(&self) -> String {
        self.0.metadata()
    }
    pub(crate) fn age_ms(&self) -> u64 {
        self.0.age_ms()
    }
    pub(crate) fn response(&self) -> Response {
        Response(self.0.response())
    }
}

pub(crate) fn cache_get(key: &str) -> Option<Entry> {
    cache::get(key).map(Entry)
}

pub(crate) fn cache_put(
    key: &str,
    metadata: &str,
    tags: &[String],
    ttl: Duration,
    response: &Response,
) {
    let ttl = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
    cache::put(key, metadata, tags, ttl, &response.0);
}

pub(crate) fn cache_delete(key: &str) -> bool {
    cache::delete(key)
}

pub(crate) fn cache_purge(tag: &str) -> u32 {
    cache::purge(tag)
}

pub(crate) fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let level = match level {
        Level::Error => telemetry::Level::Error,
        Level::Warn => telemetry::Level::Warn,
        Level::Info => telemetry::Level::Info,
        Level::Debug => telemetry::Level::Debug,
        Level::Trace => telemetry::Level::Trace,
    };
    telemetry::log(level, message, &pairs(fields));
}

pub(crate) fn count(metric: &str, labels: &[(&str, &str)], by: u64) {
    telemetry::count(metric, &pairs(labels), by);
}

pub(crate) fn observe(metric: &str, labels: &[(&str, &str)], value: f64) {
    telemetry::observe(metric, &pairs(labels), value);
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

pub(crate) fn sleep(time: Duration) {
    std::thread::sleep(time);
}
