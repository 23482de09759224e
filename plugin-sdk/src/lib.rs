//! Write plugins for the Tollgate API gateway.
//!
//! A plugin is a type that implements one trait, under one attribute:
//!
//! ```
//! use tollgate_plugin::{Config, Error, Plugin, Request, Verdict, plugin};
//!
//! /// Lets a request through if it carries the agreed word.
//! #[derive(Config)]
//! struct Password {
//!     /// The header with the word.
//!     header: String,
//!     /// The agreed word.
//!     word: String,
//! }
//!
//! #[plugin]
//! impl Plugin for Password {
//!     fn on_request(&self, request: &mut Request) -> Result<Verdict, Error> {
//!         match request.header(&self.header) {
//!             Some(word) if word == self.word => Ok(Verdict::Next),
//!             _ => Ok(Verdict::problem(401, "The word is missing or wrong")),
//!         }
//!     }
//! }
//!
//! // In a native `#[test]`, without a gateway:
//! use tollgate_plugin::testing::{Gateway, Request as Sent};
//!
//! let gateway = Gateway::<Password>::new(r#"{ "header": "x-word", "word": "please" }"#);
//! assert!(gateway.request(Sent::get("/").header("x-word", "please")).is_next());
//! assert_eq!(gateway.request(Sent::get("/")).status(), Some(401));
//! ```
//!
//! Build it as a component with `crate-type = ["cdylib", "rlib"]` and
//! `cargo build --release --target wasm32-wasip2`.
//!
//! The hooks that the block implements are the phases that the gateway calls; the others cost
//! nothing. What a hook does with the request, the gateway does: reading one header is one call,
//! not a copy of the request. Everything that waits looks like a plain call.

#![warn(missing_docs)]

pub mod cache;
pub mod clock;
mod configure;
pub mod crypto;
mod error;
pub mod http;
pub mod limits;
mod name;
mod plugin;
mod request;
mod response;
pub mod store;
#[doc(hidden)]
pub mod sys;
pub mod telemetry;
pub mod template;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod values;
mod verdict;

#[doc(hidden)]
pub use {schemars, serde};

pub use tollgate_plugin_macros::{Config, plugin};

pub use crate::error::{BodyError, Error, Reason, Refused};
pub use crate::name::{HeaderName, InvalidName};
pub use crate::plugin::{About, Need, Outcome, Phases, Plugin};
pub use crate::request::{ClientCertificate, Field, Peer, Request, Tls};
pub use crate::response::Response;
pub use crate::template::Template;
pub use crate::values::{InvalidPeriod, OneOrMany, Period};
pub use crate::verdict::{Problem, Verdict};

/// Exports a plugin from its component; `#[plugin]` writes this line.
#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($plugin:ty) => {
        const _: () = {
            type Exported = $crate::sys::component::Component<$plugin>;
            $crate::sys::component::export_component!(
                Exported with_types_in $crate::sys::component::bindings
            );
        };
    };
}

/// Exports a plugin from its component; a native build, which has nothing to export, is told here
/// that the plugin is in use.
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($plugin:ty) => {
        const _: fn(
            <$plugin as $crate::Plugin>::Config,
        ) -> ::core::result::Result<$plugin, $crate::Error> = <$plugin as $crate::Plugin>::new;
    };
}
