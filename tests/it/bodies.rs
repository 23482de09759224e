//! Bodies of any size stream both ways, and no faster than their reader.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use bytes::Bytes;
use futures_util::stream;
use http::Response;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::sync::{Notify, mpsc};
use tollgate_tests::{
    Gateway, Recorder, Upstream,
    client::{self, Body, full, request, request_with},
    process::peak_memory,
    raw::status,
    recorder::Act::{Head, Send},
    wait,
};

const MIB: usize = 1 << 20;

/// One worker, so that every exchange meets every other one.
async fn before(upstream: &impl std::fmt::Display, limits: &str) -> Gateway {
    Gateway::start(&format!(
        r#"
        workers: 1
        limits: {{ {limits} }}
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - {{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u }}
          - {{ name: ping, match: {{ path: /ping }}, respond: {{ body: pong }} }}
        "#
    ))
    .await
}

/// So many pieces of 64 KiB; `taken` counts the bytes that have been asked for.
fn pieces(count: usize, taken: Arc<AtomicUsize>) -> Body {
    static PIECE: [u8; 64 * 1024] = [b'x'; 64 * 1024];
    let pieces = stream::iter((0..count).map(move |_| {
        taken.fetch_add(PIECE.len(), SeqCst);
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(&PIECE)))
    }));
    StreamBody::new(pieces).map_err(|never| match never {}).boxed()
}

/// A body whose pieces come when they are sent.
fn channel() -> (mpsc::UnboundedSender<&'static str>, Body) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let pieces = stream::unfold(receiver, async |mut receiver| {
        let piece: &'static str = receiver.recv().await?;
        Some((Ok::<_, Infallible>(Frame::data(Bytes::from_static(piece.as_bytes()))), receiver))
    });
    (sender, StreamBody::new(Box::pin(pieces)).map_err(|never| match never {}).boxed())
}

/// Reads a body to its end and gives its length.
async fn length(mut body: hyper::body::Incoming) -> Result<usize, hyper::Error> {
    let mut length = 0;
    while let Some(frame) = wait::within("a piece of a body", body.frame()).await {
        length += frame?.into_data().map_or(0, |data| data.len());
    }
    Ok(length)
}

/// Waits until `bytes` stays as it is while the gateway serves other requests, and gives it.
async fn standstill(gateway: &Gateway, bytes: &AtomicUsize) -> usize {
    let (mut last, mut same) = (0, 0);
    for _ in 0..2000 {
        assert_eq!(gateway.get("/ping", &[]).await.text(), "pong");
        let now = bytes.load(SeqCst);
        same = if now == last { same + 1 } else { 0 };
        last = now;
        if same == 100 && now > 0 {
            return now;
        }
    }
    panic!("it never stands still");
}

