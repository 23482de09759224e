//! How a response ends decides whether it is kept.

use std::sync::{Arc, Mutex};

use http::Response;
use http_body_util::BodyExt;
use tokio::sync::mpsc::UnboundedSender;
use tollgate_tests::{
    Recorder, Upstream,
    client::request,
    recorder::Act::{Close, Head, Send},
    wait,
};

use super::{came_to_nothing, gateway, get, look, puts};
use crate::bodies::channel;

/// Answers one request with what is sent.
async fn streaming() -> (UnboundedSender<&'static str>, Upstream) {
    let (sender, body) = channel();
    let body = Arc::new(Mutex::new(Some(body)));
    let upstream = Upstream::new(move |_| {
        let body = body.lock().unwrap().take().expect("one request");
        async move { Response::new(body) }
    })
    .await;
    (sender, upstream)
}

#[tokio::test]
async fn a_response_is_kept_once_its_last_byte_has_come() {
    let (sender, upstream) = streaming().await;
    let gateway = gateway(&upstream, "a", "").await;
    let mut connection = gateway.connect().await;
    let mut response = connection.begin(request("GET", "/", &[("x-key", "k")], "")).await;
    for piece in ["one", "two"] {
        sender.send(piece).unwrap();
        let frame = wait::within("the piece", response.frame()).await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), piece);
        assert_eq!(look(&gateway, "k").await, "miss, miss");
    }
    drop(sender);
    assert!(wait::within("the end", response.frame()).await.is_none());
    assert_eq!(look(&gateway, "k").await, "hit m, onetwo");
    gateway.stop().await;
}

#[tokio::test]
async fn a_response_whose_client_leaves_is_not_kept() {
    let (sender, upstream) = streaming().await;
    let gateway = gateway(&upstream, "a", "").await;
    let mut connection = gateway.connect().await;
    let mut response = connection.begin(request("GET", "/", &[("x-key", "k")], "")).await;
    sender.send("one").unwrap();
    wait::within("the piece", response.frame()).await.unwrap().unwrap();
    drop((response, connection));
    came_to_nothing(&gateway, "unfinished").await;
    drop(sender);
    assert_eq!(look(&gateway, "k").await, "miss, miss");
    gateway.stop().await;
}

#[tokio::test]
async fn a_response_that_breaks_off_is_not_kept() {
    const BROKEN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nbegun";
    let upstream = Recorder::scripted(&[&[Head, Send(BROKEN), Close]]).await;
    let gateway = gateway(&upstream, "a", "").await;
    let mut connection = gateway.connect().await;
    assert!(connection.try_send(request("GET", "/", &[("x-key", "k")], "")).await.is_err());
    came_to_nothing(&gateway, "unfinished").await;
    assert_eq!(look(&gateway, "k").await, "miss, miss");
    gateway.stop().await;
}

#[tokio::test]
async fn a_response_that_is_too_large_passes_whole_and_is_not_kept() {
    // One says its length, the other does not.
    for known in [true, false] {
        let upstream = Upstream::new(move |_| async move {
            let pieces = (0..100).map(|_| Ok(hyper::body::Frame::data(vec![b'x'; 1024].into())));
            let body = http_body_util::StreamBody::new(futures_util::stream::iter(pieces)).boxed();
            let builder = Response::builder();
            let builder = if known { builder.header("content-length", 102_400) } else { builder };
            builder.body(body).unwrap()
        })
        .await;
        let gateway = gateway(&upstream, "a", "cache: { max_entry: 64KiB }").await;
        assert_eq!(get(&gateway, "k").await.body.len(), 102_400);
        assert_eq!(look(&gateway, "k").await, "miss, miss");
        assert!((puts(&gateway, "too_large").await - 1.0).abs() < 0.1);
        gateway.stop().await;
    }
}
