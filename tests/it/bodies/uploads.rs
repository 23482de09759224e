//! Request bodies that outlive their response.

use std::{
    io::ErrorKind,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tollgate_tests::{Gateway, raw::status, wait};

use super::{before, pieces};

/// The connection on which an upload comes to its upstream, and what has come up to `end`.
async fn upload(listener: &TcpListener, end: &[u8]) -> (TcpStream, Vec<u8>) {
    let (mut upstream, _) = listener.accept().await.unwrap();
    let mut received = Vec::new();
    while !received.ends_with(end) {
        assert_ne!(upstream.read_buf(&mut received).await.unwrap(), 0);
    }
    (upstream, received)
}

#[tokio::test]
async fn an_upload_goes_on_after_its_response_for_longer_than_a_head_may_take() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = before(&listener.local_addr().unwrap(), "header_timeout: 1s").await;
    let mut client = gateway.raw().await;
    client.send("POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 30\r\n\r\n0123456789").await;
    let (mut upstream, mut received) = upload(&listener, b"0123456789").await;
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\ntaken").await.unwrap();
    let response = client.response().await;
    assert!(response.ends_with("taken"), "{response}");

    // Another client shows that the time for a head is up.
    let refused = gateway.raw_exchange("GET / HT").await;
    assert_eq!(status(&refused), 408, "{refused}");

    client.send("01234567890123456789").await;
    while !received.ends_with(b"012345678901234567890123456789") {
        let read = wait::within("the upload's end", upstream.read_buf(&mut received)).await;
        assert_ne!(read.unwrap(), 0, "it was cut off");
    }
    client.send("GET /ping HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(client.response().await.ends_with("pong"));
    gateway.stop().await;
}

#[tokio::test]
async fn an_upload_whose_client_leaves_is_reset_at_its_upstream() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = before(&listener.local_addr().unwrap(), "header_timeout: 1s").await;
    let mut client = gateway.raw().await;
    client.send("POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 30\r\n\r\n0123456789").await;
    let (mut upstream, mut received) = upload(&listener, b"0123456789").await;
    drop(client);
    // An end would look like that of a client that is done.
    let ended = wait::within("the connection's end", upstream.read_buf(&mut received)).await;
    assert_eq!(ended.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
    gateway.stop().await;
}

#[tokio::test]
async fn an_answer_before_the_end_of_an_upload_comes_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = before(&listener.local_addr().unwrap(), "header_timeout: 1s").await;
    // Little of an answer fits into its buffer: the rest is lost with a reset.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = socket.connect(gateway.address()).await.unwrap();
    let head = b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 100000\r\n\r\n";
    client.write_all(head).await.unwrap();
    let (mut upstream, mut received) = upload(&listener, b"\r\n\r\n").await;
    let head =
        "HTTP/1.1 413 Content Too Large\r\nconnection: close\r\ncontent-length: 60000\r\n\r\n";
    upstream.write_all(head.as_bytes()).await.unwrap();
    upstream.write_all(&[b'x'; 60000]).await.unwrap();
    upstream.shutdown().await.unwrap();
    // The gateway lets go of both once its answer is on its way.
    let ended = wait::within("the connection's end", upstream.read_to_end(&mut received)).await;
    assert_eq!(ended.map_err(|error| error.kind()), Err(ErrorKind::ConnectionReset));
    for _ in 0..10 {
        client.write_all(&[b'y'; 10000]).await.expect("the client may go on sending");
    }
    let mut answer = Vec::new();
    wait::within("the answer", client.read_to_end(&mut answer)).await.expect("its end");
    assert!(answer.starts_with(b"HTTP/1.1 413 "));
    assert!(answer.ends_with(&[b'x'; 60000]), "{} bytes", answer.len());
    gateway.stop().await;
}

#[tokio::test]
async fn an_answer_is_there_though_its_upstream_takes_no_more_and_closes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = before(&listener.local_addr().unwrap(), "header_timeout: 1s").await;
    let refuse = async {
        loop {
            let (mut upstream, _) = upload(&listener, b"y").await;
            let answer = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 5\r\n\r\nlarge";
            upstream.write_all(answer).await.unwrap();
        }
    };
    // Whether the answer or the end is met first differs from one time to the next.
    let ask = async {
        for _ in 0..50 {
            let mut client = TcpStream::connect(gateway.address()).await.unwrap();
            let head = b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 10000000\r\n\r\n";
            client.write_all(head).await.unwrap();
            let (mut reading, mut writing) = client.split();
            let send = async {
                let piece = [b'y'; 10000];
                while writing.write_all(&piece).await.is_ok() {}
            };
            let mut answer = [0; 12];
            tokio::select! {
                biased;
                read = reading.read_exact(&mut answer) => drop(read.unwrap()),
                () = send => panic!("the connection ended without an answer"),
            }
            assert_eq!(String::from_utf8_lossy(&answer), "HTTP/1.1 413");
        }
    };
    tokio::select! {
        () = wait::within("all answers", ask) => {}
        () = refuse => {}
    }
    gateway.stop().await;
}

#[tokio::test]
async fn an_http2_upload_that_is_answered_early_is_read_to_its_end() {
    let gateway = before(&"127.0.0.1:9", "body_idle: 10s").await;
    let mut connection = gateway.connect_http2().await;
    let taken = Arc::new(AtomicUsize::new(0));
    let upload = http::Request::post("/ping").body(pieces(200, Arc::clone(&taken))).unwrap();
    let response = connection.begin(upload).await;
    let answer = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(answer, "pong");
    // A reset in its place would end the upload, and with some clients the answer.
    let is_taken = async || (taken.load(SeqCst) == 200 * 64 * 1024).then_some(());
    wait::until("the whole upload", is_taken).await;
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn an_upload_that_goes_on_keeps_the_response_that_has_begun() {
    let idle = Duration::from_secs(1);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gateway = Gateway::start(&format!(
        r#"
        upstreams: {{ u: {{ endpoints: ["{}"], timeouts: {{ idle: {idle:?} }} }} }}
        routes: [{{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u }}]
        "#,
        listener.local_addr().unwrap()
    ))
    .await;
    let mut client = gateway.raw().await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n").await;
    let (mut upstream, _) = upload(&listener, b"x\r\n").await;
    upstream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n").await.unwrap();
    assert_eq!(status(&client.head().await), 200);
    let begun = Instant::now();
    let mut received = Vec::new();
    // The upstream says nothing for longer than it may, and takes piece after piece.
    while begun.elapsed() < idle * 3 / 2 {
        client.send("1\r\ny\r\n").await;
        let read = wait::within("the piece", upstream.read_buf(&mut received)).await;
        assert_ne!(read.unwrap(), 0, "it was cut off after {:?}", begun.elapsed());
    }
    client.send("0\r\n\r\n").await;
    upstream.write_all(b"done").await.unwrap();
    assert_eq!(client.exactly(4).await, b"done");
    gateway.stop().await;
}
