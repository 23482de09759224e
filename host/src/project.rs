//! A plugin's project: made from a template, built by its language's own tools.

mod build;
mod create;
mod tools;

use std::path::{Path, PathBuf};

pub(crate) use self::{
    build::{build, install},
    create::create,
};

/// The languages that there is a template for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Language {
    Rust,
    Js,
    Python,
    C,
}

impl Language {
    /// The folder of its template.
    fn folder(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Js => "js",
            Self::Python => "python",
            Self::C => "c",
        }
    }

    /// By the files that are there; `None`: those of no language.
    fn of(project: &Path) -> Option<Self> {
        let has = |name: &str| project.join(name).is_file();
        if has("Cargo.toml") {
            Some(Self::Rust)
        } else if has("package.json") {
            Some(Self::Js)
        } else if has("requirements.txt") || has("pyproject.toml") {
            Some(Self::Python)
        } else {
            has("Makefile").then_some(Self::C)
        }
    }
}

/// `name` in `folder`, without a `./` that nobody would write.
fn below(folder: &Path, name: &str) -> PathBuf {
    if folder == Path::new(".") { PathBuf::from(name) } else { folder.join(name) }
}

/// Why there is no project, or no component of it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(
        "`{0}` is not a name for a plugin: at most 64 small letters, digits and single `-`, \
         a letter first, none of them last"
    )]
    Name(String),
    #[error("`{0}` is there already")]
    There(PathBuf),
    #[error("this build of tollgate has no template for the language")]
    NoTemplate,
    #[error("`{0}` is not the folder of `tollgate-plugin`: it has no such Cargo.toml")]
    NotTheSdk(PathBuf),
    #[error(
        "the crate `tollgate-plugin` is in no registry yet: name its folder with `--sdk`, which is \
         `plugin-sdk` in a checkout of tollgate"
    )]
    NoSdk,
    #[error("cannot write `{path}`: {source}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error(
        "`{0}` has no Cargo.toml, package.json, requirements.txt, pyproject.toml or Makefile: \
         no project that can be built"
    )]
    NoProject(PathBuf),
    #[error("`{tool}` is missing: {remedy}")]
    NoTool { tool: &'static str, remedy: &'static str },
    #[error("`{0}` failed")]
    Failed(String),
    #[error("what was built is not where it should be: {0}")]
    NoComponent(String),
}
