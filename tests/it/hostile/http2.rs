//! HTTP/2 frames that an HTTP/1.1 upstream could take for something else (RFC 9113 §8).

use tollgate_tests::{
    Gateway, Recorder,
    frames::{END_HEADERS, END_STREAM, GOAWAY, HEADERS, RST_STREAM, field, frame},
};

use super::before;

/// How a gateway takes a request: its status, or how the stream or connection ended.
#[derive(Debug, PartialEq)]
enum Taken {
    Status(String),
    Reset,
    Gone,
}

async fn send(gateway: &Gateway, fields: &[(&str, &str)]) -> Taken {
    let block: Vec<u8> = fields.iter().flat_map(|(name, value)| field(name, value)).collect();
    let mut client = gateway.frames(65_535).await;
    client.send(frame(HEADERS, END_STREAM | END_HEADERS, 1, &block)).await;
    loop {
        let Some(frame) = client.next().await else { return Taken::Gone };
        match frame.kind {
            HEADERS => return Taken::Status(status(&frame.payload)),
            RST_STREAM => return Taken::Reset,
            GOAWAY => return Taken::Gone,
            _ => {}
        }
    }
}

/// The status in a block of fields: an entry of the static table, or a literal without Huffman.
fn status(block: &[u8]) -> String {
    match block[0] {
        0x88 => "200".to_owned(),
        0x8c => "400".to_owned(),
        0x8d => "404".to_owned(),
        _ => format!("{:x?}", &block[..block.len().min(8)]),
    }
}

const REQUEST: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":authority", "a.test"), (":path", "/x")];

/// Each request is refused and the upstream receives nothing.
async fn check_refused(requests: &[Vec<(&str, &str)>]) {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "").await;
    assert_eq!(send(&gateway, &REQUEST).await, Taken::Status("200".to_owned()));
    let so_far = upstream.all();
    for fields in requests {
        let taken = send(&gateway, fields).await;
        let refused =
            matches!(taken, Taken::Reset | Taken::Gone) || taken == Taken::Status("400".to_owned());
        assert!(refused, "{fields:?}: {taken:?}");
        assert_eq!(upstream.all(), so_far, "{fields:?}");
    }
    gateway.stop().await;
}

fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [&REQUEST, more].concat()
}

#[tokio::test]
async fn fields_that_could_split_an_http1_head_are_refused() {
    check_refused(&[
        with(&[("x-a", "1\r\nx-b: 2")]),
        with(&[("x-a", "1\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: a")]),
        with(&[("x-a", "1\n2")]),
        with(&[("x-a", "1\0")]),
        with(&[("x-a\r\nx-b", "1")]),
        with(&[("x-a: 1\r\nx-b", "1")]),
        with(&[("x a", "1")]),
        with(&[("X-A", "1")]),
        with(&[("x:a", "1")]),
    ])
    .await;
}

#[tokio::test]
async fn fields_of_http1_connections_are_refused() {
    check_refused(&[
        with(&[("transfer-encoding", "chunked")]),
        with(&[("connection", "keep-alive")]),
        with(&[("keep-alive", "timeout=5")]),
        with(&[("proxy-connection", "close")]),
        with(&[("upgrade", "h2c")]),
        with(&[("te", "gzip")]),
        with(&[("content-length", "5")]),
        with(&[("content-length", "0"), ("content-length", "5")]),
    ])
    .await;
}

#[tokio::test]
async fn pseudo_fields_that_are_not_right_are_refused() {
    let replaced = |index: usize, pair: (&'static str, &'static str)| {
        let mut fields = REQUEST.to_vec();
        fields[index] = pair;
        fields
    };
    check_refused(&[
        replaced(3, (":path", "/x HTTP/1.1\r\nx-a: 1\r\n\r\n")),
        replaced(3, (":path", "/a b")),
        replaced(3, (":path", "x")),
        replaced(3, (":path", "")),
        replaced(0, (":method", "GET / HTTP/1.1\r\nx-a:")),
        replaced(0, (":method", "")),
        replaced(2, (":authority", "a\r\nx-a: 1")),
        replaced(2, (":authority", "user@a.test")),
        replaced(2, (":authority", "a.test/b")),
        with(&[("host", "other.test"), ("host", "another.test")]),
        with(&[(":path", "/y")]),
        with(&[("x-a", "1"), (":path", "/y")]),
        with(&[(":status", "200")]),
        with(&[(":unknown", "1")]),
        REQUEST[..3].to_vec(),
        REQUEST[1..].to_vec(),
    ])
    .await;
}

#[tokio::test]
async fn values_with_blanks_around_them_and_lengths_that_differ_are_refused() {
    check_refused(&[
        with(&[("x-a", " leading")]),
        with(&[("x-a", "trailing\t")]),
        with(&[("content-length", "0"), ("content-length", "1")]),
        with(&[("content-length", "0, 1")]),
    ])
    .await;
}

#[tokio::test]
async fn cookies_that_come_one_by_one_are_one_field() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "").await;
    let mut crumbs = vec![("cookie", "a=b"); 120];
    // An empty one is none.
    crumbs.extend([("cookie", ""), ("cookie", "c=d"), ("cookie", "")]);
    let taken = send(&gateway, &[&REQUEST[..], &crumbs].concat()).await;
    assert_eq!(taken, Taken::Status("200".to_owned()));
    assert!(upstream.all().contains("a=b; c=d\r\n"), "{}", upstream.all());
    gateway.stop().await;
}

#[tokio::test]
async fn a_host_beside_the_authority_does_not_go_on() {
    let upstream = Recorder::new().await;
    let gateway = before(&upstream, "").await;
    // RFC 9113 §8.3.1: it may be refused; else the authority counts.
    if send(&gateway, &with(&[("host", "other.test")])).await == Taken::Status("200".to_owned()) {
        assert!(upstream.all().to_lowercase().contains("host: a.test\r\n"), "{}", upstream.all());
        assert!(!upstream.all().contains("other.test"), "{}", upstream.all());
    }
    gateway.stop().await;
}
