//! The gateway's side of the border: the real one in a component, a stand-in in native tests.
//!
//! Both have the same shape and speak this crate's types, so nothing else knows which it is.

#[cfg(target_family = "wasm")]
#[path = "sys/component.rs"]
mod border;
#[cfg(not(target_family = "wasm"))]
#[path = "sys/native.rs"]
mod border;

pub(crate) use border::*;

#[cfg(target_family = "wasm")]
pub mod component {
    //! For [`__export!`](crate::__export) only.
    pub use super::border::{Component, bindings, export_component};
}
