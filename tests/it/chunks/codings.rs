//! Plugins see bodies without their content coding, and nobody else sees a difference.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tollgate_tests::{
    Gateway, Reply, Setup, Upstream,
    client::{Body, full, request, request_with},
    coded::{CODINGS, decode, encode},
    process::peak_memory,
    wait,
};

use super::{GRANTS, chunks};
use crate::bodies::length;

const TEXT: &str = "the same words and the same words and the same words";

/// Answers with the coding and the decoded body of the request, and how long it was as it came.
async fn uncoding(request: Request<Incoming>) -> Response<Body> {
    let field = |name: &str| {
        let value = request.headers().get(name);
        value.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    let (coding, accepted) = (field("content-encoding"), field("accept-encoding"));
    let probed = field("x-probe");
    let raw = request.into_body().collect().await.unwrap().to_bytes();
    let body = String::from_utf8(decode(&coding, &raw)).unwrap();
    let seen = serde_json::json!({
        "coding": coding, "body": body, "length": raw.len(), "accepted": accepted, "probed": probed,
    });
    Response::new(full(seen.to_string()))
}

/// Answers with this body, in this coding.
async fn coded(coding: &'static str, body: Vec<u8>) -> Upstream {
    let body = Bytes::from(body);
    Upstream::new(move |_| {
        let mut response = Response::new(full(body.clone()));
        let headers = response.headers_mut();
        headers.insert("content-encoding", coding.parse().unwrap());
        headers.insert("etag", "\"1\"".parse().unwrap());
        async move { response }
    })
    .await
}

fn post(coding: &str, body: impl Into<Bytes>) -> Request<Body> {
    request_with("POST", "/", &[("content-encoding", coding)], full(body))
}

async fn probe(upstream: &Upstream, usage: &str) -> Gateway {
    Setup::new(&format!(
        r#"
        workers: 1
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - name: all
            match: {{ path: "/{{*rest}}" }}
            upstream: u
            plugins: [{{ component: probe, {GRANTS}, {usage} }}]
        "#
    ))
    .plugin("probe")
    .start()
    .await
}

fn decoded(reply: &Reply) -> String {
    String::from_utf8(decode(&reply.header("content-encoding"), &reply.body)).unwrap()
}

#[tokio::test]
async fn a_request_body_is_read_decoded_and_goes_on_as_it_came() {
    let upstream = Upstream::new(uncoding).await;
    let gateway = probe(&upstream, "config: { request: [{ show: body }, { show: body }] }").await;
    for coding in CODINGS {
        let body = encode(coding, TEXT.as_bytes());
        let length = body.len();
        let seen = gateway.send(post(coding, body)).await.json();
        assert_eq!(seen["probed"], TEXT, "{coding}");
        assert_eq!((&seen["body"], &seen["coding"]), (&TEXT.into(), &coding.into()));
        assert_eq!(seen["length"], length, "{coding}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_is_set_has_the_coding_of_the_one_before() {
    let upstream = Upstream::new(uncoding).await;
    let gateway =
        probe(&upstream, "config: { request: [{ set_body: another }, { show: body }] }").await;
    for coding in CODINGS {
        let seen = gateway.send(post(coding, encode(coding, TEXT.as_bytes()))).await.json();
        assert_eq!((&seen["body"], &seen["coding"]), (&"another".into(), &coding.into()));
    }
    gateway.stop().await;
    for coding in CODINGS {
        let upstream = coded(coding, encode(coding, TEXT.as_bytes())).await;
        let steps = "config: { response: [{ show: body }, { set_body: another }] }";
        let gateway = probe(&upstream, steps).await;
        let reply = gateway.get("/", &[("accept-encoding", coding)]).await;
        assert_eq!(reply.header("x-probe"), format!("{TEXT}, ok"));
        assert_eq!(
            (decoded(&reply).as_str(), reply.header("content-encoding").as_str()),
            ("another", coding)
        );
        assert_eq!(reply.header("etag"), "W/\"1\"");
        let plain = gateway.get("/", &[]).await;
        assert_eq!(
            (plain.text().as_str(), plain.header("content-encoding").as_str()),
            ("another", "")
        );
        assert_eq!(plain.header("vary"), "accept-encoding");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn chunk_hooks_see_no_coding_and_the_other_side_the_same() {
    let upstream = Upstream::new(uncoding).await;
    let gateway = chunks(&upstream, &["config: { request: upper }"]).await;
    for coding in CODINGS {
        let seen = gateway.send(post(coding, encode(coding, TEXT.as_bytes()))).await.json();
        assert_eq!(seen["body"], TEXT.to_uppercase(), "{coding}");
        assert_eq!(seen["coding"], coding);
    }
    gateway.stop().await;
    for coding in CODINGS {
        let upstream = coded(coding, encode(coding, TEXT.as_bytes())).await;
        let gateway = chunks(&upstream, &["config: { response: upper }"]).await;
        let reply = gateway.get("/", &[("accept-encoding", coding)]).await;
        assert_eq!(
            (decoded(&reply), reply.header("content-encoding")),
            (TEXT.to_uppercase(), coding.to_owned())
        );
        let plain = gateway.get("/", &[("accept-encoding", "identity")]).await;
        assert_eq!(
            (plain.text(), plain.header("content-encoding")),
            (TEXT.to_uppercase(), String::new())
        );
        assert_eq!(
            (plain.header("vary").as_str(), plain.header("etag").as_str()),
            ("accept-encoding", "W/\"1\"")
        );
        gateway.stop().await;
    }
}

#[tokio::test]
async fn the_upstream_is_asked_for_what_can_be_undone() {
    let upstream = Upstream::new(uncoding).await;
    let gateway = chunks(&upstream, &["config: { response: keep }"]).await;
    let seen = gateway.get("/", &[("accept-encoding", "dcb, br;q=0.9, gzip, compress")]).await;
    assert_eq!(seen.json()["accepted"], "br, gzip");
    gateway.stop().await;
}

#[tokio::test]
async fn a_coding_that_is_not_known_is_refused_and_under_skip_passed_by() {
    let upstream =
        Upstream::new(async |request| Response::new(super::collected(request).await)).await;
    let gateway = chunks(&upstream, &["config: { request: upper }"]).await;
    let reply = gateway.send(post("compress", "abc")).await;
    assert_eq!(reply.problem(), "415 unsupported-coding");
    assert_eq!(reply.header("accept-encoding"), "gzip, br, zstd, deflate");
    gateway.stop().await;
    let gateway = chunks(&upstream, &["on_error: skip, config: { request: upper }"]).await;
    assert_eq!(gateway.send(post("compress", "abc")).await.text(), "abc");
    gateway.stop().await;

    let upstream = coded("compress", b"abc".to_vec()).await;
    let gateway = chunks(&upstream, &["config: { response: upper }"]).await;
    assert_eq!(gateway.get("/", &[]).await.problem(), "503 plugin-failed");
    gateway.stop().await;
    let gateway = probe(&upstream, "config: { response: [{ show: body }] }").await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!((reply.header("x-probe").as_str(), reply.text().as_str()), ("aborted", "abc"));
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_does_not_follow_its_coding_does_not_pass_for_a_whole_one() {
    let whole = encode("gzip", TEXT.as_bytes());
    let half = whole[..whole.len() - 4].to_vec();
    let upstream =
        Upstream::new(async |request| Response::new(super::collected(request).await)).await;
    let gateway = chunks(&upstream, &["config: { request: upper }"]).await;
    for body in [half.clone(), b"no gzip".to_vec()] {
        assert_eq!(gateway.send(post("gzip", body)).await.problem(), "400 bad-request");
    }
    gateway.stop().await;
    let gateway = probe(&upstream, "config: { request: [{ show: body }] }").await;
    let reply = gateway.send(post("gzip", half.clone())).await;
    assert_eq!(reply.body, half, "who only looked at it does not end it");
    gateway.stop().await;

    let upstream = coded("gzip", half).await;
    let gateway = chunks(&upstream, &["config: { response: upper }"]).await;
    let reply = gateway.connect().await.try_send(request("GET", "/", &[], "")).await;
    assert!(reply.is_err(), "{reply:?}");
    gateway.stop().await;
}

/// 1 GiB in 1 MiB: gzip files may stand one behind the other.
fn bomb() -> Vec<u8> {
    encode("gzip", &vec![0; 1 << 20]).repeat(1024)
}

#[tokio::test]
async fn a_bomb_ends_at_the_limit_in_constant_memory() {
    let upstream = Upstream::new(async |request| {
        let probed = request.headers()["x-probe"].to_str().unwrap().to_owned();
        let length = length(request.into_body()).await.unwrap();
        Response::new(full(format!("{probed}, {length} bytes")))
    })
    .await;
    let gateway = probe(&upstream, "config: { request: [{ show: body }] }").await;
    let body = bomb();
    assert!(body.len() < 2 << 20, "{}", body.len());
    gateway.get("/", &[]).await;
    let (before, length) = (peak_memory(gateway.pid()), body.len());
    let reply = gateway.send(post("gzip", body)).await;
    assert_eq!(reply.text(), format!("too-large 10485760, {length} bytes"));
    let grown = peak_memory(gateway.pid()) - before;
    assert!(grown < 64 << 20, "it grew by {} MiB", grown >> 20);
    gateway.stop().await;
}

#[tokio::test]
async fn a_bomb_streams_through_chunk_hooks_in_constant_memory() {
    let upstream = coded("gzip", bomb()).await;
    let gateway = chunks(&upstream, &["config: { response: keep }"]).await;
    let before = peak_memory(gateway.pid());
    let mut connection = gateway.connect().await;
    let response = connection.begin(request("GET", "/", &[], "")).await;
    assert_eq!(length(response.into_body()).await.unwrap(), 1 << 30);
    let grown = peak_memory(gateway.pid()) - before;
    assert!(grown < 64 << 20, "it grew by {} MiB", grown >> 20);
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn pieces_of_a_coded_stream_go_on_as_they_come() {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel::<Bytes>();
    let receiver = std::sync::Arc::new(std::sync::Mutex::new(Some(receiver)));
    let upstream = Upstream::new(move |_| {
        let receiver = receiver.lock().unwrap().take().expect("one request");
        let pieces = futures_util::stream::unfold(receiver, async |mut receiver| {
            let piece = receiver.recv().await?;
            Some((Ok::<_, std::io::Error>(hyper::body::Frame::data(piece)), receiver))
        });
        let body = http_body_util::StreamBody::new(Box::pin(pieces)).boxed();
        async move { Response::builder().header("content-encoding", "gzip").body(body).unwrap() }
    })
    .await;
    let gateway = chunks(&upstream, &["config: { response: upper }"]).await;
    let mut connection = gateway.connect().await;
    sender.send(encode("gzip", b"one ").into()).unwrap();
    let head = request("GET", "/", &[("accept-encoding", "gzip")], "");
    let mut response = connection.begin(head).await;
    let mut whole = Vec::new();
    for next in ["two ", "three"] {
        let frame = wait::within("a piece", response.frame()).await.unwrap().unwrap();
        whole.extend_from_slice(&frame.into_data().unwrap());
        sender.send(encode("gzip", next.as_bytes()).into()).unwrap();
    }
    drop(sender);
    let rest = wait::within("the rest", response.collect()).await.unwrap();
    whole.extend_from_slice(&rest.to_bytes());
    assert_eq!(decode("gzip", &whole), b"ONE TWO THREE");
    drop(connection);
    gateway.stop().await;
}
