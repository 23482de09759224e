//! Bodies on their way through the chunk hooks of plugins.

mod passing;
mod heads;
mod failing;
mod streaming;
mod codings;

use std::fmt::Display;

use tollgate_tests::{Gateway, Setup, Upstream, client::request};

const GRANTS: &str = "grants: { request_body: true, response_body: true }";

/// One worker, `/{*rest}` to upstream `u` with these uses of the plugin `chunks`, and `/ping`.
async fn chunks(upstream: &impl Display, uses: &[&str]) -> Gateway {
    setup(upstream, "http1", uses).start().await
}

fn setup(upstream: &impl Display, protocol: &str, uses: &[&str]) -> Setup {
    Setup::new(&config(upstream, protocol, uses)).plugin("chunks")
}

fn config(upstream: &impl Display, protocol: &str, uses: &[&str]) -> String {
    let uses: Vec<_> =
        uses.iter().map(|usage| format!("{{ component: chunks, {GRANTS}, {usage} }}")).collect();
    format!(
        r#"
        workers: 1
        upstreams: {{ u: {{ endpoints: ["{upstream}"], protocol: {protocol} }} }}
        routes:
          - name: all
            match: {{ path: "/{{*rest}}" }}
            upstream: u
            plugins: [{uses}]
          - {{ name: ping, match: {{ path: /ping }}, respond: {{ body: pong }} }}
        "#,
        uses = uses.join(", ")
    )
}

/// What comes back for `body` from an upstream that answers with what it got, where the chunk
/// hooks of one way have this configuration.
async fn sent_through(side: &str, act: &str, body: &str) -> String {
    let upstream =
        Upstream::new(async |request| http::Response::new(collected(request).await)).await;
    let gateway = chunks(&upstream, &[&format!("config: {{ {side}: {act} }}")]).await;
    let mut connection = gateway.connect().await;
    let reply = connection.send(request("POST", "/", &[], body)).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let mut http2 = gateway.connect_http2().await;
    let again = http2.send(request("POST", "/", &[], body)).await;
    assert_eq!(again.body, reply.body, "{side} {act} over HTTP/2");
    drop((connection, http2));
    gateway.stop().await;
    reply.text()
}

async fn collected(request: http::Request<hyper::body::Incoming>) -> tollgate_tests::client::Body {
    use http_body_util::BodyExt;
    let body = request.into_body().collect().await;
    tollgate_tests::client::full(body.map(|body| body.to_bytes()).unwrap_or_default())
}
