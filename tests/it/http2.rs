//! HTTP/2 with clients and with upstreams.

use std::sync::Arc;

use futures_util::{future::join_all, stream};
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::sync::Barrier;
use tollgate_tests::{
    Connection, Gateway, Setup, Upstream,
    certs::Authority,
    client::{full, request},
    tls::{Dial, alpn},
    wait,
};

/// A gateway whose upstream speaks `protocol`.
async fn before(upstream: &Upstream, protocol: &str) -> Gateway {
    Gateway::start(&format!(
        r#"
        workers: 1
        upstreams: {{ u: {{ endpoints: ["{upstream}"], protocol: {protocol} }} }}
        routes: [{{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u }}]
        "#
    ))
    .await
}

/// Sends so many requests at once on one connection.
async fn at_once(connection: &Connection, count: usize) -> Vec<String> {
    let send = |number: usize| {
        let mut connection = connection.share();
        async move { connection.send(request("GET", &format!("/{number}"), &[], "")).await.text() }
    };
    join_all((0..count).map(send)).await
}

/// Answers with the path, once `count` requests are there.
async fn meeting(count: usize, http2: bool) -> Upstream {
    let barrier = Arc::new(Barrier::new(count));
    let answer = move |request: http::Request<hyper::body::Incoming>| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
            Response::new(full(request.uri().path().to_owned()))
        }
    };
    if http2 { Upstream::http2(answer).await } else { Upstream::new(answer).await }
}

#[tokio::test]
async fn a_hundred_streams_of_one_connection_are_served_at_once() {
    let upstream = meeting(100, false).await;
    let gateway = before(&upstream, "http1").await;
    let connection = gateway.connect_http2().await;
    let answers = wait::within("100 answers", at_once(&connection, 100)).await;
    let expected: Vec<_> = (0..100).map(|number| format!("/{number}")).collect();
    assert_eq!(answers, expected);
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn requests_share_one_connection_to_an_http2_upstream() {
    let upstream = meeting(50, true).await;
    let gateway = before(&upstream, "http2").await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.push(gateway.connect().await);
    }
    let sending = clients.iter_mut().map(|client| client.send(request("GET", "/", &[], "")));
    for reply in wait::within("50 answers", join_all(sending)).await {
        assert_eq!(reply.text(), "/");
    }
    // Those that came before the first connection was there may have opened one more each.
    let connections = upstream.connections();
    let again = gateway.get("/", &[]);
    drop(again);
    assert!(connections <= 50, "{connections}");
    drop(clients);
    gateway.stop().await;
}

