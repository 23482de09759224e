//! Plugins: components, their uses, and the calls into them. Nothing outside names a WIT type.

mod bindings;
mod cache;
mod component;
mod engine;
mod hook;
mod imports;
mod limits;
mod meter;
mod pool;
mod state;
mod usage;

pub use self::{
    component::{Component, Components, LoadError, Manifest},
    engine::Engine,
};
pub(crate) use self::{
    hook::{HookError, Outcome, Side, Verdict},
    limits::RateLimits,
    usage::Use,
};
