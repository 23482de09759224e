//! Chunk hooks that fail: nothing that they should have seen passes for whole.

use http::Response;
use tollgate_tests::{
    Gateway, Recorder, Upstream,
    client::{request, request_with},
    recorder::Act::Head,
};

use super::{chunks, collected, setup};
use crate::bodies::channel;

/// What goes wrong with the first chunk, and the kind of error that is counted for it.
const FAULTS: [(&str, &str); 4] = [
    ("{ fail: 1 }", "failed"),
    ("{ panic: 1 }", "trapped"),
    ("{ loop: 1 }", "cpu"),
    ("{ grow: 2000 }", "output"),
];

const LITTLE: &str = "limits: { max_body: 1000 }";

async fn errors(gateway: &Gateway, kind: &str) -> f64 {
    gateway.metric("tollgate_plugin_errors_total", &[("kind", kind)]).await
}

#[tokio::test]
async fn a_request_hook_that_fails_is_a_503_problem() {
    for protocol in ["http1", "http2"] {
        let upstream = match protocol {
            "http1" => Upstream::echo().await,
            _ => Upstream::http2(tollgate_tests::upstream::echo).await,
        };
        for (act, kind) in FAULTS {
            let usage = format!("config: {{ request: {act}, only_with: x-fault }}, {LITTLE}");
            let gateway = setup(&upstream, protocol, &[&usage]).start().await;
            for _ in 0..2 {
                let reply = gateway.post("/", &[("x-fault", "1")], "the body").await;
                assert_eq!(reply.problem(), "503 plugin-failed", "{protocol} {act}");
                assert!(!reply.text().contains("secret"), "{}", reply.text());
            }
            let well = gateway.post("/", &[], "the body").await.json();
            assert_eq!(well["body"], "the body", "{protocol} {act}");
            assert!((errors(&gateway, kind).await - 2.0).abs() < 0.1, "{protocol} {act}");
            gateway.stop().await;
        }
    }
}

#[tokio::test]
async fn a_request_that_a_hook_ends_does_not_look_whole_to_the_upstream() {
    let upstream = Recorder::scripted(&[&[Head]]).await;
    let gateway = chunks(&upstream, &["config: { request: { fail: 2 } }"]).await;
    let (sender, body) = channel();
    let address = gateway.address();
    let reply = tokio::spawn(async move {
        tollgate_tests::client::send(address, request_with("POST", "/", &[], body)).await
    });
    sender.send("first").unwrap();
    upstream.receives("first").await;
    sender.send("second").unwrap();
    assert_eq!(reply.await.unwrap().problem(), "503 plugin-failed");
    assert!(!upstream.all().contains("second"), "{}", upstream.all());
    assert!(!upstream.all().contains("\r\n0\r\n"), "{}", upstream.all());
    gateway.stop().await;
}

#[tokio::test]
async fn a_response_hook_that_fails_breaks_the_response_off() {
    let upstream = Upstream::new(async |request| Response::new(collected(request).await)).await;
    for (act, kind) in FAULTS {
        let usage =
            format!("config: {{ response: {act}, only_with: x-fault, finish: true }}, {LITTLE}");
        let gateway = chunks(&upstream, &[&usage]).await;
        let faulty = || request("POST", "/", &[("x-fault", "1")], "the body");
        let reply = gateway.connect().await.try_send(faulty()).await;
        assert!(reply.is_err(), "{act}: {reply:?}");
        let mut http2 = gateway.connect_http2().await;
        let reply = http2.try_send(faulty()).await;
        assert!(reply.is_err(), "{act}: {reply:?}");
        let well = http2.send(request("POST", "/", &[], "the body")).await;
        assert_eq!(well.text(), "the body", "the other streams of a connection go on");
        assert!((errors(&gateway, kind).await - 2.0).abs() < 0.1, "{act}");
        gateway.logged(&["finished", "failed in on-response-chunk"]).await;
        drop(http2);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn under_skip_the_rest_goes_by_untouched() {
    let upstream = Upstream::new(async |request| Response::new(collected(request).await)).await;
    for side in ["request", "response"] {
        for (act, kind) in FAULTS {
            let skipped = format!("on_error: skip, config: {{ {side}: {act} }}, {LITTLE}");
            let next = format!("config: {{ {side}: upper }}");
            // The one that fails has the body first.
            let uses = match side {
                "request" => [&*skipped, &*next],
                _ => [&*next, &*skipped],
            };
            let gateway = chunks(&upstream, &uses).await;
            let reply = gateway.post("/", &[], &"body ".repeat(100)).await;
            assert_eq!(reply.text(), "BODY ".repeat(100), "{side} {act}");
            assert!((errors(&gateway, kind).await - 1.0).abs() < 0.1, "{side} {act}");
            gateway.stop().await;
        }
    }
}

#[tokio::test]
async fn the_time_of_chunk_hooks_is_measured() {
    let upstream = Upstream::echo().await;
    let gateway = chunks(&upstream, &["config: { request: upper, response: keep }"]).await;
    gateway.post("/", &[], "the body").await;
    for hook in ["on-request-chunk", "on-response-chunk"] {
        let name = "tollgate_plugin_duration_seconds_count";
        let calls = gateway.metric(name, &[("hook", hook)]).await;
        assert!(calls >= 1.0, "{hook}: {calls}");
    }
    gateway.stop().await;
}
