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
    let places = ["plugins", "test-plugins", "example-plugins", "components"];
    let mut files = places.map(|place| target().join(place).join(&file)).into_iter();
    let found = files.find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!("{file} is missing; run `cargo xtask build` and `cargo xtask test --only build`")
    })
}

/// Whether an example plugin could be built on this machine. If not, this tells the person who
/// runs the tests why the one that asks is left out, past what captures a test's output.
///
/// # Panics
///
/// Nobody has tried to build it.
#[must_use]
pub fn has_example(name: &str) -> bool {
    let place = target().join("example-plugins").join(name);
    if place.with_extension("wasm").is_file() {
        return true;
    }
    let Ok(reason) = std::fs::read_to_string(place.with_extension("skipped")) else {
        panic!("{name}.wasm is missing; run `cargo xtask test --only example-plugins`")
    };
    let first = reason.lines().next().unwrap_or_default();
    tell_skipped(&format!("the plugin {name}: {first}"));
    false
}

/// The program of wasmtime, the one in `PATH` or that of `cargo xtask test`; `None`, and a word to the
/// person who runs the tests, where there is none.
#[must_use]
pub fn wasmtime() -> Option<PathBuf> {
    let own = target().join("wasmtime/bin/wasmtime");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).map(|folder| folder.join("wasmtime")).chain([own]);
    let found = places.into_iter().find(|program| program.is_file());
    if found.is_none() {
        tell_skipped(
            "a `wasmtime` in PATH; `cargo xtask test --only example-plugins` installs one",
        );
    }
    found
}

/// As [`wasmtime`], unless it is older than `major`.
///
/// # Panics
///
/// It does not tell its version.
#[must_use]
pub fn wasmtime_since(major: u32) -> Option<PathBuf> {
    let program = wasmtime()?;
    let told = std::process::Command::new(&program).arg("--version").output();
    let told = String::from_utf8(told.expect("it runs").stdout).expect("text");
    let version = told.split(['.', ' ']).nth(1).and_then(|major| major.parse().ok());
    if version.is_none_or(|version: u32| version < major) {
        tell_skipped(&format!("a `wasmtime` since version {major}; there is {}", told.trim()));
        return None;
    }
    Some(program)
}

/// Tells why a test is left out, past what captures a test's output.
fn tell_skipped(without: &str) {
    let test = std::thread::current();
    let test = test.name().unwrap_or("a test");
    let note = format!("{test}: skipped without {without}\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), note.as_bytes());
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