#[tokio::test]
async fn a_response_goes_on_piece_by_piece() {
    let (sender, body) = channel();
    let body = Arc::new(std::sync::Mutex::new(Some(body)));
    let upstream = Upstream::new(move |_| {
        let body = body.lock().unwrap().take().expect("one request");
        async move { Response::new(body) }
    })
    .await;
    let gateway = before(&upstream, "").await;
    let mut connection = gateway.connect().await;
    let mut response = connection.begin(request("GET", "/", &[], "")).await;
    for piece in ["one", "two", "three"] {
        sender.send(piece).unwrap();
        let frame = wait::within("the piece", response.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), piece);
    }
    drop(sender);
    assert!(wait::within("the end", response.frame()).await.is_none());
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn a_request_goes_on_piece_by_piece_and_the_answer_may_come_before_its_end() {
    let (seen, mut arrivals) = mpsc::unbounded_channel();
    let upstream = Upstream::new(move |request| {
        let seen = seen.clone();
        async move {
            let mut body = request.into_body();
            tokio::spawn(async move {
                while let Some(Ok(frame)) = body.frame().await {
                    seen.send(frame.into_data().unwrap()).unwrap();
                }
            });
            Response::new(full("early"))
        }
    })
    .await;
    let gateway = before(&upstream, "").await;
    let (sender, body) = channel();
    let mut connection = gateway.connect().await;
    sender.send("one").unwrap();
    let response = connection.begin(request_with("POST", "/", &[], body)).await;
    assert_eq!(response.status(), 200);
    assert_eq!(wait::within("the first piece", arrivals.recv()).await.unwrap(), "one");
    sender.send("two").unwrap();
    assert_eq!(wait::within("the second piece", arrivals.recv()).await.unwrap(), "two");
    drop(sender);
    drop((response, connection));
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_read_stops_the_upstream() {
    let offered = 256 * MIB;
    let taken = Arc::<AtomicUsize>::default();
    let upstream = Upstream::new({
        let taken = Arc::clone(&taken);
        move |_| {
            let body = pieces(offered / (64 * 1024), Arc::clone(&taken));
            async move { Response::new(body) }
        }
    })
    .await;
    let gateway = before(&upstream, "").await;
    let mut connection = gateway.connect().await;
    let response = connection.begin(request("GET", "/", &[], "")).await;
    let held = standstill(&gateway, &taken).await;
    // What fits into the buffers of four sockets, which the system chooses.
    assert!(held < 64 * MIB, "{held} bytes were taken for a client that reads nothing");
    assert_eq!(length(response.into_body()).await.unwrap(), offered);
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn an_upstream_that_does_not_read_stops_the_client() {
    let offered = 256 * MIB;
    let read = Arc::new(Notify::new());
    let upstream = Upstream::new({
        let read = Arc::clone(&read);
        move |request| {
            let read = Arc::clone(&read);
            async move {
                read.notified().await;
                let length = length(request.into_body()).await.unwrap();
                Response::new(full(length.to_string()))
            }
        }
    })
    .await;
    let gateway = before(&upstream, "").await;
    let taken = Arc::<AtomicUsize>::default();
    let body = pieces(offered / (64 * 1024), Arc::clone(&taken));
    let address = gateway.address();
    let sending =
        tokio::spawn(async move { client::send(address, request_with("POST", "/", &[], body)).await });
    let held = standstill(&gateway, &taken).await;
    assert!(held < 64 * MIB, "{held} bytes were taken for an upstream that reads nothing");
    read.notify_one();
    assert_eq!(sending.await.unwrap().text(), offered.to_string());
    gateway.stop().await;
}

#[tokio::test]
async fn a_gibibyte_passes_both_ways_in_constant_memory() {
    let size = 1024 * MIB;
    let upstream = Upstream::new(move |request| async move {
        let received = length(request.into_body()).await.unwrap();
        assert_eq!(received, size);
        Response::new(pieces(size / (64 * 1024), Arc::default()))
    })
    .await;
    let gateway = before(&upstream, "").await;
    assert_eq!(gateway.get("/ping", &[]).await.text(), "pong");
    let before = peak_memory(gateway.pid());
    let mut connection = gateway.connect().await;
    let body = pieces(size / (64 * 1024), Arc::default());
    let length_field = size.to_string();
    let fields = [("content-length", length_field.as_str())];
    let sent = request_with("POST", "/", &fields, body);
    // Neither way waits for an event of its own, so the patience of one wait is not enough.
    let response = tokio::spawn(async move { (connection.begin(sent).await, connection) });
    let (response, connection) = response.await.unwrap();
    assert_eq!(length(response.into_body()).await.unwrap(), size);
    let grown = peak_memory(gateway.pid()) - before;
    assert!(grown < 64 * MIB as u64, "it grew by {} MiB", grown >> 20);
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn a_length_goes_on_as_a_length_and_chunks_as_chunks() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, "").await;
    let whole = gateway.post("/", &[], "four").await.json();
    assert_eq!(whole["headers"]["content-length"][0], "4");
    assert!(whole["headers"]["transfer-encoding"].is_null());

    let (sender, body) = channel();
    sender.send("four").unwrap();
    drop(sender);
    let chunked = gateway.send(request_with("POST", "/", &[], body)).await.json();
    assert_eq!(chunked["headers"]["transfer-encoding"][0], "chunked");
    assert!(chunked["headers"]["content-length"].is_null());
    assert_eq!(chunked["body"], "four");
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_above_the_limit_is_a_413_problem_however_it_is_framed() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, "max_request_body: 1KiB").await;
    let fits = "x".repeat(1024);
    assert_eq!(gateway.post("/", &[], &fits).await.json()["body"], fits);

    let before = upstream.requests();
    let declared = gateway.post("/", &[], &format!("{fits}x")).await;
    assert_eq!(declared.problem(), "413 body-too-large");
    assert_eq!(upstream.requests(), before, "it was known before the upstream was asked");

    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunk = format!("400\r\n{fits}\r\n");
    let mut raw = gateway.raw().await;
    raw.send(format!("{head}{chunk}{chunk}0\r\n\r\n")).await;
    let reply = raw.head().await;
    assert_eq!(status(&reply), 413, "{reply}");
    assert!(reply.contains("application/problem+json"), "{reply}");
    drop(raw);
    gateway.stop().await;
}

#[tokio::test]
async fn a_request_that_breaks_off_does_not_look_whole_to_the_upstream() {
    let upstream = Recorder::scripted(&[&[Head]]).await;
    let gateway = before(&upstream, "").await;
    let mut raw = gateway.raw().await;
    raw.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n").await;
    upstream.receives("body").await;
    drop(raw);
    let chunked = async || (!upstream.all().contains("0\r\n\r\n")).then_some(());
    for _ in 0..50 {
        assert_eq!(gateway.get("/ping", &[]).await.text(), "pong");
        chunked().await.expect("the upstream saw an end that was none");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_response_that_breaks_off_does_not_look_whole_to_the_client() {
    use tollgate_tests::recorder::Act::Close;
    for script in [
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\npart",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\npart\r\n",
    ] {
        let script: &'static [_] = Box::leak(Box::new([Head, Send(script), Close]));
        let scripts: &'static [_] = Box::leak(Box::new([script]));
        let upstream = Recorder::scripted(scripts).await;
        let gateway = before(&upstream, "").await;
        let mut connection = gateway.connect().await;
        let reply = connection.try_send(request("GET", "/", &[], "")).await;
        assert!(reply.is_err(), "{reply:?}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_client_that_goes_away_frees_the_upstream() {
    let (sender, body) = channel();
    let body = Arc::new(std::sync::Mutex::new(Some(body)));
    let upstream = Upstream::new(move |_| {
        let body = body.lock().unwrap().take().expect("one request");
        async move { Response::new(body) }
    })
    .await;
    let gateway = before(&upstream, "").await;
    let mut connection = gateway.connect().await;
    sender.send("one").unwrap();
    let response = connection.begin(request("GET", "/", &[], "")).await;
    drop((response, connection));
    // The receiver goes when the upstream's connection does.
    wait::within("the upstream is let go", sender.closed()).await;
    gateway.stop().await;
}
