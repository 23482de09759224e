//! The example plugins and components in other languages than Rust, each built with its language's
//! own tools, where they are there.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::build;
use crate::command::Tool;
use crate::steps::Steps;
use crate::workspace::Workspace;

/// Where the components go, below `target/`, and beside them why one is missing.
const OUTPUT: &str = "example-plugins";

/// What a build leaves in a project.
const LEFT_BEHIND: [&str; 4] = ["build", "node_modules", ".venv", "__pycache__"];

const EXAMPLES: [Example; 4] = [
    Example { name: "js-greeting", language: Language::JavaScript, kind: Kind::Plugin },
    Example { name: "python-allow-list", language: Language::Python, kind: Kind::Plugin },
    Example { name: "c-timing", language: Language::C, kind: Kind::Plugin },
    Example { name: "js-hello", language: Language::JavaScript, kind: Kind::Component },
];

/// A project in another language than Rust.
struct Example {
    name: &'static str,
    language: Language,
    kind: Kind,
}

/// What a project becomes, and so where it is.
#[derive(Clone, Copy)]
enum Kind {
    /// Below `examples/plugins/`, after a template.
    Plugin,
    /// A `wasi:http` component, below `examples/components/`.
    Component,
}

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Self::Plugin => "examples/plugins",
            Self::Component => "examples/components",
        }
    }
}

#[derive(Clone, Copy)]
enum Language {
    JavaScript,
    Python,
    C,
}

/// Builds what this machine has tools for. What it has not is skipped, and the reason is kept for
/// the tests to tell.
pub(crate) fn all(workspace: &Workspace, steps: &mut Steps) -> Result<()> {
    steps.run("example plugin in Rust", || build::guests(workspace, "examples/plugins", OUTPUT))?;
    for example in &EXAMPLES {
        example.build(workspace, steps)?;
    }
    Ok(())
}

impl Example {
    fn build(&self, workspace: &Workspace, steps: &mut Steps) -> Result<()> {
        let step = format!("example {}", self.name);
        let source = workspace.root.join(self.kind.folder()).join(self.name);
        let output = workspace.target().join(OUTPUT);
        fs::create_dir_all(&output)?;
        let place = |extension: &str| output.join(self.name).with_extension(extension);

        self.check_shared_files(workspace, &source)?;
        let stamp = stamp(&source)?;
        let built_from = fs::read_to_string(place("stamp")).unwrap_or_default();
        if built_from == stamp && place("wasm").is_file() {
            return steps.run(&format!("{step} (as it was)"), || Ok(()));
        }

        let project = workspace.target().join("example-builds").join(self.name);
        copy(&source, &project)?;
        if let Err(missing) = self.language.prepare(&project) {
            let why = format!("{missing:#}");
            // An old component would hide that this one could not be built.
            let _ = fs::remove_file(place("wasm"));
            fs::write(place("skipped"), &why)?;
            steps.skip(&step, &why);
            return Ok(());
        }
        let _ = fs::remove_file(place("skipped"));
        steps.run(&step, || self.language.build(&project))?;
        build::install(
            &project.join("build").join(self.name).with_extension("wasm"),
            &place("wasm"),
        )?;
        fs::write(place("stamp"), stamp).context("cannot note what was built")
    }

    /// What an example shares with its language's template is the template's, to the letter.
    fn check_shared_files(&self, workspace: &Workspace, source: &Path) -> Result<()> {
        if matches!(self.kind, Kind::Component) {
            return Ok(());
        }
        let template = workspace.root.join("templates").join(self.language.template());
        for name in self.language.shared_files() {
            let (ours, theirs) = (source.join(name), template.join(name));
            ensure!(
                fs::read(&ours).ok() == fs::read(&theirs).ok(),
                "{} is to be a copy of {}",
                ours.display(),
                theirs.display()
            );
        }
        Ok(())
    }
}

impl Language {
    fn template(self) -> &'static str {
        match self {
            Self::JavaScript => "js",
            Self::Python => "python",
            Self::C => "c",
        }
    }

    fn shared_files(self) -> &'static [&'static str] {
        match self {
            Self::JavaScript => &["build.mjs", "tollgate.js", ".npmrc", ".gitignore"],
            Self::Python => &["tollgate.py", "requirements.txt", ".gitignore"],
            Self::C => &["tollgate.c", "tollgate.h", ".gitignore"],
        }
    }

    /// Finds the language's tools, or installs them into the project; the error is what is missing.
    fn prepare(self, project: &Path) -> Result<()> {
        match self {
            Self::JavaScript => {
                there("node", &["--version"])?;
                there("npm", &["--version"])?;
                once(project, "package-lock.json", "node_modules", || {
                    quietly("npm", &["ci", "--no-audit", "--no-fund", "--loglevel=error"], project)
                })
            }
            Self::Python => {
                there("python3", &["-c", "import ensurepip, venv"])?;
                there("make", &["--version"])?;
                once(project, "requirements.txt", ".venv", || {
                    quietly("python3", &["-m", "venv", ".venv"], project)?;
                    let pip = project.join(".venv/bin/pip");
                    quietly(pip, &["install", "--quiet", "-r", "requirements.txt"], project)
                })
            }
            Self::C => {
                there("make", &["--version"])?;
                quietly("make", &["tools"], project)
            }
        }
    }

    fn build(self, project: &Path) -> Result<()> {
        match self {
            Self::JavaScript => Tool::new("npm").args(["run", "--silent", "build"]),
            Self::Python | Self::C => Tool::new("make").arg("--silent"),
        }
        .within(project)
        .run()
    }
}

fn there(program: &str, arguments: &[&str]) -> Result<()> {
    ensure!(Tool::new(program).args(arguments).works(), "`{program}` is missing or incomplete");
    Ok(())
}

fn quietly(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str], project: &Path) -> Result<()> {
    Tool::new(program).args(arguments).within(project).output().map(drop)
}

/// Installs into `folder` what `list` names, unless it was installed from the same list.
fn once(
    project: &Path,
    list: &str,
    folder: &str,
    install: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let wanted = fs::read(project.join(list)).with_context(|| format!("cannot read {list}"))?;
    let note = project.join(folder).join("installed");
    if fs::read(&note).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    install()?;
    fs::write(&note, wanted).context("cannot note what was installed")
}

/// What the project's files are, in short. Only compared with what this program wrote.
fn stamp(source: &Path) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for path in files(source)? {
        path.strip_prefix(source)?.hash(&mut hasher);
        fs::read(&path)
            .with_context(|| format!("cannot read {}", path.display()))?
            .hash(&mut hasher);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Copies a project, following links, without what builds leave in it.
fn copy(source: &Path, project: &Path) -> Result<()> {
    for path in files(source)? {
        let place = project.join(path.strip_prefix(source)?);
        fs::create_dir_all(place.parent().context("a file without a folder")?)?;
        fs::copy(&path, &place).with_context(|| format!("cannot write {}", place.display()))?;
    }
    Ok(())
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        if LEFT_BEHIND.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        match entry.path() {
            path if path.is_dir() => found.append(&mut files(&path)?),
            path => found.push(path),
        }
    }
    found.sort();
    Ok(found)
}
