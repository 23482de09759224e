//! Kept connections, rounds over endpoints, names.

use tollgate_tests::{
    Recorder, Upstream,
    client::request,
    recorder::{
        Act::{Close, Head, Send},
        OK,
    },
    wait,
};

use super::before;

#[tokio::test]
async fn a_connection_is_used_again() {
    let upstream = Upstream::text("here").await;
    let gateway = before(&format!("\"{upstream}\""), "").await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/", &[]).await.text(), "here");
    }
    assert_eq!((upstream.requests(), upstream.connections()), (20, 1));
    gateway.stop().await;
}

#[tokio::test]
async fn none_is_kept_where_none_may_be() {
    let upstream = Upstream::text("here").await;
    let gateway = before(&format!("\"{upstream}\""), "keepalive: { max_idle: 0 }").await;
    for _ in 0..5 {
        assert_eq!(gateway.get("/", &[]).await.text(), "here");
    }
    assert_eq!(upstream.connections(), 5);
    gateway.stop().await;
}

#[tokio::test]
async fn a_connection_is_not_used_again_where_the_upstream_says_close() {
    let upstream = Upstream::new(async |_| {
        let mut response = http::Response::new(tollgate_tests::client::full("here"));
        response.headers_mut().insert("connection", "close".parse().unwrap());
        response
    })
    .await;
    let gateway = before(&format!("\"{upstream}\""), "").await;
    for _ in 0..5 {
        assert_eq!(gateway.get("/", &[]).await.text(), "here");
    }
    assert_eq!(upstream.connections(), 5);
    gateway.stop().await;
}

#[tokio::test]
async fn every_round_gives_each_endpoint_its_weight() {
    let (light, heavy) = (Upstream::text("light").await, Upstream::text("heavy").await);
    let endpoints = format!("\"{light}\", {{ address: \"{heavy}\", weight: 3 }}");
    let gateway = before(&endpoints, "").await;
    let mut connection = gateway.connect().await;
    for round in 1..=10 {
        for _ in 0..4 {
            connection.send(request("GET", "/", &[], "")).await;
        }
        assert_eq!((light.requests(), heavy.requests()), (round, 3 * round));
    }
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn a_name_is_looked_up() {
    let upstream = Upstream::text("here").await;
    let port = upstream.address().port();
    let gateway = before(&format!("\"localhost:{port}\""), "").await;
    // The name may stand for ::1 too, where nobody listens.
    for _ in 0..4 {
        assert_eq!(gateway.get("/", &[]).await.text(), "here");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_get_on_a_kept_connection_that_is_closed_is_sent_again() {
    let upstream = Recorder::scripted(&[&[Head, Send(OK), Head, Close], &[Head, Send(OK)]]).await;
    let gateway = before(&format!("\"{upstream}\""), "").await;
    assert_eq!(gateway.get("/one", &[]).await.text(), "ok");
    assert_eq!(gateway.get("/two", &[]).await.text(), "ok");
    let records = upstream.records();
    assert!(records[0].contains("GET /two") && records[1].contains("GET /two"), "{records:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn what_is_sent_again_is_the_same_to_the_last_field() {
    let upstream = Recorder::scripted(&[&[Head, Send(OK), Head, Close], &[Head, Send(OK)]]).await;
    let gateway = before(&format!("\"{upstream}\""), "").await;
    assert_eq!(gateway.get("/one", &[]).await.text(), "ok");
    let fields = [("x-mine", "1"), ("x-mine", "2"), ("te", "trailers")];
    assert_eq!(gateway.get("/two?a=b", &fields).await.text(), "ok");
    let records = upstream.records();
    let begins = records[0].find("GET /two?a=b HTTP/1.1\r\n").expect("the second request");
    assert_eq!(records[0][begins..], records[1]);
    assert!(records[1].contains("x-mine: 2\r\n"), "{}", records[1]);
    gateway.stop().await;
}

#[tokio::test]
async fn a_post_that_was_sent_is_not_sent_again() {
    let upstream = Recorder::scripted(&[&[Head, Send(OK), Head, Close], &[Head, Send(OK)]]).await;
    let gateway = before(&format!("\"{upstream}\""), "").await;
    assert_eq!(gateway.get("/one", &[]).await.text(), "ok");
    let reply = gateway.post("/two", &[], "once").await;
    assert_eq!(reply.problem(), "502 upstream-protocol");
    assert_eq!(upstream.all().matches("POST /two").count(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn connections_that_an_upstream_closes_are_not_missed() {
    let upstream = Upstream::text("here").await;
    let gateway = before(&format!("\"{upstream}\""), "").await;
    for _ in 0..30 {
        assert_eq!(gateway.get("/", &[]).await.text(), "here");
        upstream.close_connections().await;
    }
    gateway.stop().await;
}

#[tokio::test]
async fn bytes_after_a_response_are_not_taken_for_the_next_one() {
    let upstream = Recorder::scripted(&[
        &[
            Head,
            Send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"),
        ],
        &[Head, Send(OK), Head, Send(OK)],
    ])
    .await;
    let gateway = before(&format!("\"{upstream}\""), "").await;
    let mut connection = gateway.connect().await;
    for _ in 0..3 {
        let reply = connection.send(request("GET", "/", &[], "")).await;
        assert_eq!(reply.text(), "ok");
    }
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn idle_connections_are_closed_after_their_time() {
    let upstream = Upstream::text("here").await;
    let gateway = before(&format!("\"{upstream}\""), "keepalive: { idle: 100ms }").await;
    assert_eq!(gateway.get("/", &[]).await.text(), "here");
    wait::until("it is closed", async || (upstream.open() == 0).then_some(())).await;
    assert_eq!(gateway.get("/", &[]).await.text(), "here");
    gateway.stop().await;
}
