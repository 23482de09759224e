//! How long does a reload take, by number of routes?
//! Run `cargo xtask build` first, then `cargo bench -p tollgate --bench reload`.

use std::{fmt::Write, fs, path::PathBuf};

use divan::Bencher;
use tollgate::bench::Bench;

fn main() {
    divan::main();
}

/// `routes` routes to 100 upstreams through one plugin each.
fn config(routes: usize) -> String {
    let plugins = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target/plugins");
    let mut text = format!(
        "listeners: [{{ address: \"127.0.0.1:0\" }}]\nplugin_directory: \"{}\"\n\
         plugins:\n  headers: {{ component: headers, config: {{ response: {{ remove: [server] }} }} }}\n\
         upstreams:\n",
        plugins.display()
    );
    for upstream in 0..100 {
        writeln!(text, "  u{upstream}: {{ endpoints: [\"127.0.0.1:{}\"] }}", 20_000 + upstream)
            .expect("strings grow");
    }
    text.push_str("routes:\n");
    for route in 0..routes {
        writeln!(
            text,
            "  - {{ match: {{ path: \"/v1/service-{route:05}/{{id}}\" }}, upstream: u{}, plugins: [headers] }}",
            route % 100
        )
        .expect("strings grow");
    }
    text
}

#[divan::bench(args = [10, 1000, 10000], sample_count = 10)]
fn reload(bencher: Bencher<'_, '_>, routes: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tollgate.yaml");
    fs::write(&path, config(routes)).expect("a file");
    let bench = Bench::new(&path);
    bencher.bench_local(|| bench.reload(&path));
}
