//! The proxies that are measured, and with which configuration of `bench/configs`.

use crate::keys::Algorithm;

/// One proxy with one configuration.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) program: Program,
    /// A file in `bench/configs`; empty for programs that have none.
    pub(crate) config: &'static str,
    pub(crate) work: Work,
    pub(crate) workloads: Vec<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    /// The upstream itself, in the proxy's place: what the load generator can see at best.
    Direct,
    Nginx,
    NginxLua,
    Haproxy,
    Envoy,
    HyperFloor,
    HyperFloorTls,
    Tollgate,
}

/// What a row must do to each request, which is checked before it is measured.
#[derive(Clone, Copy)]
pub(crate) enum Work {
    Forward,
    /// Set `x-gate-1` to `x-gate-N` on request and response.
    Headers(usize),
    /// Verify the token, count by its subject, set `x-user`, remove `x-internal`.
    Chain(Algorithm),
    /// Answer `{order: /k, profile: /s, last: /k}`.
    Aggregate,
}

pub(crate) fn all() -> Vec<Row> {
    let mut rows = plain();
    rows.extend(headers());
    for algorithm in Algorithm::ALL {
        rows.extend(chains(algorithm));
    }
    rows.extend(aggregates());
    rows.extend(tls());
    rows
}

fn plain() -> Vec<Row> {
    use Program::{Direct, Envoy, Haproxy, HyperFloor, Nginx, Tollgate};
    let common = ["plain-0.1k", "plain-1k", "plain-64k", "rate-1k"];
    let with = |more: &[&'static str]| [&common, more].concat();
    let row =
        |name, program, config, workloads| row(name, program, config, Work::Forward, workloads);
    vec![
        row("direct", Direct, "", with(&[])),
        row("nginx-plain", Nginx, "nginx-plain.conf", with(&["hdr-1k"])),
        row("haproxy-plain", Haproxy, "haproxy-plain.cfg", with(&[])),
        row("envoy-plain", Envoy, "envoy-plain.yaml", with(&["h2c-1k"])),
        row("hyper", HyperFloor, "", with(&["h2c-1k"])),
        row("tollgate-plain", Tollgate, "tollgate-plain.yaml", with(&["hdr-1k", "h2c-1k"])),
        row("nginx-h2c", Nginx, "nginx-h2c.conf", vec!["h2c-1k"]),
        row("haproxy-h2c", Haproxy, "haproxy-h2c.cfg", vec!["h2c-1k"]),
    ]
}

fn headers() -> Vec<Row> {
    use Program::{Envoy, Haproxy, Nginx, NginxLua, Tollgate};
    let row = |name, program, config, count| {
        row(name, program, config, Work::Headers(count), vec!["hdr-1k"])
    };
    vec![
        row("nginx-hdr", Nginx, "nginx-headers.conf", 1),
        row("nginx-lua-hdr", NginxLua, "nginx-lua-headers.conf", 1),
        row("haproxy-hdr", Haproxy, "haproxy-headers.cfg", 1),
        row("haproxy-lua-hdr", Haproxy, "haproxy-lua-headers.cfg", 1),
        row("envoy-hdr", Envoy, "envoy-headers.yaml", 1),
        row("envoy-lua-hdr", Envoy, "envoy-lua-headers.yaml", 1),
        row("tollgate-hdr-1", Tollgate, "tollgate-headers-1.yaml", 1),
        row("tollgate-hdr-5", Tollgate, "tollgate-headers-5.yaml", 5),
    ]
}

fn chains(algorithm: Algorithm) -> Vec<Row> {
    use Program::{Envoy, Haproxy, NginxLua, Tollgate};
    let workloads = match algorithm {
        Algorithm::Hs256 => vec!["chain-hs256", "rate-chain"],
        Algorithm::Rs256 => vec!["chain-rs256"],
        Algorithm::Es256 => vec!["chain-es256"],
    };
    let row = |name: &str, program, config| {
        let name = format!("{name}-{}", algorithm.lower());
        row(&name, program, config, Work::Chain(algorithm), workloads.clone())
    };
    vec![
        row("nginx-lua", NginxLua, "nginx-lua-jwt.conf"),
        row("haproxy", Haproxy, "haproxy-jwt.cfg"),
        row("envoy", Envoy, "envoy-jwt.yaml"),
        row("tollgate", Tollgate, "tollgate-jwt.yaml"),
        // Verifies each token, as the others do, also one that it has just seen.
        row("tollgate-verify", Tollgate, "tollgate-jwt-verify.yaml"),
    ]
}

fn aggregates() -> Vec<Row> {
    let row = |name, program, config| row(name, program, config, Work::Aggregate, vec!["agg3"]);
    vec![
        row("nginx-lua-agg", Program::NginxLua, "nginx-lua-aggregate.conf"),
        row("tollgate-agg", Program::Tollgate, "tollgate-aggregate.yaml"),
    ]
}

fn tls() -> Vec<Row> {
    use Program::{Envoy, Haproxy, HyperFloorTls, Nginx, Tollgate};
    let workloads = vec!["tls-full", "tls-resumed", "tls-1k"];
    let row = |name, program, config| row(name, program, config, Work::Forward, workloads.clone());
    vec![
        row("nginx-tls", Nginx, "nginx-tls.conf"),
        row("haproxy-tls", Haproxy, "haproxy-tls.cfg"),
        row("envoy-tls", Envoy, "envoy-tls.yaml"),
        row("hyper-tls", HyperFloorTls, ""),
        row("tollgate-tls", Tollgate, "tollgate-tls.yaml"),
    ]
}

fn row(
    name: &str,
    program: Program,
    config: &'static str,
    work: Work,
    workloads: Vec<&'static str>,
) -> Row {
    Row { name: name.to_owned(), program, config, work, workloads }
}
