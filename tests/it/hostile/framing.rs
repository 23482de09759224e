//! Where a body ends (RFC 9112 §6).

use tollgate_tests::{Recorder, raw::status};

use super::{AT_END, before, check_refused, one_request};

#[tokio::test]
async fn lengths_that_differ_or_are_none_are_refused() {
    let fields = [
        "content-length: 4\r\ncontent-length: 5",
        "content-length: 5\r\ncontent-length: 4",
        "content-length: 4, 5",
        "content-length: +4",
        "content-length: -4",
        "content-length: 0x4",
        "content-length: 4 4",
        "content-length: four",
        "content-length:",
        "content-length: 99999999999999999999999",
    ];
    let requests =
        fields.map(|field| format!("POST / HTTP/1.1\r\nhost: a\r\n{field}\r\n\r\nbody5"));
    check_refused(&requests.each_ref().map(String::as_str)).await;
}

#[tokio::test]
async fn codings_that_do_not_end_with_chunked_are_refused() {
    let fields = [
        "transfer-encoding: xchunked",
        "transfer-encoding: chunked, gzip",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: identity",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity",
        "transfer-encoding: \"chunked\"",
        "transfer-encoding:",
        "transfer-encoding: chunked;q=1",
        "transfer-encoding: chunked,",
        "transfer-encoding: ch\u{fc}nked",
        "transfer-encoding : chunked",
    ];
    let requests = fields.map(|field| {
        format!("POST / HTTP/1.1\r\nhost: a\r\n{field}\r\n\r\n4\r\nbody\r\n0\r\n\r\n")
    });
    check_refused(&requests.each_ref().map(String::as_str)).await;
}

#[tokio::test]
async fn a_coding_that_the_gateway_does_not_know_is_refused() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "").await;
    for coding in ["gzip, chunked", "chunked, chunked"] {
        let reply = gateway
            .raw_exchange(format!(
                "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: {coding}\r\nconnection: close\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
            ))
            .await;
        // RFC 9112 §6.1: 501 would be the better answer; what matters is that the body, whose
        // coding would be lost, does not go on.
        assert!([400, 501].contains(&status(&reply)), "{coding}: {reply}");
        assert_eq!(upstream.all(), "");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn what_follows_a_head_that_is_refused_is_no_request() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "").await;
    for head in [
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked, chunked",
        "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b",
    ] {
        let reply = gateway
            .raw_exchange(format!(
                "{head}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"
            ))
            .await;
        assert_eq!(status(&reply), 400, "{head}: {reply}");
        assert!(reply.contains("\r\nconnection: close\r\n"), "{head}: {reply}");
        assert_eq!(upstream.all(), "", "{head}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn chunks_in_http_1_0_are_refused() {
    check_refused(&[
        "POST / HTTP/1.0\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        "POST / HTTP/1.0\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ])
    .await;
}

#[tokio::test]
async fn a_message_with_both_framings_is_refused_or_ends_its_connection() {
    let upstream = Recorder::scripted(&[AT_END]).await;
    let gateway = before(&upstream, "").await;
    for framing in [
        "content-length: 4\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 4",
    ] {
        let reply = gateway
            .raw_exchange(format!(
                "POST / HTTP/1.1\r\nhost: a\r\n{framing}\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a\r\n\r\n"
            ))
            .await;
        // RFC 9112 §6.1: whoever answers it has to close the connection after that.
        assert!(!upstream.all().contains("smuggled"), "{framing:?}: {}", upstream.all());
        assert_eq!(reply.matches("HTTP/1.1 ").count(), 1, "{framing:?}: {reply}");
        if status(&reply) != 400 {
            assert!(!upstream.all().contains("content-length: 4"), "{}", upstream.all());
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_same_length_twice_is_refused_or_made_one() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "").await;
    let reply = gateway
        .raw_exchange("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ncontent-length: 4\r\nconnection: close\r\n\r\nbody")
        .await;
    if status(&reply) != 400 {
        let (_, body) = one_request(&upstream);
        assert_eq!(body, "body");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn bad_chunks_are_refused_and_never_end_well_upstream() {
    for chunks in [
        "zz\r\nbody\r\n0\r\n\r\n",
        "0x4\r\nbody\r\n0\r\n\r\n",
        "+4\r\nbody\r\n0\r\n\r\n",
        "-4\r\nbody\r\n0\r\n\r\n",
        "\r\nbody\r\n0\r\n\r\n",
        "4\nbody\r\n0\r\n\r\n",
        "4\rbody\r\n0\r\n\r\n",
        "4;a\nb\r\nbody\r\n0\r\n\r\n",
        "4\r\nbodyXX0\r\n\r\n",
        "4\r\nbody0\r\n\r\n",
        "4\r\nbody\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\nbody\r\n0\r\n\r\n",
        "10000000000000004\r\nbody\r\n0\r\n\r\n",
        "4 4\r\nbody\r\n0\r\n\r\n",
    ] {
        let upstream = Recorder::scripted(&[AT_END]).await;
        let gateway = before(&upstream, "").await;
        let reply = gateway
            .raw_exchange(format!(
                "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"
            ))
            .await;
        assert_eq!(status(&reply), 400, "{chunks:?}: {reply}");
        assert!(!upstream.all().contains("0\r\n\r\n"), "{chunks:?}: {:?}", upstream.all());
        gateway.stop().await;
    }
}

#[tokio::test]
async fn chunks_go_on_in_the_gateways_own_framing() {
    let upstream = Recorder::scripted(&[AT_END]).await;
    let gateway = before(&upstream, "").await;
    let reply = gateway
        .raw_exchange("POST / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: CHUNKED\r\nconnection: close\r\n\r\n004;x=\"1\"\r\nbody\r\n0000\r\n\r\n")
        .await;
    assert_eq!(status(&reply), 200, "{reply}");
    let (head, body) = one_request(&upstream);
    assert!(head.contains(&"transfer-encoding: chunked".to_owned()), "{head:?}");
    assert_eq!(body, "4\r\nbody\r\n0\r\n\r\n");
    gateway.stop().await;
}

#[tokio::test]
async fn chunks_that_are_none_are_a_400_problem_that_says_so() {
    let upstream = Recorder::scripted(&[AT_END]).await;
    let gateway = before(&upstream, "").await;
    let head = "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    for body in ["4\r\nbody\r\nxyz\r\n", "4\r\nbody5\r\n", "fffffffffffffffffff\r\n"] {
        let mut client = gateway.raw().await;
        client.send(format!("{head}{body}")).await;
        let reply = client.response().await;
        assert_eq!(status(&reply), 400, "{body:?}: {reply}");
        assert!(reply.contains("the request body is not well-formed"), "{body:?}: {reply}");
    }
    gateway.stop().await;
}
