//! The trait that a plugin implements.

use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::configure;
use crate::error::Error;
use crate::request::Request;
use crate::response::Response;
use crate::verdict::Verdict;

/// A plugin: made once per instance from its configuration, then asked by its hooks.
///
/// Put [`#[plugin]`](crate::plugin) on the `impl` block. It fills in [`ABOUT`](Plugin::ABOUT) and
/// [`HOOKS`](Plugin::HOOKS), and for a type that is its own configuration also
/// [`Config`](Plugin::Config) and [`new`](Plugin::new).
///
/// One instance runs one hook at a time and serves many exchanges, and an exchange's hooks may run
/// in different instances: what one hook has to tell a later one belongs into
/// [attributes](Request::set_attribute), what an instance may remember (keys, parsed templates)
/// into the plugin, in a [`Cell`](std::cell::Cell) or [`RefCell`](std::cell::RefCell).
pub trait Plugin: Sized + 'static {
    /// The `config` of a use; its JSON Schema is the manifest's `config-schema`.
    type Config: DeserializeOwned + JsonSchema;

    /// Name, version and summary; `#[plugin]` takes them from `Cargo.toml`.
    const ABOUT: About;

    /// The hooks that are implemented; `#[plugin]` finds them.
    const HOOKS: Phases;

    /// What the plugin will ask the configuration to grant.
    const NEEDS: &'static [Need] = &[];

    /// The JSON Schema (2020-12) of the configuration.
    #[must_use]
    fn schema() -> String {
        configure::schema::<Self>()
    }

    /// Makes the plugin from its configuration.
    ///
    /// # Errors
    ///
    /// What the types of the configuration cannot say is checked here. An error refuses the whole
    /// configuration of the gateway and is shown to the operator: it should name the key.
    fn new(config: Self::Config) -> Result<Self, Error>;

    /// The hooks that this configuration wants; the others cost nothing.
    fn phases(&self) -> Phases {
        Self::HOOKS
    }

    /// Decides about a request before the next plugin and the upstream see it.
    ///
    /// # Errors
    ///
    /// The hook has failed: the use's `on_error` says whether the client gets a 503 (the default)
    /// or the exchange goes on without this plugin.
    fn on_request(&self, request: &mut Request) -> Result<Verdict, Error> {
        let _ = request;
        Ok(Verdict::Next)
    }

    /// Replaces a piece of the request's body on its way to the upstream. Needs
    /// [`Need::RequestBody`].
    ///
    /// Chunks come in order, each of at most 64 KiB, beside what was
    /// [held back](Request::hold_back). `last` comes once, and its chunk may be empty; a request
    /// without a body has none. What is returned, at most the use's `max_body` bytes, goes on in
    /// the chunk's place; nothing is read from the client until it has. Content codings (gzip, br,
    /// zstd, deflate) are undone before and done again after.
    ///
    /// By now the head has been sent: it can be read and attributes be set, nothing else. The next
    /// chunk may go to another instance, so nothing of this body belongs into `self`.
    ///
    /// # Errors
    ///
    /// The hook has failed. Under `on_error: reject` (the default) the exchange ends with a 503, or
    /// breaks off if the response's head is out; under `skip` this and all further chunks go by
    /// untouched.
    fn on_request_chunk(
        &self,
        request: &mut Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error> {
        let _ = (request, last);
        Ok(chunk)
    }

    /// Changes a response before the plugin above and the client see it.
    ///
    /// # Errors
    ///
    /// As [`on_request`](Plugin::on_request).
    fn on_response(&self, request: &mut Request, response: &mut Response) -> Result<(), Error> {
        let _ = (request, response);
        Ok(())
    }

    /// Replaces a piece of the response's body on its way to the client, as
    /// [`on_request_chunk`](Plugin::on_request_chunk) does for requests. Needs
    /// [`Need::ResponseBody`].
    ///
    /// # Errors
    ///
    /// The hook has failed. Under `on_error: reject` (the default) the response breaks off, since
    /// its head is out; under `skip` this and all further chunks go by untouched.
    fn on_response_chunk(
        &self,
        request: &mut Request,
        chunk: Vec<u8>,
        last: bool,
    ) -> Result<Vec<u8>, Error> {
        let _ = (request, last);
        Ok(chunk)
    }

    /// Learns how the exchange ended: once for each one whose request hook ran.
    fn on_finish(&self, request: &mut Request, outcome: &Outcome) {
        let _ = (request, outcome);
    }
}

/// How a plugin presents itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct About {
    /// The name, as in `component: NAME`.
    pub name: &'static str,
    /// The version, by semver.
    pub version: &'static str,
    /// What it is for, in one line.
    pub summary: &'static str,
}

/// Something that the configuration has to grant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Need {
    /// Calls of its own to upstreams.
    Upstreams,
    /// Small shared values.
    Store,
    /// The request's body.
    RequestBody,
    /// The response's body.
    ResponseBody,
    /// Whole stored responses.
    Cache,
}

/// A set of hooks.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Phases(u8);

impl Phases {
    /// No hook at all.
    pub const NONE: Self = Self(0);
    /// [`Plugin::on_request`].
    pub const REQUEST: Self = Self(1);
    /// [`Plugin::on_request_chunk`].
    pub const REQUEST_CHUNKS: Self = Self(1 << 1);
    /// [`Plugin::on_response`].
    pub const RESPONSE: Self = Self(1 << 2);
    /// [`Plugin::on_response_chunk`].
    pub const RESPONSE_CHUNKS: Self = Self(1 << 3);
    /// [`Plugin::on_finish`].
    pub const FINISH: Self = Self(1 << 4);

    /// Both sets together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The others if `wanted`, else this set alone.
    #[must_use]
    pub const fn and_if(self, wanted: bool, other: Self) -> Self {
        if wanted { self.and(other) } else { self }
    }

    /// Whether all of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// How an exchange ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Outcome {
    /// The status that the client got.
    pub status: u16,
    /// From the request's head to the response's end, in whole microseconds.
    pub duration: Duration,
    /// Bytes of the request's body.
    pub request_bytes: u64,
    /// Bytes of the response's body.
    pub response_bytes: u64,
    /// The upstream that answered, if one did.
    pub upstream: Option<String>,
    /// Why the gateway answered itself, or the exchange broke off.
    pub error: Option<String>,
}
