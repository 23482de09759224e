//! From the bytes of a component to machine code.

use super::{Components, LoadError};
use crate::{digest::Digest, plugin::cache::Compiled};

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
    pub(in crate::plugin) fn compile(
        self,
        engine: &wasmtime::Engine,
    ) -> Result<Compiled, LoadError> {
        let compiled = self.components.compiled_for(engine, self.name, self.bytes, self.digest);
        compiled.map_err(|error| LoadError::NotAComponent {
            name: self.name.to_owned(),
            reason: damage(self.bytes).unwrap_or_else(|| {
                format!("{error:#}; if it is damaged, copy it again or build it again")
            }),
        })
    }
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
