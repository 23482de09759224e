//! The border as tests see it: everything in memory, on the world of the test's own gateway.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

#[cfg(feature = "native-crypto")]
#[path = "native/crypto.rs"]
mod crypto;
#[cfg(feature = "native-crypto")]
pub(crate) use crypto::{Key, equal, sha256};
#[path = "native/cache.rs"]
mod cache;
pub(crate) use cache::{Entry, cache_delete, cache_get, cache_purge, cache_put};
#[path = "native/store.rs"]
mod store;
pub(crate) use store::{store_add, store_delete, store_get, store_increment, store_set};

use crate::error::{BodyError, Reason, Refused};
use crate::http::{Call, CallError};
use crate::limits::{Decision, LimitError, Quota};
use crate::name::{HeaderName, is_reserved, is_token};
use crate::request::{Field, Peer};
use crate::telemetry::Level;

type Upstream = Box<dyn FnMut(&Call) -> Result<Response, CallError>>;

/// What lies on the gateway's side of the border.
pub(crate) struct World {
    pub(crate) now: SystemTime,
    pub(crate) upstream: Option<Upstream>,
    pub(crate) limits_down: bool,
    /// Bucket and key to the time when the quota will be full again (GCRA).
    pub(crate) limits: BTreeMap<(String, String), f64>,
    pub(crate) stores: store::Stores,
    pub(crate) cache: cache::Cache,
    pub(crate) logs: Vec<(Level, String)>,
    pub(crate) counts: BTreeMap<String, u64>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            // 2026-01-01T00:00:00Z: any time will do that is the same in every run.
            now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_225_600),
            upstream: None,
            limits_down: false,
            limits: BTreeMap::new(),
            stores: store::Stores::default(),
            cache: cache::Cache::default(),
            logs: Vec::new(),
            counts: BTreeMap::new(),
        }
    }
}

thread_local! {
    static WORLD: RefCell<Rc<RefCell<World>>> = RefCell::default();
}

/// Makes `world` the one that this thread's plugin code sees.
pub(crate) fn enter(world: &Rc<RefCell<World>>) {
    WORLD.with(|current| *current.borrow_mut() = Rc::clone(world));
}

fn world<T>(look: impl FnOnce(&mut World) -> T) -> T {
    let world = WORLD.with(|current| Rc::clone(&current.borrow()));
    let mut world = world.borrow_mut();
    look(&mut world)
}

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

#[derive(Default)]
pub(crate) struct Response(RefCell<ResponseData>);

#[derive(Clone, Default)]
struct ResponseData {
    status: u16,
    headers: Vec<Field>,
    body: Vec<u8>,
    /// As [`RequestData::is_body_withheld`].
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

fn not_granted_body() -> Refused {
    Refused { what: "the body".to_owned(), reason: Reason::NotGranted }
}

fn lines(fields: &[Field], name: Option<&str>) -> Vec<Field> {
    let wanted = |field: &&Field| name.is_none_or(|name| field.name.eq_ignore_ascii_case(name));
    fields.iter().filter(wanted).cloned().collect()
}

fn joined(fields: &[Field], name: &str) -> Option<String> {
    let values: Vec<_> = lines(fields, Some(name)).into_iter().map(|field| field.value).collect();
    (!values.is_empty()).then(|| values.join(", "))
}

fn set(fields: &mut Vec<Field>, name: &str, value: &str) -> Result<(), Refused> {
    check(name, value)?;
    remove(fields, name)?;
    append(fields, name, value)
}

fn append(fields: &mut Vec<Field>, name: &str, value: &str) -> Result<(), Refused> {
    check(name, value)?;
    fields.push(Field { name: name.to_ascii_lowercase(), value: value.to_owned() });
    Ok(())
}

fn remove(fields: &mut Vec<Field>, name: &str) -> Result<(), Refused> {
    check(name, "")?;
    fields.retain(|field| !field.name.eq_ignore_ascii_case(name));
    Ok(())
}

/// Of a request, a name's other spellings go with it, as in the gateway.
fn remove_lookalikes(fields: &mut Vec<Field>, name: &str) {
    let Ok(name) = HeaderName::new(name) else { return };
    fields.retain(|field| !name.resembles(&field.name));
}

/// The gateway's rule (RFC 9110 sections 5.1 and 5.5).
fn check(name: &str, value: &str) -> Result<(), Refused> {
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(invalid(name, "not a field name"));
    }
    if is_reserved(&name.to_ascii_lowercase()) {
        return Err(Refused { what: name.to_owned(), reason: Reason::Reserved });
    }
    if value.bytes().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        return Err(invalid(name, "not a field value"));
    }
    Ok(())
}

