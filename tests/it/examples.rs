//! The examples of the repository.

use std::path::{Path, PathBuf};

use tollgate_tests::{artifacts, process::tollgate};

/// Every `tollgate*.yaml` below `examples/`.
pub(crate) fn configurations() -> Vec<PathBuf> {
    let mut found = Vec::new();
    find(&artifacts::root().join("examples"), &mut found);
    assert!(!found.is_empty(), "there is no example");
    found
}

fn find(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            find(&path, found);
        } else if name.starts_with("tollgate") && name.ends_with(".yaml") {
            found.push(path);
        }
    }
}

#[test]
fn every_example_validates() {
    for example in configurations() {
        let folder = example.parent().unwrap();
        let ran = tollgate(folder, &["validate", "-c", example.to_str().unwrap()]);
        assert_eq!(ran.code, 0, "{}: {}", example.display(), ran.stderr);
    }
}

#[test]
fn the_bindings_for_c_have_every_function_of_the_world() {
    let read = |path| std::fs::read_to_string(artifacts::root().join(path)).unwrap();
    let header = read("templates/c/bindings/plugin.h");
    let world = read("wit/plugin.wit");
    let functions =
        world.lines().filter_map(|line| line.trim().split_once(": ")).filter(|(_, it)| {
            ["func(", "static func(", "async func("].iter().any(|kind| it.starts_with(kind))
        });
    let names: Vec<_> = functions.map(|(name, _)| name.replace('-', "_")).collect();
    assert!(names.len() > 40, "{names:?}");
    for name in names {
        assert!(header.contains(&format!("_{name}(")), "{name}: `make bindings` in templates/c");
    }
}
