//! A new project from an embedded template.

use std::{
    fs,
    path::{Path, PathBuf},
};

use include_dir::{Dir, DirEntry, include_dir};

use super::{Error, Language};

static TEMPLATES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../templates");

/// The cases that every template passes.
const CASES: &str = "cases.yaml";

const WIT: &str = include_str!("../../../wit/plugin.wit");

/// A project that was made.
pub(crate) struct Made {
    pub(crate) folder: PathBuf,
    /// The crate that a project in Rust depends on, as its manifest says.
    pub(crate) sdk: Option<String>,
}

/// Makes the project `name` in the folder `parent`. `sdk`: the folder of `tollgate-plugin`, for
/// Rust.
///
/// # Errors
///
/// The name is none, the folder is there or cannot be written, or there is no `tollgate-plugin`.
pub(crate) fn create(
    name: &str,
    language: Language,
    parent: &Path,
    sdk: Option<&Path>,
) -> Result<Made, Error> {
    check_name(name)?;
    let folder = super::below(parent, name);
    if folder.exists() {
        return Err(Error::There(folder));
    }
    let template = TEMPLATES.get_dir(language.folder()).ok_or(Error::NoTemplate)?;
    let sdk = match language {
        Language::Rust => Some(dependency(parent, sdk)?),
        _ => None,
    };
    let fill = |text: &str| {
        let text = text.replace("{{name}}", name).replace("{{crate}}", &name.replace('-', "_"));
        text.replace("{{sdk}}", sdk.as_deref().unwrap_or_default())
    };
    write_folder(template, language.folder(), &folder, &fill)?;
    if let Some(cases) = TEMPLATES.get_file(CASES).and_then(|file| file.contents_utf8()) {
        write(&folder.join(CASES), fill(cases).as_bytes())?;
    }
    if language != Language::Rust {
        write(&folder.join("wit/plugin.wit"), WIT.as_bytes())?;
    }
    Ok(Made { folder, sdk })
}

fn check_name(name: &str) -> Result<(), Error> {
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(is_allowed)
        && !name.ends_with('-')
        && !name.contains("--");
    if is_name { Ok(()) } else { Err(Error::Name(name.to_owned())) }
}

fn write_folder(
    template: &Dir<'_>,
    root: &str,
    folder: &Path,
    fill: &impl Fn(&str) -> String,
) -> Result<(), Error> {
    for entry in template.entries() {
        match entry {
            DirEntry::Dir(inner) => write_folder(inner, root, folder, fill)?,
            DirEntry::File(file) => {
                let path = folder.join(file.path().strip_prefix(root).unwrap_or(file.path()));
                match file.contents_utf8() {
                    Some(text) => write(&path, fill(text).as_bytes())?,
                    None => write(&path, file.contents())?,
                }
            }
        }
    }
    Ok(())
}

fn write(path: &Path, contents: &[u8]) -> Result<(), Error> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all);
    written
        .and_then(|()| fs::write(path, contents))
        .map_err(|source| Error::Write { path: path.to_owned(), source })
}

/// What a manifest says of `tollgate-plugin`: the folder that is named, else that of the checkout
/// around `parent`, else of the one in which this program was built.
fn dependency(parent: &Path, named: Option<&Path>) -> Result<String, Error> {
    let program = std::env::current_exe().ok();
    let folder = match named {
        Some(named) if is_sdk(named) => named.to_owned(),
        Some(named) => return Err(Error::NotTheSdk(named.to_owned())),
        None => around(parent).or_else(|| around(&program?)).ok_or(Error::NoSdk)?,
    };
    let folder = fs::canonicalize(&folder).unwrap_or(folder);
    // A path in quotes is a string in TOML as it is in Rust, but for what nobody calls a folder.
    Ok(format!("{{ path = {:?} }}", folder.display().to_string()))
}

fn around(place: &Path) -> Option<PathBuf> {
    let place = std::path::absolute(place).ok()?;
    place.ancestors().map(|folder| folder.join("plugin-sdk")).find(|folder| is_sdk(folder))
}

fn is_sdk(folder: &Path) -> bool {
    let manifest = fs::read_to_string(folder.join("Cargo.toml"));
    manifest.is_ok_and(|text| text.lines().any(|line| line.trim() == "name = \"tollgate-plugin\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_every_language_can_have() {
        for name in ["a", "my-plugin", "a1-b2"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in
            ["", "A", "1a", "-a", "a-", "a--b", "a_b", "a b", "../a", "a.b", &"a".repeat(65)]
        {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        let parent = tempfile::tempdir().expect("a folder");
        let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugin-sdk");
        let create = |name: &str, language| create(name, language, parent.path(), Some(&sdk));
        for language in [Language::Rust, Language::Js, Language::Python, Language::C] {
            if TEMPLATES.get_dir(language.folder()).is_none() {
                continue;
            }
            let name = format!("new-{}", language.folder());
            let made = create(&name, language).expect("made");
            for entry in fs::read_dir(&made.folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                let text = fs::read_to_string(&path).unwrap_or_default();
                assert!(!text.contains("{{"), "{}", path.display());
            }
            assert!(made.folder.join(CASES).is_file());
            assert!(matches!(create(&name, language), Err(Error::There(_))));
        }
    }
}
