//! What a plugin may call, one module for each interface of the world.

pub(super) mod cache;
pub(super) mod crypto;
mod fields;
mod http_client;
mod limits;
pub(super) mod output;
mod request;
mod response;
mod store;
mod telemetry;
