//! HTTP/2 upstreams that say of a request that they did nothing with it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use tokio::net::TcpListener;
use tollgate_tests::{
    Setup,
    client::request,
    frames::{FrameServer, GOAWAY, RST_STREAM, frame, ok},
};

use super::before;

const NO_ERROR: u32 = 0;
const PROTOCOL_ERROR: u32 = 1;
const REFUSED_STREAM: u32 = 7;

/// What an upstream does with a request that it has got on this stream.
type Answer = fn(u32) -> Vec<u8>;

fn refuse(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &REFUSED_STREAM.to_be_bytes())
}

fn break_off(stream: u32) -> Vec<u8> {
    frame(RST_STREAM, 0, stream, &PROTOCOL_ERROR.to_be_bytes())
}

/// The connection ends, and no stream of it was looked at.
fn go_away(_: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[0_u32.to_be_bytes(), NO_ERROR.to_be_bytes()].concat())
}

/// An upstream that answers one request after the other like this and every further one well, and how
/// many it has got.
async fn upstream(answers: &'static [Answer]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = format!("\"{}\"", listener.local_addr().unwrap());
    let requests = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&requests);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let requests = Arc::clone(&counted);
            tokio::spawn(async move {
                let mut server = FrameServer::begin(stream).await;
                while let Some(stream) = server.request().await {
                    let answer = answers.get(requests.fetch_add(1, SeqCst)).copied();
                    server.send(answer.unwrap_or(ok)(stream)).await;
                }
            });
        }
    });
    (place, requests)
}

/// How a gateway before this upstream answers a request, and how often it has sent it.
async fn asked(answers: &'static [Answer], method: &str, body: &str) -> (u16, usize) {
    let (place, requests) = upstream(answers).await;
    let gateway = before(&place, "protocol: http2").await;
    let reply = gateway.send(request(method, "/", &[], body)).await;
    gateway.stop().await;
    (reply.status, requests.load(SeqCst))
}

#[tokio::test]
async fn a_request_that_was_refused_is_sent_again_whatever_its_method() {
    for method in ["GET", "POST"] {
        assert_eq!(asked(&[refuse], method, "").await, (200, 2), "{method}");
        assert_eq!(asked(&[go_away], method, "").await, (200, 2), "{method}");
    }
}

#[tokio::test]
async fn a_request_is_sent_again_once() {
    assert_eq!(asked(&[refuse, refuse], "GET", "").await, (502, 2));
    assert_eq!(asked(&[go_away, refuse], "GET", "").await, (502, 2));
}

#[tokio::test]
async fn a_request_that_may_have_been_processed_is_not_sent_again() {
    assert_eq!(asked(&[break_off], "GET", "").await, (502, 1));
}

#[tokio::test]
async fn a_body_that_is_gone_is_not_sent_again() {
    assert_eq!(asked(&[refuse], "POST", "a body").await, (502, 1));
}

#[tokio::test]
async fn a_body_that_a_plugin_has_set_is_sent_again() {
    let (place, requests) = upstream(&[refuse]).await;
    let gateway = Setup::new(&format!(
        r#"
        workers: 1
        upstreams: {{ u: {{ endpoints: [{place}], protocol: http2 }} }}
        routes:
          - name: all
            match: {{ path: "/{{*rest}}" }}
            plugins:
              - component: probe
                grants: {{ request_body: true }}
                config: {{ request: [{{ set_body: "another one" }}] }}
            upstream: u
        "#
    ))
    .plugin("probe")
    .start()
    .await;
    assert_eq!(gateway.post("/", &[], "a body").await.status, 200);
    assert_eq!(requests.load(SeqCst), 2);
    gateway.stop().await;
}
