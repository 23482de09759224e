//! Request lines and fields (RFC 9112 §2-5).

use tollgate_tests::{Recorder, raw::status};

use super::{before, check_refused, one_request};

#[tokio::test]
async fn fields_that_are_not_well_formed_are_refused() {
    check_refused(&[
        "GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\r\n 2\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\r\n\t2\r\n\r\n",
        "GET / HTTP/1.1\r\n host: a\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\rx-b: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\0\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx-a: 1\x7f\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx-a : 1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx a: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx-\u{e4}: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\n: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx-a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nx[a]: 1\r\n\r\n",
    ])
    .await;
}

#[tokio::test]
async fn request_lines_that_are_not_well_formed_are_refused() {
    check_refused(&[
        "GET  / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nhost: a\r\n\r\n",
        "GET / HTTP/1.1\rhost: a\r\n\r\n",
        "GET /a b HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /a\x7f HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET a HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /\\..\\admin HTTP/1.1\r\nhost: a\r\n\r\n",
        "G\u{e4}T / HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET\t/\tHTTP/1.1\r\nhost: a\r\n\r\n",
        "GET / HTTP/1.2\r\nhost: a\r\n\r\n",
        "GET / HTTP/3.0\r\nhost: a\r\n\r\n",
        "GET / http/1.1\r\nhost: a\r\n\r\n",
        "/ HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET /\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n",
    ])
    .await;
}

#[tokio::test]
async fn a_host_that_is_missing_doubled_or_none_is_refused() {
    check_refused(&[
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: user@a\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a, b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a:b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a:1:2\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: [::1\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a?b\r\n\r\n",
        "GET http://user@a/ HTTP/1.1\r\nhost: a\r\n\r\n",
        "GET http://a/ HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    ])
    .await;
}

#[tokio::test]
async fn the_authority_of_the_target_wins_over_the_host() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "").await;
    let reply = gateway
        .raw_exchange("GET http://target.test:8080/x?y HTTP/1.1\r\nhost: field.test\r\nconnection: close\r\n\r\n")
        .await;
    assert_eq!(status(&reply), 200, "{reply}");
    let (head, _) = one_request(&upstream);
    assert_eq!(head[0], "get /x?y http/1.1");
    assert!(head.contains(&"host: target.test:8080".to_owned()), "{head:?}");
    assert!(!upstream.all().contains("field.test"), "{head:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_fragment_is_refused_or_stays_behind() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "").await;
    let reply =
        gateway.raw_exchange("GET /x#y HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    if status(&reply) != 400 {
        assert_eq!(one_request(&upstream).0[0], "get /x http/1.1");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn lines_that_end_with_a_bare_lf_are_refused_or_made_whole() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "").await;
    let reply =
        gateway.raw_exchange("GET / HTTP/1.1\nhost: a\nx-a: 1\nconnection: close\n\n").await;
    if status(&reply) != 400 {
        assert_eq!(status(&reply), 200, "{reply}");
        let (head, _) = one_request(&upstream);
        assert!(head.contains(&"x-a: 1".to_owned()), "{head:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_method_that_nobody_knows_is_still_one_request() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "").await;
    let reply =
        gateway.raw_exchange("PROPFIND /x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert_eq!(status(&reply), 200, "{reply}");
    assert_eq!(one_request(&upstream).0[0], "propfind /x http/1.1");
    gateway.stop().await;
}

#[tokio::test]
async fn a_refusal_tells_the_client_that_the_connection_is_closed() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "").await;
    let reply = gateway.raw_exchange("GET / HTTP/1.1\r\nhost: a\r\nx a: 1\r\n\r\n").await;
    assert!(reply.to_lowercase().contains("connection: close"), "{reply}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_method_that_no_route_serves_is_a_405_problem() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "").await;
    for request in ["CONNECT a:443 HTTP/1.1", "TRACE / HTTP/1.1"] {
        let mut client = gateway.raw().await;
        client.send(format!("{request}\r\nhost: a:443\r\n\r\n")).await;
        let reply = client.response().await;
        assert_eq!(status(&reply), 405, "{request}: {reply}");
        assert!(reply.contains("problems/method-not-allowed"), "{request}: {reply}");
        let allow = "allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n";
        assert!(reply.contains(allow), "{request}: {reply}");
    }
    assert_eq!(upstream.all(), "");
    gateway.stop().await;
}
