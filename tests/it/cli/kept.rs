//! The folder in which compiled components are kept has a bound.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tollgate_tests::{Gateway, Setup, process::tollgate_with};

use crate::reload::changed;

/// Compiled components in the folder, with their sizes.
fn compiled(folder: &Path) -> Vec<(PathBuf, u64)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.path().extension().is_some_and(|e| e == "cwasm"));
    files.map(|entry| (entry.path(), entry.metadata().unwrap().len())).collect()
}

fn bytes(folder: &Path) -> u64 {
    compiled(folder).iter().map(|(_, bytes)| bytes).sum()
}

const CONFIG: &str = r#"
plugins: { counter: { component: counter, config: { text: one } } }
routes: [{ match: { path: / }, plugins: [counter], respond: {} }]
"#;

async fn gateway(cache: &TempDir, size: &str) -> Gateway {
    let setup = Setup::new(CONFIG).plugin("counter").env("TOLLGATE_CACHE", cache.path());
    setup.env("TOLLGATE_CACHE_SIZE", size).start().await
}

/// Compiles another version of the component.
fn inspect(cache: &Path, mark: usize, size: &str) {
    let here = tempfile::tempdir().unwrap();
    std::fs::write(here.path().join("other.wasm"), changed("counter", mark)).unwrap();
    let environment = [("TOLLGATE_CACHE", cache), ("TOLLGATE_CACHE_SIZE", Path::new(size))];
    let ran = tollgate_with(here.path(), &environment, "", &["plugin", "inspect", "other.wasm"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[tokio::test]
async fn what_no_generation_uses_any_more_makes_room() {
    let cache = tempfile::tempdir().unwrap();
    let gateway = gateway(&cache, "1B").await;
    let first = compiled(cache.path());
    assert_eq!(first.len(), 1, "what runs stays, whatever the bound: {first:?}");
    gateway.write_plugin("counter", changed("counter", 1));
    gateway.generation_reaches(2).await;
    // The first generation is gone a moment later; what comes next makes room for itself.
    tollgate_tests::wait::until("the old component is gone", async || {
        gateway.reload_well().await;
        let left = compiled(cache.path());
        (left.len() == 1 && left != first).then_some(())
    })
    .await;
    assert_eq!(gateway.get("/", &[]).await.status, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn gateways_that_share_a_folder_leave_each_other_what_they_use() {
    let cache = tempfile::tempdir().unwrap();
    let gateway = gateway(&cache, "1GiB").await;
    let used = compiled(cache.path());
    assert_eq!(used.len(), 1);
    for mark in 1..4 {
        inspect(cache.path(), mark, "1B");
        let left = compiled(cache.path());
        assert!(left.contains(&used[0]), "another process removed what is in use: {left:?}");
    }
    gateway.stop().await;
    inspect(cache.path(), 9, "1B");
    assert!(!used[0].0.exists(), "nobody uses it any more");
}

#[tokio::test]
async fn within_the_bound_nothing_is_removed_and_beyond_it_the_oldest_is() {
    let cache = tempfile::tempdir().unwrap();
    inspect(cache.path(), 1, "1GiB");
    let first = compiled(cache.path());
    let each = bytes(cache.path());
    inspect(cache.path(), 2, "1GiB");
    assert_eq!(compiled(cache.path()).len(), 2);
    // Two and a half of them have room.
    inspect(cache.path(), 3, &(each * 5 / 2).to_string());
    let left = compiled(cache.path());
    assert_eq!(left.len(), 2, "{left:?}");
    assert!(!left.contains(&first[0]), "the oldest stayed: {left:?}");
}

#[test]
fn a_size_that_is_none_is_wrong_use() {
    let here = tempfile::tempdir().unwrap();
    let ran = tollgate_with(here.path(), &[], "", &["validate", "--cache-size", "much"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("must be a size such as `64KiB`"), "{ran:?}");
}

#[tokio::test]
async fn a_folder_that_others_can_write_is_not_used_and_the_log_says_so() {
    use std::os::unix::fs::PermissionsExt as _;
    let cache = tempfile::tempdir().unwrap();
    std::fs::set_permissions(cache.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let gateway = gateway(&cache, "1GiB").await;
    gateway.logged(&["compiled plugins are not cached"]).await;
    assert_eq!(compiled(cache.path()), []);
    gateway.stop().await;
}
