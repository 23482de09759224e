//! The plugins that come with the gateway.

mod jwt;
mod jwks;
mod rate_limit;
mod api_key;
mod headers;
mod aggregate;

use tollgate_tests::{Gateway, Setup, Upstream};

/// A route with one plugin before an upstream that tells what it got.
async fn before(upstream: &Upstream, plugin: &str, config: &str) -> Gateway {
    Setup::new(&format!(
        r#"
        workers: 2
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - name: all
            match: {{ path: "/{{*rest}}" }}
            upstream: u
            plugins: [{{ component: {plugin}, config: {config} }}]
        "#
    ))
    .plugin(plugin)
    .start()
    .await
}
