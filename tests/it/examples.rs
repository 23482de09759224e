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
