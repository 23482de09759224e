//! Plugins and services: components, their uses, and the calls into them. Nothing outside names a
//! WIT type.

mod bindings;
mod cache;
mod canary;
pub(crate) mod compiler;
mod component;
mod denied;
mod engine;
mod held;
mod hook;
mod idle;
mod imports;
mod kept;
mod limits;
mod log_limit;
mod meter;
mod pool;
mod quarantine;
mod reached;
mod service;
mod settings;
mod snapshot;
mod state;
mod surface;
mod time;
mod trace;
mod usage;
mod world;

pub(crate) use self::{
    canary::{Canary, Seen},
    hook::{HookError, Outcome, Side, Verdict},
    quarantine::{Quarantine, Trial},
    service::{Asked, HANDLE, Middleware, MiddlewareFailed, Service, Suspended},
    time::{Stated, Time},
    usage::{Origin, Shared, Use},
};
pub use self::{
    component::{Component, Components, LoadError, Manifest},
    engine::Engine,
    service::ServiceComponent,
    surface::Surface,
    world::{Kind, Release, World},
};
