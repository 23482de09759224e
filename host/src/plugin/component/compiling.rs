//! From the bytes of a component to machine code.

use super::{Components, LoadError};
use crate::{
    digest::Digest,
    plugin::{
        cache::Compiled,
        compiler::{Ended, Guests},
    },
};

/// A file that is about to be compiled.
#[derive(Clone, Copy)]
pub(in crate::plugin) struct Compiling<'a> {
    pub(super) components: &'a Components,
    /// What errors call it.
    pub(in crate::plugin) name: &'a str,
    pub(in crate::plugin) bytes: &'a [u8],
    /// Of the bytes.
    pub(in crate::plugin) digest: &'a Digest,
}

impl Compiling<'_> {
    /// # Errors
    ///
    /// It is no sound component, or the compiler came to no end.
    pub(in crate::plugin) fn compile(self, guests: Guests) -> Result<Compiled, LoadError> {
        let Self { components, name, bytes, digest } = self;
        let compiled = components.compiled_for(guests, name, bytes, digest);
        compiled.map_err(|error| {
            let name = name.to_owned();
            match error.downcast::<Ended>() {
                Ok(reason) => LoadError::Uncompiled { name, reason: reason.to_string() },
                Err(error) => LoadError::NotAComponent { name, reason: fault(bytes, &error) },
            }
        })
    }
}

fn fault(component: &[u8], error: &wasmtime::Error) -> String {
    damage(component)
        .unwrap_or_else(|| format!("{error:#}; if it is damaged, copy it again or build it again"))
}

/// Where the bytes stop being a component, if it is their form that is at fault.
fn damage(bytes: &[u8]) -> Option<String> {
    let error = wasmparser::Parser::new(0).parse_all(bytes).find_map(Result::err)?;
    let (at, length) = (error.offset(), bytes.len());
    Some(if error.message().starts_with("unexpected end") {
        format!("it is cut short, after {length} bytes; copy it again, or build it again")
    } else {
        let reason = error.message();
        format!(
            "it is damaged at byte {at} of {length} ({reason}); copy it again, or build it again"
        )
    })
}
