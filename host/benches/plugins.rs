//! What does a plugin cost, in time and in allocations of the host? One warm hook, one in an instance of
//! its own, and one fresh instance. Run `cargo xtask build` first, then
//! `cargo bench -p tollgate --bench plugins`.

use std::{fs, path::PathBuf};

use divan::{AllocProfiler, Bencher, counter::ItemsCount};
use mimalloc::MiMalloc;
use tollgate::bench::Bench;

/// That of the program, and counted.
#[global_allocator]
static ALLOCATOR: AllocProfiler<MiMalloc> = AllocProfiler::new(MiMalloc);

fn main() {
    divan::main();
}

const CALLS: usize = 100;

/// A plugin that reads one header and sets two.
fn bench(isolation: &str) -> (tempfile::TempDir, Bench) {
    let plugins = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/plugins");
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("tollgate.yaml");
    let text = format!(
        r#"
listeners: [{{ address: "127.0.0.1:0" }}]
plugin_directory: "{}"
plugins:
  headers:
    component: headers
    isolation: {isolation}
    config: {{ request: {{ set: {{ x-agent: "{{header:user-agent}}", x-by: tollgate }} }} }}
routes:
  - {{ match: {{ path: "/{{*rest}}" }}, plugins: [headers], respond: {{ status: 204 }} }}
"#,
        plugins.display()
    );
    fs::write(&config, text).expect("a file");
    let bench = Bench::new(&config);
    (folder, bench)
}

#[divan::bench]
fn warm_hook(bencher: Bencher<'_, '_>) {
    let (_folder, bench) = bench("shared");
    let mut exchange = bench.exchange();
    bench.call(&mut exchange, 1);
    bencher.counter(ItemsCount::new(CALLS)).bench_local(|| bench.call(&mut exchange, CALLS));
}

/// With `isolation: request`.
#[divan::bench]
fn isolated_hook(bencher: Bencher<'_, '_>) {
    let (_folder, bench) = bench("request");
    let mut exchange = bench.exchange();
    bench.call(&mut exchange, 1);
    bencher.counter(ItemsCount::new(CALLS)).bench_local(|| bench.call(&mut exchange, CALLS));
}

#[divan::bench]
fn fresh_instance(bencher: Bencher<'_, '_>) {
    let (_folder, bench) = bench("shared");
    bencher.bench_local(|| bench.instantiate());
}

#[divan::bench]
fn fresh_instance_from_a_snapshot(bencher: Bencher<'_, '_>) {
    let (_folder, bench) = bench("request");
    bencher.bench_local(|| bench.instantiate());
}
