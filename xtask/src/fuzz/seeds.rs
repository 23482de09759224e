//! First inputs, made of the repository's files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Target, make_empty};
use crate::workspace::Workspace;

/// At least as many as there are functions to call.
const CALLS: u8 = 96;

/// Paths, and patterns that they fit or do not fit.
const PATHS: [&str; 6] = [
    "/a/%2e%2E/b/./c%2Fd//e?x\n/a/{id}\n/{*rest}",
    "/..;/a%5c\u{e9}/%7Euser\n/a/b\n/a/{b}\n/{a}/b",
    "/a/b/c\n/a/b/{c}\n/a/{b}/{*c}\n/{a}/{b}/c",
    "/x\n/x/{*rest}\n/x/\n/{x}",
    "/%41%zz\n/A",
    "*\n/*",
];

/// Writes the seeds of a target into `folder`, and only these.
pub(super) fn write(workspace: &Workspace, target: Target, folder: &Path) -> Result<()> {
    make_empty(folder)?;
    let seeds = match target {
        Target::HostFunctions => scripts(),
        Target::Loader => changed_components(workspace)?,
        Target::Config => configurations(workspace)?,
        Target::Path => PATHS.map(|seed| seed.as_bytes().to_vec()).into(),
    };
    for (index, seed) in seeds.into_iter().enumerate() {
        let place = folder.join(format!("{index:03}"));
        fs::write(&place, seed).with_context(|| format!("cannot write {}", place.display()))?;
    }
    Ok(())
}

/// Each function once from each hook, with arguments that are all the same.
fn scripts() -> Vec<Vec<u8>> {
    let script = |call, argument| {
        let mut script = vec![0, 128];
        for _ in 0..2 {
            script.push(call);
            script.extend([argument; 24]);
        }
        script
    };
    (0..CALLS).flat_map(|call| [1, 2, 3].map(|argument| script(call, argument))).collect()
}

/// The folder of components that are as small as one of their kind can be: a whole plugin takes a
/// hundred times as long to load.
pub(super) fn components(workspace: &Workspace) -> PathBuf {
    workspace.root.join("fuzz/components")
}

/// Each component as it is, with one byte changed, and its beginnings.
fn changed_components(workspace: &Workspace) -> Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for (index, file) in (0..).zip(files(&components(workspace), "wasm")?) {
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        seeds.push(vec![index]);
        seeds.push(vec![index, 99, 1, 0, 0x41]);
        seeds.extend([8, bytes.len() / 2, bytes.len() - 1].map(|length| bytes[..length].to_vec()));
        seeds.push(bytes);
    }
    Ok(seeds)
}

/// The examples, and what stands in the documents.
fn configurations(workspace: &Workspace) -> Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for file in files(&workspace.root.join("examples"), "yaml")? {
        seeds.push(read(&file)?.into_bytes());
    }
    for file in files(&workspace.root.join("docs"), "md")? {
        let text = read(&file)?;
        let blocks = text.split("```yaml\n").skip(1);
        let blocks = blocks.filter_map(|block| block.split("\n```").next());
        seeds.extend(blocks.map(|block| block.as_bytes().to_vec()));
    }
    Ok(seeds)
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Files of this kind below `folder`, in the order of their names.
fn files(folder: &Path, extension: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            found.append(&mut files(&path, extension)?);
        } else if path.extension().is_some_and(|other| other == extension) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
