//! What does it cost to find a route, and does the number of routes matter?

use http::{HeaderMap, Method};
use tollgate::router::{Head, Match, Router, normalise};

fn main() {
    divan::main();
}

/// `count` routes of the shape that APIs have, over 50 hosts and two methods.
fn router(count: usize) -> Router<usize> {
    let routes = (0..count).map(|number| {
        let path = format!("/v1/service{}/{{id}}/part{number}", number / 20);
        let mut matching = Match::path(path.parse().expect("a valid pattern"));
        let host = format!("host{}.example.com", number % 50);
        matching.hosts.push(host.parse().expect("a valid host"));
        matching.methods.extend([Method::GET, Method::PUT]);
        (matching, number)
    });
    Router::new(routes.collect()).expect("no conflicts")
}

/// A request that the route `number` takes.
fn with_request<R>(number: usize, run: impl FnOnce(Head<'_>) -> R) -> R {
    let path = format!("/v1/service{}/4711/part{number}", number / 20);
    let host = format!("host{}.example.com:8443", number % 50);
    let headers = HeaderMap::new();
    let head = Head {
        host: Some(&host),
        method: &Method::GET,
        path: &path,
        query: None,
        headers: &headers,
    };
    run(head)
}

#[divan::bench(args = [10, 1_000, 10_000])]
fn find(bencher: divan::Bencher<'_, '_>, count: usize) {
    let router = router(count);
    with_request(count / 2, |head| {
        assert_eq!(router.find(head).map(|found| *found.route).ok(), Some(count / 2));
        bencher.bench_local(|| router.find(divan::black_box(head)).is_ok());
    });
}

#[divan::bench(args = [10, 1_000, 10_000])]
fn find_none(bencher: divan::Bencher<'_, '_>, count: usize) {
    let router = router(count);
    with_request(count + 1, |head| {
        assert!(router.find(head).is_err());
        bencher.bench_local(|| router.find(divan::black_box(head)).is_ok());
    });
}

#[divan::bench(args = ["/v1/service10/4711/part200", "/v1/%73ervice10/../x"])]
fn normalise_path(path: &str) -> usize {
    normalise(divan::black_box(path)).map_or(0, |path| path.len())
}
