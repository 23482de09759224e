//! Clients whose bodies break off, are too large or no HTTP: theirs is the fault, over whatever protocol
//! the upstream is spoken to.

use std::io;

use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tollgate_tests::{Gateway, Upstream, raw::status, upstream::echo, wait};

async fn impatient(upstream: &Upstream, protocol: &str) -> Gateway {
    Gateway::start(&format!(
        r#"
        workers: 1
        limits: {{ body_idle: 300ms, max_request_body: 1KiB }}
        upstreams: {{ u: {{ endpoints: ["{upstream}"], protocol: {protocol} }} }}
        routes: [{{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u }}]
        telemetry: {{ access_log: {{}} }}
        "#
    ))
    .await
}

/// The upstream is said to have failed at nothing.
async fn no_failure(gateway: Gateway, protocol: &str) {
    let failures = gateway.metric("tollgate_upstream_failures_total", &[]).await;
    assert_eq!(failures, 0.0, "{protocol}");
    gateway.stop().await;
}

#[tokio::test]
async fn what_a_client_does_to_its_own_body_is_no_failure_of_the_upstream() {
    let [http1, http2] = [Upstream::echo().await, Upstream::http2(echo).await];
    for (upstream, protocol) in [(http1, "http1"), (http2, "http2")] {
        let gateway = impatient(&upstream, protocol).await;
        let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc";
        let large = format!("\r\n800\r\n{}\r\n0\r\n\r\n", "x".repeat(0x800));
        for (rest, expected) in [("", 408), (large.as_str(), 413), ("XX\r\n0", 400)] {
            let mut client = gateway.raw().await;
            client.send(format!("{head}{rest}")).await;
            assert_eq!(status(&client.response().await), expected, "{protocol}: {rest:.9}");
        }
        no_failure(gateway, protocol).await;
    }
}

#[tokio::test]
async fn a_clients_fault_within_a_response_is_no_failure_of_the_upstream_either() {
    // It answers before it reads, and its answer ends with the request.
    let answering = async |request: Request<Incoming>| {
        Response::new(request.into_body().map_err(io::Error::other).boxed())
    };
    let [http1, http2] = [Upstream::new(answering).await, Upstream::http2(answering).await];
    for (upstream, protocol) in [(http1, "http1"), (http2, "http2")] {
        let gateway = impatient(&upstream, protocol).await;
        let mut client = gateway.raw().await;
        client
            .send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n")
            .await;
        assert_eq!(status(&client.head().await), 200, "{protocol}");
        client.rest().await;
        wait::until("its line", async || gateway.output().contains("sent nothing").then_some(()))
            .await;
        no_failure(gateway, protocol).await;
    }
}
