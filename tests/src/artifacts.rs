//! Where the programs and components under test are.

use std::path::{Path, PathBuf};

/// The gateway's binary: `TOLLGATE_BIN`, else the one of `cargo xtask build`.
///
/// # Panics
///
/// It has not been built.
#[must_use]
pub fn gateway() -> PathBuf {
    let named = std::env::var_os("TOLLGATE_BIN").map(PathBuf::from);
    let path = named.unwrap_or_else(|| target().join("release/tollgate"));
    assert!(path.is_file(), "{} is missing; run `cargo xtask build`", path.display());
    path
}

/// A standard plugin, or one of `tests/plugins`, by its name.
///
/// # Panics
///
/// It has not been built.
#[must_use]
pub fn component(name: &str) -> PathBuf {
    let file = format!("{name}.wasm");
    let places = [target().join("plugins").join(&file), target().join("test-plugins").join(&file)];
    let found = places.into_iter().find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!("{file} is missing; run `cargo xtask build` and `cargo xtask test --only build`")
    })
}

/// Where the gateways of all tests keep compiled plugins, so that each is compiled once.
#[must_use]
pub fn cache() -> PathBuf {
    target().join("test-cache")
}

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    // Cargo says where it runs tests; a checkout may have been moved since they were compiled.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR");
    let manifest = manifest.unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
    Path::new(&manifest).parent().expect("it is below the root").to_owned()
}

fn target() -> PathBuf {
    root().join("target")
}
