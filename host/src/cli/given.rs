//! Configurations as the command line names them: in files, or through a pipe.

use std::{io, path::Path};

use super::{
    Outcome,
    piped::{self, Piped},
};
use crate::{
    config::{self, Config, Fault, fault_lines},
    disk::{self, MAX_TEXT},
};

/// What to say of a file that is not there: the default name is easily taken for one that was given.
const CONFIG: &str = "name the configuration by `--config FILE` or TOLLGATE_CONFIG";

/// What is said, and all that is wrong with it. What comes through a pipe is taken as if a file in
/// the current folder held it.
///
/// # Errors
///
/// There is no such file, or the pipe cannot be read.
pub(super) fn examine(path: &Path) -> Result<(Option<Config>, Vec<Fault>), String> {
    examine_hinting(path, CONFIG)
}

/// What messages call it.
pub(super) fn name(path: &Path) -> String {
    piped::shown(path)
}

/// The configuration, if nothing is wrong with it.
///
/// # Errors
///
/// All that is wrong, a line each.
pub(super) fn load(path: &Path) -> Result<Config, String> {
    load_hinting(path, CONFIG)
}

/// As [`load`]; `hint`: where the name comes from.
pub(super) fn load_hinting(path: &Path, hint: &str) -> Result<Config, String> {
    match examine_hinting(path, hint)? {
        (Some(config), faults) if faults.is_empty() => Ok(config),
        (_, faults) => Err(fault_lines(&faults)),
    }
}

/// # Errors
///
/// There is no such file.
pub(super) fn must_exist(path: &Path) -> Outcome {
    must_exist_hinting(path, CONFIG)
}

fn examine_hinting(path: &Path, hint: &str) -> Result<(Option<Config>, Vec<Fault>), String> {
    if let Some(Piped { bytes, name }) = Piped::read(path, MAX_TEXT)? {
        let text = disk::text(bytes).map_err(|error| format!("{name}: {error}"))?;
        // Relative paths are those of the current folder, and not of that of all pipes.
        let name = name.replace("/dev/fd/", "<pipe>").replace("/proc/self/fd/", "<pipe>");
        return Ok(config::examine_text(&text, Path::new(&name)));
    }
    must_exist_hinting(path, hint)?;
    Ok(config::examine(path))
}

fn must_exist_hinting(path: &Path, hint: &str) -> Outcome {
    let file = path.display();
    let error = match path.metadata() {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    Err(match path.read_link() {
        _ if error.kind() != io::ErrorKind::NotFound => format!("{file}: cannot be read: {error}"),
        Ok(target) => format!("{file}: it is a link to `{}`, which is not there", target.display()),
        Err(_) => format!("{file}: there is no such file; {hint}"),
    })
}
