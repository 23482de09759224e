//! Fixtures: a gateway as its own process, upstreams, clients, certificates and tokens. Tests use
//! what users use, the binary and its ports, and nothing of the gateway's code.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

pub mod wait;
pub mod artifacts;
pub mod gateway;
mod log;
pub mod admin;
pub mod process;
pub mod client;
pub mod raw;
pub mod frames;
pub mod tls;
pub mod upstream;
pub mod recorder;
pub mod registry;
pub mod load;
pub mod certs;
pub mod coded;
pub mod heavy;
pub mod tokens;

pub use crate::client::{Connection, Reply};
pub use crate::gateway::{Gateway, Setup};
pub use crate::raw::RawClient;
pub use crate::recorder::Recorder;
pub use crate::registry::Registry;
pub use crate::upstream::Upstream;
