//! Tollgate: a programmable API gateway whose policies are WebAssembly components.
//!
//! The modules stand in the order in which a request meets them; `gateway` tells its whole way.

// The future of a connection holds that of an exchange, and so on down to the sockets.
#![recursion_limit = "256"]

pub mod cli;
pub mod config;
pub mod server;
mod worker;
mod waiting;
mod clock;
mod digest;
mod printable;
pub mod disk;
mod tls;
mod listener;
mod gateway;
mod exchange;
pub mod router;
mod forwarding;
mod chain;
pub mod registry;
pub mod plugin;
mod bounded;
mod store;
mod cache;
mod upstream;
mod body;
mod coding;
mod error;
mod problem;
mod generation;
mod reload;
mod telemetry;
mod admin;
pub mod explain;
mod diff;
mod cases;
mod project;
#[doc(hidden)]
pub mod bench;
#[doc(hidden)]
pub mod fuzz;
