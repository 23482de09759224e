//! HTTP/2 upstreams that say of a request that they did nothing with it.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use http_body_util::BodyExt;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_rustls::TlsAcceptor;
use tollgate_tests::{
    Gateway, Setup, Upstream,
    certs::Authority,
    client::request,
    frames::{DATA, END_HEADERS, FrameServer, GOAWAY, HEADERS, RST_STREAM, frame, ok},
    raw::status,
    tls, wait,
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

/// The connection ends after this stream.
fn last(stream: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[stream.to_be_bytes(), NO_ERROR.to_be_bytes()].concat())
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

#[tokio::test]
async fn a_request_that_comes_back_from_http2_goes_over_http1_with_its_host() {
    let echo = Upstream::echo().await;
    let authority = Authority::default();
    let certificate = authority.server(&["orders.test"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let place = listener.local_addr().unwrap();
    let onward = echo.address();
    let (ends, ended) = (Arc::<Notify>::default(), Arc::<Notify>::default());
    let (end, has_ended) = (Arc::clone(&ends), Arc::clone(&ended));
    tokio::spawn(async move {
        let accept = async |alpn| {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = TlsAcceptor::from(tls::server(&certificate, &[alpn]));
            acceptor.accept(stream).await.unwrap()
        };
        let mut http2 = FrameServer::begin(accept("h2").await).await;
        let stream = http2.request().await.unwrap();
        http2.send(ok(stream)).await;
        end.notified().await;
        http2.send(last(stream)).await;
        has_ended.notify_one();
        let mut http1 = accept("http/1.1").await;
        let mut onward = TcpStream::connect(onward).await.unwrap();
        let _ = copy_bidirectional(&mut http1, &mut onward).await;
    });
    let gateway = Setup::new(&format!(
        r#"
        workers: 1
        upstreams:
          u:
            endpoints: ["{place}"]
            protocol: auto
            tls: {{ server_name: orders.test, ca: ca.pem }}
        routes: [{{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u }}]
        "#
    ))
    .file("ca.pem", authority.pem())
    .start()
    .await;
    let mut client = gateway.raw().await;
    client.send("GET /a HTTP/1.1\r\nhost: api.test:8080\r\n\r\n").await;
    assert_eq!(status(&client.head().await), 200);
    // While it stands still it gets both the end of the connection and a request for it, and so finds
    // out about the end once it has given the request to the connection.
    gateway.signal(libc::SIGSTOP);
    stands_still(&gateway).await;
    ends.notify_one();
    wait::within("the connection's end", ended.notified()).await;
    client.send("GET /b?c HTTP/1.1\r\nhost: api.test:8080\r\nconnection: close\r\n\r\n").await;
    gateway.signal(libc::SIGCONT);
    let reply = client.rest().await;
    let (_, body) = reply.split_once("\r\n\r\n").unwrap();
    let seen: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(seen["version"], "HTTP/1.1");
    assert_eq!(seen["headers"]["host"], serde_json::json!(["api.test:8080"]));
    assert_eq!((&seen["target"], &seen["authority"]), (&"/b?c".into(), &().into()));
    gateway.stop().await;
}

/// Waits until a process that was told to stop has.
async fn stands_still(gateway: &Gateway) {
    let stat = format!("/proc/{}/stat", gateway.pid());
    wait::until("the gateway stands still", async || {
        let stat = std::fs::read_to_string(&stat).unwrap();
        let (_, state) = stat.rsplit_once(") ").unwrap();
        state.starts_with('T').then_some(())
    })
    .await;
}

/// A part of a body, and then the upstream does without the rest.
fn half(stream: u32) -> Vec<u8> {
    let head = frame(HEADERS, END_HEADERS, stream, &[0x88]);
    let reset = frame(RST_STREAM, 0, stream, &NO_ERROR.to_be_bytes());
    [head, frame(DATA, 0, stream, b"half"), reset].concat()
}

#[tokio::test]
async fn a_body_that_a_reset_without_an_error_cuts_is_not_whole() {
    let (place, _) = upstream(&[half, half]).await;
    let gateway = before(&place, "protocol: http2").await;
    let mut raw = gateway.raw().await;
    raw.send("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    let reply = raw.rest().await;
    assert!(status(&reply) == 200 && !reply.ends_with("0\r\n\r\n"), "{reply}");
    let response = gateway.connect_http2().await.begin(request("GET", "/", &[], "")).await;
    assert!(response.into_body().collect().await.is_err());
    gateway.stop().await;
}
