//! What a file is, told before it is compiled.

use std::path::Path;

use super::{LoadError, size};
use crate::{
    digest::Digest,
    disk,
    plugin::world::{Kind, Release, World},
    printable,
    registry::MAX_COMPONENT,
};

/// Bytes of a world's version that are told.
const MAX_VERSION: usize = 64;

/// The bytes of a file and their digest.
pub(super) fn read(path: &Path) -> Result<(Vec<u8>, Digest), LoadError> {
    let read = disk::read(path, MAX_COMPONENT);
    let bytes = read.map_err(|source| LoadError::Read { path: path.to_owned(), source })?;
    let digest = Digest::of(&bytes);
    Ok((bytes, digest))
}

/// Tells a core module, and anything else that is no component, before the compiler does, and what it
/// would take too long for.
pub(super) fn check_kind(name: &str, bytes: &[u8]) -> Result<(), LoadError> {
    if wasmparser::Parser::is_component(bytes) {
        let too_much = |what| LoadError::TooLarge { name: name.to_owned(), what };
        return size::check(bytes).map_err(|it| too_much(it.to_string()));
    }
    if wasmparser::Parser::is_core_wasm(bytes) {
        return Err(LoadError::Module { name: name.to_owned() });
    }
    let reason = match bytes {
        [] => "it is empty",
        _ => "it does not begin as one",
    };
    let reason =
        format!("{reason}; build it for wasm32-wasip2, such as by `tollgate plugin build`");
    Err(LoadError::NotAComponent { name: name.to_owned(), reason })
}

/// The version of the world that a plugin is written for, told before it is compiled. `None`: it is of
/// no world that is known, or broken, which the compiler tells.
///
/// # Errors
///
/// It is no plugin, or of a version that this gateway does not know.
pub(super) fn release(name: &str, bytes: &[u8]) -> Result<Option<Release>, LoadError> {
    let Some(World { kind, version }) = World::of(bytes) else { return Ok(None) };
    let name = name.to_owned();
    match kind {
        Kind::Plugin => match Release::of(&version) {
            None => {
                let theirs = &version[..version.floor_char_boundary(MAX_VERSION)];
                let theirs = printable::one_line(theirs).into_owned();
                Err(LoadError::UnknownVersion { name, theirs })
            }
            release => Ok(release),
        },
        Kind::Proxy | Kind::Service => Err(LoadError::NotAPlugin { name }),
        Kind::Middleware => Err(LoadError::Middleware { name }),
    }
}
