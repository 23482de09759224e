//! Why a file is no component that can be used.

use std::{io, path::PathBuf};

use crate::plugin::world::Release;

/// Why a component cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("cannot read `{path}`: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("`{name}` is a core WebAssembly module, not a component; build it for wasm32-wasip2")]
    Module { name: String },
    #[error("`{name}` has {what}, which would take the gateway too long to compile")]
    TooLarge { name: String, what: String },
    #[error("`{name}` is not used: {reason}")]
    Uncompiled { name: String, reason: String },
    #[error("`{name}` is not a WebAssembly component: {reason}")]
    NotAComponent { name: String, reason: String },
    #[error(
        "`{name}` is written for `tollgate:plugin@{theirs}`; this gateway loads {known}: run it in a newer gateway, or build it for one of these",
        known = Release::known()
    )]
    UnknownVersion { name: String, theirs: String },
    #[error("`{name}` does not fit the world `tollgate:plugin`: {reason}")]
    OtherWorld { name: String, reason: String },
    #[error(
        "`{name}` is a `wasi:http` component: it answers requests, at the end of a route (`component`)"
    )]
    NotAPlugin { name: String },
    #[error("`{name}` cannot describe itself: {reason}")]
    Describe { name: String, reason: String },
    #[error("`{name}` is a plugin, which does not answer requests by itself; list it in `plugins`")]
    NotAnEnd { name: String },
    #[error("`{name}` is a `wasi:http` middleware, which is no plugin of this gateway's own world")]
    Middleware { name: String },
    #[error(
        "`{name}` exports neither `wasi:http/incoming-handler@0.2` nor `wasi:http/handler@0.3`"
    )]
    NoService { name: String },
    #[error("`{name}` does not fit the world `{world}`: {reason}")]
    Unlinked { name: String, world: String, reason: String },
    #[error("the engine of `wasi:http` components does not start: {0}")]
    Engine(String),
}