fn invalid(what: &str, why: &str) -> Refused {
    Refused { what: what.to_owned(), reason: Reason::Invalid(why.to_owned()) }
}

pub(crate) fn send(call: Call) -> Result<Response, CallError> {
    // The stand-in is taken out while it runs: it may look at the world itself.
    let Some(mut upstream) = world(|world| world.upstream.take()) else {
        return Err(CallError::UnknownUpstream);
    };
    let result = upstream(&call);
    world(|world| world.upstream = Some(upstream));
    result
}

pub(crate) fn send_all(calls: impl Iterator<Item = Call>) -> Vec<Result<Response, CallError>> {
    calls.map(send).collect()
}

pub(crate) fn take(
    bucket: &str,
    key: &str,
    quota: Quota,
    cost: u32,
) -> Result<Decision, LimitError> {
    world(|world| {
        if world.limits_down {
            return Err(LimitError("the test says so".to_owned()));
        }
        let now = millis_since_epoch(world.now);
        let each = f64::from(quota.window_ms) / f64::from(quota.limit);
        let most = quota.burst.unwrap_or(quota.limit);
        let room = each * f64::from(most);
        let full_at = world.limits.entry((bucket.to_owned(), key.to_owned())).or_insert(now);
        let used = (*full_at - now).max(0.0);
        let after = used + each * f64::from(cost);
        let allowed = after <= room + 1e-6;
        let used = if allowed { after } else { used };
        if allowed {
            *full_at = now + after;
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a test's quotas are small and these are not negative"
        )]
        let whole = |value: f64| value as u32;
        Ok(Decision {
            allowed,
            limit: quota.limit,
            remaining: whole((room - used) / each + 1e-6),
            retry_after_ms: if allowed { 0 } else { whole((after - room).ceil()) },
            reset_after_ms: whole(used.ceil()),
        })
    })
}

fn millis_since_epoch(time: SystemTime) -> f64 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64() * 1000.0
}

#[cfg(not(feature = "native-crypto"))]
pub(crate) enum Key {}

#[cfg(not(feature = "native-crypto"))]
impl Key {
    pub(crate) fn from_jwk(_: &str) -> Result<Self, String> {
        no_crypto()
    }
    pub(crate) fn from_pem(_: &str) -> Result<Self, String> {
        no_crypto()
    }
    pub(crate) fn from_secret(_: &[u8]) -> Result<Self, String> {
        no_crypto()
    }
    pub(crate) fn verify(&self, _: crate::crypto::Algorithm, _: &[u8], _: &[u8]) -> bool {
        match *self {}
    }
    pub(crate) fn sign(&self, _: crate::crypto::Algorithm, _: &[u8]) -> Result<Vec<u8>, String> {
        match *self {}
    }
}

#[cfg(not(feature = "native-crypto"))]
pub(crate) fn sha256(_: &[u8]) -> Vec<u8> {
    no_crypto()
}

#[cfg(not(feature = "native-crypto"))]
pub(crate) fn equal(a: &[u8], b: &[u8]) -> bool {
    a == b
}

#[cfg(not(feature = "native-crypto"))]
fn no_crypto() -> ! {
    panic!("native tests of cryptography need the feature `native-crypto` of `tollgate-plugin`")
}

pub(crate) fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let fields: String = fields.iter().map(|(name, value)| format!(" {name}={value}")).collect();
    world(|world| world.logs.push((level, format!("{message}{fields}"))));
}

pub(crate) fn count(metric: &str, labels: &[(&str, &str)], by: u64) {
    let labels: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let name = match labels.as_slice() {
        [] => metric.to_owned(),
        labels => format!("{metric}{{{}}}", labels.join(",")),
    };
    world(|world| *world.counts.entry(name).or_default() += by);
}

pub(crate) fn observe(metric: &str, labels: &[(&str, &str)], _: f64) {
    count(metric, labels, 1);
}

pub(crate) fn now() -> SystemTime {
    world(|world| world.now)
}

/// Nobody else moves the time of a test on.
pub(crate) fn sleep(time: Duration) {
    world(|world| world.now += time);
}
