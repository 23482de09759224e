//! `wasi:http` components at the ends of routes.

mod answering;
mod failing;
mod limits;
mod middleware;
mod outbound;
mod operating;
mod preview3;
mod standards;

use tollgate_tests::{Gateway, Setup};

/// One worker, the component `proxy` at the end of `/{*rest}` with these keys of its table, and
/// `/ping`.
fn before(upstreams: &str, table: &str) -> Setup {
    Setup::new(&config(upstreams, table, "")).plugin("proxy")
}

async fn proxy(upstreams: &str, table: &str) -> Gateway {
    before(upstreams, table).start().await
}

/// `more`: further keys of the route.
fn config(upstreams: &str, table: &str, more: &str) -> String {
    format!(
        r#"
        workers: 1
        upstreams: {{ {upstreams} }}
        routes:
          - name: component
            match: {{ path: "/{{*rest}}" }}
            component: {{ component: proxy, {table} }}
            {more}
          - {{ name: ping, match: {{ path: /ping }}, respond: {{ body: pong }} }}
        "#
    )
}

/// Instances that are at work.
async fn instances(gateway: &Gateway) -> u64 {
    gateway.status().await["components"][0]["instances"].as_u64().unwrap()
}

/// Waits until no instance is left.
async fn all_gone(gateway: &Gateway) {
    tollgate_tests::wait::until("the instances' end", async || {
        (instances(gateway).await == 0).then_some(())
    })
    .await;
}
