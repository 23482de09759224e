//! Very many swaps of a plugin under load: no request is lost, and nothing is left behind.

use std::io::Write as _;

use tollgate_tests::{
    Gateway, Setup, Upstream,
    load::Load,
    process::{descriptors, resident_memory, threads},
};

use super::{
    changed,
    under_load::{CLIENTS, is_well, some_more},
};

/// Unless `TOLLGATE_SOAK_SWAPS` says how many: `cargo xtask soak`.
const SWAPS: usize = 40;

/// Swaps after which a process is at rest: what it needs until then is not what swaps cost.
const SETTLED: usize = 20;

/// How much memory may grow, in percent; a short run ends before it is at rest.
const GROWTH: u64 = 5;
const GROWTH_OF_SHORT: u64 = 15;

/// Connections to the upstream that there may be at the end beyond those of the beginning: they
/// come and go with the load, and not with the swaps.
const CONNECTIONS: usize = 4;

/// Samples around a swap, of which the one in the middle counts: memory is in motion under load.
const WINDOW: usize = 9;

/// What a process holds.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Held {
    memory: u64,
    descriptors: usize,
    threads: usize,
}

impl Held {
    fn of(gateway: &Gateway) -> Self {
        let pid = gateway.pid();
        Self { memory: resident_memory(pid), descriptors: descriptors(pid), threads: threads(pid) }
    }

    /// The median of each.
    fn median(samples: &[Self]) -> Self {
        Self {
            memory: middle(samples.iter().map(|held| held.memory)),
            descriptors: middle(samples.iter().map(|held| held.descriptors)),
            threads: middle(samples.iter().map(|held| held.threads)),
        }
    }
}

fn middle<T: Copy + Ord>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable();
    values[values.len() / 2]
}

/// A route whose plugin marks the response, before an upstream.
fn config(upstream: &Upstream) -> String {
    format!(
        r#"
        workers: 2
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - name: all
            match: {{ path: / }}
            upstream: u
            plugins: [{{ component: headers, config: {{ response: {{ set: {{ x-mark: m }} }} }} }}]
        "#
    )
}

fn swaps() -> usize {
    let stated = std::env::var("TOLLGATE_SOAK_SWAPS").ok();
    stated.map_or(SWAPS, |text| text.parse().expect("TOLLGATE_SOAK_SWAPS is a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn swaps_under_load_lose_no_request_and_leave_nothing_behind() {
    let swaps = swaps().max(SWAPS);
    let upstream = Upstream::text("here").await;
    // Every swap compiles, and none of that is kept on disk.
    let setup = Setup::new(&config(&upstream)).env("TOLLGATE_CACHE", "/dev/null/none");
    let gateway = setup.plugin("headers").start().await;
    let load = Load::start(gateway.address(), CLIENTS, "/", is_well).await;
    let mut held = Vec::new();
    for swap in 1..=swaps {
        gateway.write_plugin("headers", changed("headers", swap));
        gateway.reload_well().await;
        some_more(&load).await;
        held.push(Held::of(&gateway));
    }
    let (answered, failures) = load.stop().await;
    assert!(failures.is_empty(), "{} of {answered} failed: {:?}", failures.len(), &failures[..1]);

    let settled = (swaps / 10).max(SETTLED);
    let first = Held::median(&held[settled..settled + WINDOW]);
    let last = Held::median(&held[swaps - WINDOW..]);
    tell(swaps, answered, first, last);
    let growth = if swaps > SWAPS { GROWTH } else { GROWTH_OF_SHORT };
    assert!(
        last.memory * 100 <= first.memory * (100 + growth),
        "{first:?} after {settled} swaps, {last:?} at the end"
    );
    assert!(last.descriptors <= first.descriptors + CONNECTIONS, "{first:?}, {last:?} at the end");
    assert_eq!(last.threads, first.threads);
    gateway.stop().await;
}

/// For who started a long run, past what captures a test's output.
fn tell(swaps: usize, answered: usize, first: Held, last: Held) {
    if swaps > SWAPS {
        let told = format!("{swaps} swaps, {answered} requests, none lost\n{first:?}\n{last:?}\n");
        let _ = std::io::stderr().write_all(told.as_bytes());
    }
}
