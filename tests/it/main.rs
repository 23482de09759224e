//! The gateway through its front door.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod routing;
mod forwarding;
mod bodies;
mod http2;
mod tls;
mod half_close;
mod upstreams;
mod upgrade;
mod hostile;
mod plugins;
mod chunks;
mod components;
mod faults;
mod limits;
mod reload;
mod registry;
mod shutdown;
mod standard_plugins;
mod admin;
mod cli;
mod examples;
