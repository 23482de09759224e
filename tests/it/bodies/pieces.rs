//! Bodies go on as they come, and do not end well where they broke off.

use std::sync::Arc;

use http::Response;
use http_body_util::BodyExt;
use tokio::sync::mpsc;
use tollgate_tests::{
    Recorder, Upstream,
    client::{full, request, request_with},
    recorder::Act::{Close, Head, Send},
    wait,
};

use super::{before, channel, go_through};

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
    go_through(sender, &mut response).await;
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
