//! One request hidden in another.

use tollgate_tests::{
    Gateway, Recorder,
    raw::status,
    recorder::{
        Act::{Head, Send, Until},
        OK,
    },
};

use super::{before, one_request};

const HIDDEN: &str = "GET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n";

#[tokio::test]
async fn a_request_in_a_body_stays_a_body() {
    let upstream = Recorder::scripted(&[&[Until("GET /smuggled"), Send(OK)]]).await;
    let gateway = before(&upstream, "").await;
    let reply = gateway
        .raw_exchange(format!(
            "GET /outer HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{HIDDEN}",
            HIDDEN.len()
        ))
        .await;
    assert_eq!(status(&reply), 200, "{reply}");
    let (head, body) = one_request(&upstream);
    assert!(head.contains(&format!("content-length: {}", HIDDEN.len())), "{head:?}");
    assert_eq!(body, HIDDEN);
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_nobody_reads_is_not_the_next_request() {
    let gateway = Gateway::start(
        "routes: [{ name: a, match: { path: /outer }, respond: { body: outer } }, { name: b, match: { path: /smuggled }, respond: { body: smuggled } }]",
    )
    .await;
    for path in ["/outer", "/missing"] {
        let reply = gateway
            .raw_exchange(format!(
                "POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n{HIDDEN}GET /outer HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
                HIDDEN.len()
            ))
            .await;
        assert!(!reply.contains("smuggled"), "{reply}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn an_answer_before_the_end_of_a_body_does_not_mix_up_what_follows() {
    // The upstream answers at the head and never reads the body.
    let upstream = Recorder::scripted(&[&[Head, Send(OK), Head, Send(OK)]]).await;
    let gateway = before(&upstream, "workers: 1").await;
    let mut client = gateway.raw().await;
    client
        .send(format!(
            "POST /outer HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n",
            // One byte more than will come.
            HIDDEN.len() + 11
        ))
        .await;
    let head = client.head().await;
    assert_eq!(status(&head), 200, "{head}");
    client.send(format!("0123456789{HIDDEN}")).await;
    drop(client);
    // The connection to the upstream still owes a body: another request must not go there.
    assert_eq!(gateway.get("/next", &[]).await.text(), "ok");
    for record in upstream.records().iter().filter(|record| record.contains("/outer")) {
        assert!(!record.contains("GET /next"), "{record:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn requests_in_a_row_get_their_answers_in_order() {
    let upstream = tollgate_tests::Upstream::new(async |request| {
        http::Response::new(tollgate_tests::client::full(request.uri().path().to_owned()))
    })
    .await;
    let gateway = Gateway::start(&format!(
        r#"
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes: [{{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u }}]
        "#
    ))
    .await;
    let reply = gateway
        .raw_exchange(
            "GET /one HTTP/1.1\r\nhost: a\r\n\r\nPOST /two HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbodyGET /three HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        )
        .await;
    let paths: Vec<_> = reply.split("\r\n\r\n").skip(1).map(|part| &part[..4]).collect();
    assert_eq!(paths, ["/one", "/two", "/thr"], "{reply}");
    gateway.stop().await;
}

#[tokio::test]
async fn fields_that_only_look_like_framing_do_not_frame() {
    let upstream = Recorder::scripted(&[&[Head, Send(OK), Head, Send(OK)]]).await;
    let gateway = before(&upstream, "").await;
    let reply = gateway
        .raw_exchange(format!(
            "GET /outer HTTP/1.1\r\nhost: a\r\ncontent_length: {}\r\nx-transfer-encoding: chunked\r\n\r\n{}",
            HIDDEN.len(),
            HIDDEN.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n")
        ))
        .await;
    // Two requests in a row, each with an answer: nothing was taken for a body.
    assert_eq!(reply.matches("HTTP/1.1 200").count(), 2, "{reply}");
    gateway.stop().await;
}

#[tokio::test]
async fn an_upgrade_to_cleartext_http2_is_not_passed_on() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "").await;
    let mut client = gateway.raw().await;
    client
        .send("GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n")
        .await;
    let reply = client.response().await;
    // RFC 9113 §3.1 has no such upgrade any more; through a tunnel it would hide requests from
    // routes and plugins.
    assert!(!upstream.all().to_lowercase().contains("h2c"), "{}", upstream.all());
    assert_ne!(status(&reply), 101, "{reply}");
    drop(client);
    gateway.stop().await;
}
