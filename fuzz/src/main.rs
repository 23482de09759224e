//! All fuzz targets in one program: libFuzzer's own command line, with the target in
//! `TOLLGATE_FUZZ_TARGET` and the folder of components in `TOLLGATE_FUZZ_PLUGINS`. An input that makes
//! it panic, or take too long, or too much memory, is a finding. `cargo xtask fuzz` runs it.

#![no_main]

use std::env;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use libfuzzer_sys::fuzz_target;
use tollgate::fuzz::{self, Guest, Loader};

/// What an input is taken for.
enum Target {
    /// A script of calls from a guest into the gateway.
    HostFunctions(Box<Guest>),
    /// The file of a component.
    Loader(Box<Loader>),
    /// A configuration.
    Config,
    /// The path of a request.
    Path,
}

impl Target {
    fn chosen() -> Self {
        let name = env::var("TOLLGATE_FUZZ_TARGET").unwrap_or_default();
        let plugins = PathBuf::from(env::var_os("TOLLGATE_FUZZ_PLUGINS").unwrap_or_default());
        match name.as_str() {
            "host-functions" => Self::HostFunctions(Box::new(Guest::new(&plugins))),
            "loader" => Self::Loader(Box::new(Loader::new(&plugins))),
            "config" => Self::Config,
            "path" => Self::Path,
            other => panic!("TOLLGATE_FUZZ_TARGET is `{other}`, which is no target"),
        }
    }

    fn take(&mut self, input: &[u8]) {
        match self {
            Self::HostFunctions(guest) => guest.run(input),
            Self::Loader(loader) => loader.load(input),
            Self::Config => fuzz::config(input),
            Self::Path => fuzz::path(input),
        }
    }
}

fuzz_target!(|input: &[u8]| {
    static TARGET: Mutex<Option<Target>> = Mutex::new(None);
    let mut target = TARGET.lock().unwrap_or_else(PoisonError::into_inner);
    target.get_or_insert_with(Target::chosen).take(input);
});
