//! The gateway's side of the border: the real one in a component, a stand-in in native tests.
//!
//! Both have the same shape and speak this crate's types, so nothing else knows which it is.

#[cfg(target_family = "wasm")]
pub mod component;
#[cfg(not(target_family = "wasm"))]
mod native;

#[cfg(target_family = "wasm")]
pub(crate) use self::component::*;
#[cfg(not(target_family = "wasm"))]
pub(crate) use self::native::*;
