//! What the fuzz targets in `fuzz/` reach of the inside. Not part of the library.
//!
//! Each target takes bytes and panics where something does not hold that must hold whatever the
//! bytes are. The same bytes always do the same.

mod guest;
mod loader;
mod text;
mod wire;

pub use self::{
    guest::Guest,
    loader::Loader,
    text::{config, path},
};
