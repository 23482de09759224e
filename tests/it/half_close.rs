//! HTTP/1.1 clients that end their sending side before they have their answer.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::client::TlsStream;
use tollgate_tests::{
    Gateway, RawClient, Setup, Upstream, certs::Authority, raw::status, tls::Dial, wait,
};

const REQUEST: &str = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";

/// A gateway with a listener that has `half_close` so, in cleartext and by TLS, before an upstream.
async fn before(upstream: &Upstream, half_close: bool, authority: &Authority) -> Gateway {
    let certificate = authority.server(&["gateway.test"]);
    Setup::new(&format!(
        r#"
        workers: 1
        listeners:
          - {{ address: 127.0.0.1:0, half_close: {half_close} }}
          - address: 127.0.0.1:0
            half_close: {half_close}
            tls: {{ certificates: [{{ certificate: a.pem, key: a.key }}] }}
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes: [{{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u }}]
        telemetry: {{ access_log: {{}} }}
        "#
    ))
    .file("a.pem", &certificate.pem)
    .file("a.key", &certificate.key)
    .start()
    .await
}

/// A client in cleartext and one by TLS, whose requests wait for the upstream.
struct Asking {
    gateway: Gateway,
    client: RawClient,
    secure: TlsStream<TcpStream>,
}

/// Both have sent `bytes`, with one request or more.
async fn ask(upstream: &Upstream, half_close: bool, bytes: &str) -> Asking {
    let authority = Authority::default();
    let gateway = before(upstream, half_close, &authority).await;
    let mut client = gateway.raw().await;
    client.send(bytes).await;
    let dial = Dial::new(&authority, "gateway.test");
    let mut secure = dial.connect(gateway.listener(1)).await.unwrap();
    secure.write_all(bytes.as_bytes()).await.unwrap();
    wait::until("two requests", async || (upstream.requests() == 2).then_some(())).await;
    Asking { gateway, client, secure }
}

impl Asking {
    /// Both end their sending side.
    async fn end(&mut self) {
        self.client.end().await;
        self.secure.shutdown().await.unwrap();
    }

    /// Both reset their connections.
    fn reset(self) -> Gateway {
        for stream in [self.client.into_stream(), self.secure.into_inner().0] {
            stream.set_zero_linger().unwrap();
        }
        self.gateway
    }
}

/// Both clients have left, and so says the access log; the upstream is let go.
async fn tells_of_gone(gateway: &Gateway, upstream: &Upstream) {
    // What is refused has a line, too.
    let of_upstream = |line: &&str| !line.contains("\"status\":405,");
    wait::until("a line for each client", async || {
        (gateway.output().lines().filter(of_upstream).count() == 2).then_some(())
    })
    .await;
    for line in gateway.output().lines().filter(of_upstream) {
        assert!(line.contains("\"status\":499,") && line.contains("the client left"), "{line}");
    }
    wait::until("the upstream is let go", async || (upstream.open() == 0).then_some(())).await;
}

#[tokio::test]
async fn a_client_that_sends_no_more_gets_its_answer_where_it_may() {
    let (upstream, release) = Upstream::held().await;
    let mut asking = ask(&upstream, true, REQUEST).await;
    asking.end().await;
    let Asking { gateway, mut client, mut secure } = asking;
    release.notify_waiters();
    // Until the gateway closes, since nothing more can come.
    let reply = client.rest().await;
    assert!(status(&reply) == 200 && reply.ends_with("late"), "{reply}");
    let mut reply = String::new();
    wait::within("the end", secure.read_to_string(&mut reply)).await.unwrap();
    assert!(status(&reply) == 200 && reply.ends_with("late"), "{reply}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_sends_no_more_has_left_unless_it_may() {
    let (upstream, _release) = Upstream::held().await;
    let mut asking = ask(&upstream, false, REQUEST).await;
    asking.end().await;
    let Asking { gateway, mut client, mut secure } = asking;
    assert_eq!(client.rest().await, "");
    let mut reply = String::new();
    // It ends without a farewell, which is an error to the client.
    let _ = wait::within("the end", secure.read_to_string(&mut reply)).await;
    assert_eq!(reply, "");
    tells_of_gone(&gateway, &upstream).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_is_noticed_though_more_bytes_came_behind_its_request() {
    for behind in ["\r\n", REQUEST] {
        let (upstream, _release) = Upstream::held().await;
        let mut asking = ask(&upstream, false, &format!("{REQUEST}{behind}")).await;
        asking.end().await;
        tells_of_gone(&asking.gateway, &upstream).await;
        asking.gateway.stop().await;
    }
}

#[tokio::test]
async fn a_client_that_resets_is_noticed_though_more_bytes_came_behind_its_request() {
    for half_close in [false, true] {
        let (upstream, _release) = Upstream::held().await;
        let gateway = ask(&upstream, half_close, &format!("{REQUEST}\r\n")).await.reset();
        tells_of_gone(&gateway, &upstream).await;
        gateway.stop().await;
    }
}

#[tokio::test]
async fn requests_behind_each_other_are_answered_in_their_order() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, false, &Authority::default()).await;
    let mut client = gateway.raw().await;
    let second = REQUEST.replace("GET /", "GET /second");
    client.send(format!("{REQUEST}{second}\r\n{REQUEST}")).await;
    for second in [false, true, false] {
        let reply = client.response().await;
        assert!(status(&reply) == 200 && reply.contains("/second") == second, "{reply}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn requests_in_a_row_and_bodies_are_answered_to_a_client_that_sends_no_more() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, true, &Authority::default()).await;
    let mut client = gateway.raw().await;
    let post = "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody";
    client.send(format!("{REQUEST}{post}")).await;
    client.end().await;
    assert_eq!(status(&client.response().await), 200);
    let reply = client.rest().await;
    assert!(status(&reply) == 200 && reply.contains(r#""body":"body""#), "{reply}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_ends_early_is_no_body_though_a_client_may_send_no_more() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, true, &Authority::default()).await;
    let mut client = gateway.raw().await;
    client.send("POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9\r\n\r\nbody").await;
    client.end().await;
    let reply = client.rest().await;
    assert!(status(&reply) == 400 && reply.contains("bad-request"), "{reply}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_resets_its_connection_has_left_though_it_may_send_no_more() {
    let (upstream, _release) = Upstream::held().await;
    let gateway = ask(&upstream, true, REQUEST).await.reset();
    tells_of_gone(&gateway, &upstream).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_resets_its_connection_after_its_end_has_left() {
    let (upstream, _release) = Upstream::held().await;
    let mut asking = ask(&upstream, true, REQUEST).await;
    asking.end().await;
    // Both ends have come by when a later request is answered on the same worker.
    let refused = "TRACE / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert_eq!(status(&asking.gateway.raw_exchange(refused).await), 405);
    let gateway = asking.reset();
    tells_of_gone(&gateway, &upstream).await;
    gateway.stop().await;
}
