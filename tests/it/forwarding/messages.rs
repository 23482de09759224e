//! Messages that are not one head and one body: expectations, trailers, and those without bodies.

use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tollgate_tests::{
    Gateway, Recorder, Upstream,
    client::{Body, full, request, request_with},
    raw::status,
    recorder::{Act, OK, Script},
};

use super::before;

#[tokio::test]
async fn a_client_that_expects_100_is_told_to_go_on() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, "").await;
    let mut client = gateway.raw().await;
    client
        .send("POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\nconnection: close\r\n\r\n")
        .await;
    assert_eq!(client.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body").await;
    let reply = client.rest().await;
    assert_eq!(status(&reply), 200);
    assert!(reply.contains(r#""body":"body""#) && !reply.contains("100-continue"), "{reply}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_refused_client_that_expects_100_is_not_told_to_go_on() {
    let gateway = Gateway::start("routes: [{ name: a, match: { path: /a }, respond: {} }]").await;
    let reply = gateway
        .raw_exchange("POST /b HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\nconnection: close\r\n\r\n")
        .await;
    assert_eq!(status(&reply), 404, "{reply}");
    gateway.stop().await;
}

/// A body in two pieces with a trailer.
fn with_trailers() -> Body {
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "42".parse().unwrap());
    let frames = [
        Frame::data(Bytes::from_static(b"two ")),
        Frame::data(Bytes::from_static(b"pieces")),
        Frame::trailers(trailers),
    ];
    StreamBody::new(stream::iter(frames.map(Ok))).boxed()
}

#[tokio::test]
async fn trailers_pass_both_ways() {
    let upstream = Upstream::http2(async |request| {
        let body = request.into_body().collect().await.unwrap();
        let sum = body.trailers().and_then(|trailers| trailers.get("x-sum")).cloned();
        let mut response = Response::new(with_trailers());
        response.headers_mut().insert("x-got", sum.unwrap_or("none".parse().unwrap()));
        response
    })
    .await;
    let gateway = Gateway::start(&format!(
        r#"
        upstreams: {{ u: {{ endpoints: ["{upstream}"], protocol: http2 }} }}
        routes: [{{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u }}]
        "#
    ))
    .await;
    let mut connection = gateway.connect_http2().await;
    let mut request = request("POST", "/", &[("te", "trailers")], "");
    *request.body_mut() = with_trailers();
    let reply = connection.send(request).await;
    assert_eq!((reply.text().as_str(), reply.header("x-got").as_str()), ("two pieces", "42"));
    assert_eq!(reply.trailers.expect("trailers")["x-sum"], "42");
    drop(connection);
    gateway.stop().await;
}

/// What a client sends of a body with trailers over HTTP/1.1.
const CHUNKED: &str = "POST / HTTP/1.1\r\nhost: a\r\nconnection: close\r\nte: gzip;q=0.5, trailers\r\ntrailer: x-sum\r\ntransfer-encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nx-sum: 42\r\nhost: b\r\nx-forwarded-for: 1.2.3.4\r\nx-unsaid: 1\r\n\r\n";

#[tokio::test]
async fn trailers_of_http1_pass_both_ways() {
    let upstream = Upstream::new(async |request| {
        let headers = request.headers();
        let told = ["te", "connection", "trailer"].map(|name| headers.get(name).cloned());
        let body = request.into_body().collect().await.unwrap();
        let trailers = body.trailers().cloned().unwrap_or_default();
        let mut response = Response::new(with_trailers());
        response.headers_mut().insert("trailer", "x-sum".parse().unwrap());
        let got = format!("{told:?} {trailers:?}");
        response.headers_mut().insert("x-got", got.parse().unwrap());
        response
    })
    .await;
    let gateway = before(&upstream, "").await;
    let reply = gateway.raw_exchange(CHUNKED).await;
    let told = r#"x-got: [Some("trailers"), Some("te"), Some("x-sum")] {"x-sum": "42"}"#;
    assert!(reply.contains(told), "{reply}");
    assert!(reply.contains("\r\ntrailer: x-sum\r\n"), "{reply}");
    assert!(reply.ends_with("\r\n0\r\nx-sum: 42\r\n\r\n"), "{reply}");
    // Who does not take trailers is told of none.
    let reply = gateway.raw_exchange(CHUNKED.replace("te: gzip;q=0.5, trailers", "te: gzip")).await;
    assert!(reply.contains(r#"x-got: [None, None, Some("x-sum")]"#), "{reply}");
    assert!(!reply.contains("trailer: "), "{reply}");
    assert!(reply.ends_with("\r\n0\r\n\r\n"), "{reply}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_trailer_that_a_client_must_not_send_does_not_go_on() {
    let upstream = Upstream::http2(async |request| {
        let body = request.into_body().collect().await.unwrap();
        Response::new(full(format!("{:?}", body.trailers())))
    })
    .await;
    let gateway = Gateway::start(&format!(
        r#"
        upstreams: {{ u: {{ endpoints: ["{upstream}"], protocol: http2 }} }}
        routes: [{{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u }}]
        "#
    ))
    .await;
    // Over HTTP/2 they need no announcement.
    let reply = gateway.raw_exchange(CHUNKED).await;
    assert!(reply.contains(r#""x-sum": "42""#) && reply.contains("x-unsaid"), "{reply}");
    assert!(!reply.contains(r#""host""#) && !reply.contains("1.2.3.4"), "{reply}");
    gateway.stop().await;
}

#[tokio::test]
async fn trailers_of_http1_reach_a_client_that_takes_them() {
    let upstream = Upstream::new(async |_| {
        let mut response = Response::new(with_trailers());
        response.headers_mut().insert("trailer", "x-sum".parse().unwrap());
        response
    })
    .await;
    let gateway = before(&upstream, "").await;
    let mut connection = gateway.connect_http2().await;
    let reply = connection.send(request("GET", "/", &[("te", "trailers")], "")).await;
    assert_eq!(reply.text(), "two pieces");
    assert_eq!(reply.trailers.expect("trailers")["x-sum"], "42");
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn a_response_to_head_keeps_its_length_and_has_no_body() {
    let upstream = Upstream::new(async |_| Response::new(full("twelve bytes"))).await;
    let gateway = before(&upstream, "").await;
    let mut connection = gateway.connect().await;
    let reply = connection.send(request("HEAD", "/", &[], "")).await;
    assert_eq!((reply.status, reply.header("content-length").as_str()), (200, "12"));
    assert_eq!(reply.text(), "");
    let next = connection.send(request("GET", "/", &[], "")).await;
    assert_eq!(next.text(), "twelve bytes");
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn responses_without_bodies_leave_the_connection_in_order() {
    let upstream = Upstream::new(async |request| {
        let status: u16 = request.uri().path()[1..].parse().unwrap();
        let body = if status == 200 { "body" } else { "" };
        Response::builder().status(status).header("etag", "\"1\"").body(full(body)).unwrap()
    })
    .await;
    let gateway = before(&upstream, "").await;
    let mut connection = gateway.connect().await;
    for (status, body) in [(204, ""), (304, ""), (200, "body"), (205, ""), (200, "body")] {
        let reply = connection.send(request("GET", &format!("/{status}"), &[], "")).await;
        assert_eq!((reply.status, reply.text().as_str()), (status, body));
        assert_eq!(reply.header("etag"), "\"1\"");
        if status == 204 {
            // RFC 9110 §8.6: no length there.
            assert_eq!(reply.header("content-length"), "");
        }
    }
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn an_interim_response_of_the_upstream_does_not_stand_for_the_final_one() {
    use tollgate_tests::recorder::Act::{Head, Send};
    let upstream = Recorder::scripted(&[&[
        Head,
        Send("HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nbody"),
    ]])
    .await;
    let gateway = Gateway::start(&format!(
        r#"
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes: [{{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u }}]
        "#
    ))
    .await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, "body"));
    gateway.stop().await;
}

#[tokio::test]
async fn an_http_1_0_client_gets_a_body_that_ends_with_the_connection() {
    let upstream = Upstream::new(async |_| {
        let mut response = Response::new(with_trailers());
        response.headers_mut().insert("x-kind", "stream".parse().unwrap());
        response
    })
    .await;
    let gateway = before(&upstream, "").await;
    let reply = gateway.raw_exchange("GET / HTTP/1.0\r\n\r\n").await;
    assert!(reply.ends_with("\r\n\r\ntwo pieces"), "{reply}");
    assert!(!reply.to_lowercase().contains("transfer-encoding"), "{reply}");
    gateway.stop().await;
}

#[tokio::test]
async fn an_upstream_gets_a_host_though_http_1_0_knows_none() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, "").await;
    let reply = gateway.raw_exchange("GET / HTTP/1.0\r\n\r\n").await;
    assert!(reply.contains(&format!("\"host\":[\"{upstream}\"]")), "{reply}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_response_of_http_1_0_is_one_of_http_1_1_to_the_client() {
    let upstream = Recorder::scripted(&[&[
        Act::Head,
        Act::Send("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nold"),
        Act::Close,
    ]])
    .await;
    let gateway = before(&upstream, "").await;
    let reply =
        gateway.raw_exchange("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(reply.starts_with("HTTP/1.1 200 OK\r\n") && reply.ends_with("old"), "{reply}");
    assert!(reply.contains("via: 1.0 tollgate"), "{reply}");
    gateway.stop().await;
}

#[tokio::test]
async fn the_body_of_a_get_of_unknown_length_goes_on() {
    const OVER: Act = Act::Until("0\r\n\r\n");
    let scripts: &[Script] = &[&[OVER, Act::Send(OK), OVER, Act::Send(OK)]];
    let upstream = Recorder::scripted(scripts).await;
    let gateway = before(&upstream, "").await;
    let asked = "GET /search HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nquery\r\n0\r\n\r\n";
    let mut client = gateway.raw().await;
    client.send(asked).await;
    assert_eq!(status(&client.response().await), 200);
    upstream.receives("5\r\nquery\r\n0\r\n\r\n").await;
    assert!(upstream.all().contains("transfer-encoding: chunked"), "{}", upstream.all());

    let mut http2 = gateway.connect_http2().await;
    let body =
        StreamBody::new(stream::iter([Ok(Frame::data(Bytes::from_static(b"more")))])).boxed();
    assert_eq!(http2.send(request_with("GET", "/search", &[], body)).await.status, 200);
    upstream.receives("4\r\nmore\r\n0\r\n\r\n").await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_length_that_is_said_twice_in_one_line_is_said_once() {
    const TWICE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok";
    const ANSWER: [Act; 2] = [Act::Head, Act::Send(TWICE)];
    let upstream = Recorder::scripted(&[&[ANSWER[0], ANSWER[1], ANSWER[0], ANSWER[1]]]).await;
    let gateway = before(&upstream, "").await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!((reply.header("content-length").as_str(), reply.text().as_str()), ("2", "ok"));
    let reply = gateway.connect_http2().await.send(request("GET", "/", &[], "")).await;
    assert_eq!(reply.text(), "ok");
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_with_its_head_does_so_after_the_head() {
    const BROKEN: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-a: b\r\n\r\nZZ\r\n";
    let upstream = Recorder::scripted(&[&[Act::Head, Act::Send(BROKEN)]]).await;
    let gateway = before(&upstream, "").await;
    let reply = gateway.raw_exchange("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(status(&reply) == 200 && reply.contains("x-a: b"), "{reply}");
    let mut http2 = gateway.connect_http2().await;
    let response = http2.begin(request("GET", "/", &[], "")).await;
    assert_eq!(
        (response.status().as_u16(), response.headers()["x-a"].as_bytes()),
        (200, &b"b"[..])
    );
    assert!(response.into_body().collect().await.is_err());
    gateway.stop().await;
}
