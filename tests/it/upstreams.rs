//! Upstreams: connections that are kept, endpoints that are chosen, and what goes wrong.

mod pool;
mod failures;
mod resting;
mod client_faults;
mod http2;
mod streams;
mod refused;
mod secure;

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tollgate_tests::Gateway;

/// One worker before an upstream, so that there is one pool and one round.
async fn before(endpoints: &str, more: &str) -> Gateway {
    Gateway::start(&format!(
        r#"
        workers: 1
        upstreams: {{ u: {{ endpoints: [{endpoints}], {more} }} }}
        routes: [{{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u }}]
        "#
    ))
    .await
}

/// An address where nobody listens. No other server of the tests has one of this host.
async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.2:0").await.unwrap().local_addr().unwrap()
}
