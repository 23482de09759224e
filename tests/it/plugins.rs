//! What plugins can see and change, what they may not, and how they wait.

mod functions;
mod bodies;
mod chain;
mod calls;
mod stores;
mod cache;
mod telling;
mod instances;
mod compiling;
mod languages;
mod isolation;
mod limits;
mod quarantine;
mod canary;
mod worlds;
mod many;

use std::fmt::Display;

use tollgate_tests::{Gateway, Setup, Upstream};

/// One worker, the route `/{*rest}` to upstream `u`, and the probe with this use.
async fn probe(upstream: &impl Display, usage: &str) -> Gateway {
    Setup::new(&format!(
        r#"
        workers: 1
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - name: all
            match: {{ path: "/{{*rest}}" }}
            upstream: u
            plugins: [{{ component: probe, {usage} }}]
        "#
    ))
    .plugin("probe")
    .start()
    .await
}

/// What the probe found out about a request, as the upstream saw it: the lines of `x-probe`.
async fn findings(steps: &str) -> Vec<String> {
    let upstream = Upstream::echo().await;
    let gateway = probe(&upstream, &format!("config: {{ request: [{steps}] }}")).await;
    let headers = [("host", "a.test"), ("x-a", "1"), ("x-a", "2"), ("x-b", "3")];
    let seen = gateway.get("/one/two%20words?q=1&r", &headers).await.json();
    gateway.stop().await;
    lines(&seen["headers"]["x-probe"])
}

fn lines(value: &serde_json::Value) -> Vec<String> {
    let lines = value.as_array().map(Vec::as_slice).unwrap_or_default();
    lines.iter().map(|line| line.as_str().unwrap().to_owned()).collect()
}