#[tokio::test]
async fn an_http2_upstream_keeps_one_connection_for_requests_after_each_other() {
    let upstream = Upstream::http2(async |request| {
        Response::new(full(format!("{:?} {}", request.version(), request.uri())))
    })
    .await;
    let gateway = before(&upstream, "http2").await;
    for _ in 0..20 {
        let reply = gateway.get("/a?b", &[("host", "a.test")]).await;
        assert_eq!(reply.text(), "HTTP/2.0 http://a.test/a?b");
    }
    assert_eq!(upstream.connections(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn alpn_chooses_http2_where_the_client_offers_it() {
    let authority = Authority::default();
    let certificate = authority.server(&["gateway.test"]);
    let gateway = Setup::new(
        r#"
        listeners:
          - address: 127.0.0.1:0
            tls: { certificates: [{ certificate: a.pem, key: a.key }] }
        routes: [{ name: all, match: { path: "/" }, respond: { body: here } }]
        "#,
    )
    .file("a.pem", certificate.pem)
    .file("a.key", certificate.key)
    .start()
    .await;
    for (offered, chosen) in [
        (&["h2", "http/1.1"][..], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&["http/1.1", "h2"], Some("h2")),
        (&[], None),
    ] {
        let dial = Dial { alpn: offered, ..Dial::new(&authority, "gateway.test") };
        let stream = dial.connect(gateway.address()).await.unwrap();
        assert_eq!(alpn(&stream).as_deref(), chosen, "{offered:?}");
        let mut connection = match chosen {
            Some("h2") => Connection::http2(stream).await,
            _ => Connection::http1(stream).await,
        };
        assert_eq!(connection.send(request("GET", "/", &[], "")).await.text(), "here");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_authority_becomes_the_host_and_cookies_one_line() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, "http1").await;
    let mut connection = gateway.connect_http2().await;
    let fields = [("host", "a.test"), ("cookie", "a=1"), ("cookie", "b=2")];
    let seen = connection.send(request("GET", "/x", &fields, "")).await.json();
    assert_eq!(seen["version"], "HTTP/1.1");
    assert_eq!(seen["headers"]["host"], serde_json::json!(["a.test"]));
    // RFC 9113 §8.2.3: crumbs are joined for what is not HTTP/2.
    assert_eq!(seen["headers"]["cookie"], serde_json::json!(["a=1; b=2"]));
    assert_eq!(seen["headers"]["via"], serde_json::json!(["2 tollgate"]));
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn a_grpc_exchange_passes_with_its_trailers() {
    let upstream = Upstream::http2(async |request| {
        assert_eq!(request.headers()["te"], "trailers");
        assert_eq!(request.headers()["content-type"], "application/grpc");
        if request.uri().path() == "/failing" {
            // "Trailers-only": the status stands in the head, and there is no body.
            return Response::builder().header("grpc-status", "5").body(full("")).unwrap();
        }
        let message = request.into_body().collect().await.unwrap().to_bytes();
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let frames = [Frame::data(message), Frame::trailers(trailers)];
        let body = StreamBody::new(stream::iter(frames.map(Ok))).boxed();
        Response::builder().header("content-type", "application/grpc").body(body).unwrap()
    })
    .await;
    let gateway = before(&upstream, "http2").await;
    let mut connection = gateway.connect_http2().await;
    let fields = [("te", "trailers"), ("content-type", "application/grpc")];

    let message = "\0\0\0\0\u{3}abc";
    let reply = connection.send(request("POST", "/working", &fields, message)).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, message));
    assert_eq!(reply.trailers.expect("trailers")["grpc-status"], "0");

    let reply = connection.send(request("POST", "/failing", &fields, message)).await;
    assert_eq!((reply.status, reply.header("grpc-status").as_str()), (200, "5"));
    assert!(reply.trailers.is_none());
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn a_stream_that_is_reset_frees_the_upstream_and_no_other_stream() {
    let (gone, mut goings) = tokio::sync::mpsc::unbounded_channel();
    let upstream = Upstream::new(move |request| {
        let gone = gone.clone();
        async move {
            if request.uri().path() == "/waits" {
                let _tells = Tells(gone);
                std::future::pending::<()>().await;
            }
            Response::new(full("here"))
        }
    })
    .await;
    let gateway = before(&upstream, "http1").await;
    let mut connection = gateway.connect_http2().await;
    let mut waiting = connection.share();
    let task =
        tokio::spawn(async move { waiting.send(request("GET", "/waits", &[], "")).await.status });
    wait::until("the request waits upstream", async || (upstream.requests() == 1).then_some(()))
        .await;
    task.abort();
    wait::within("the upstream is let go", goings.recv()).await;
    assert_eq!(connection.send(request("GET", "/", &[], "")).await.text(), "here");
    drop(connection);
    gateway.stop().await;
}

/// Tells when it is dropped.
struct Tells(tokio::sync::mpsc::UnboundedSender<()>);

impl Drop for Tells {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

#[tokio::test]
async fn blanks_around_the_values_of_an_upstream_are_taken_off() {
    let upstream = Upstream::http2(async |_| {
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static(" 1\t"));
        let frames = [Frame::data("body".into()), Frame::trailers(trailers)];
        let body = StreamBody::new(stream::iter(frames.map(Ok))).boxed();
        Response::builder().header("x-head", "\t a b ").body(body).unwrap()
    })
    .await;
    let gateway = before(&upstream, "http2").await;
    let mut connection = gateway.connect_http2().await;
    let reply = connection.send(request("GET", "/", &[("te", "trailers")], "")).await;
    assert_eq!(reply.header("x-head"), "a b");
    assert_eq!(reply.trailers.expect("trailers")["x-sum"], "1");
    drop(connection);
    gateway.stop().await;
}
