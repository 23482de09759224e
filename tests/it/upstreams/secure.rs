//! TLS towards upstreams.

use tollgate_tests::{
    Gateway, Setup, Upstream,
    certs::{Authority, Certificate},
    tls,
};

/// A gateway before an upstream behind TLS.
async fn before(
    upstream: &Upstream,
    certificate: &Certificate,
    alpn: &[&str],
    authority: &Authority,
    more: &str,
) -> Gateway {
    let address = tls::terminate(upstream.address(), tls::server(certificate, alpn)).await;
    Setup::new(&format!(
        r#"
        workers: 1
        upstreams:
          u:
            endpoints: ["{address}"]
            {more}
        routes: [{{ name: all, match: {{ path: "/" }}, upstream: u }}]
        "#
    ))
    .file("ca.pem", authority.pem())
    .start()
    .await
}

#[tokio::test]
async fn an_upstream_is_spoken_to_over_tls_and_its_name_checked() {
    let authority = Authority::default();
    let certificate = authority.server(&["orders.test"]);
    let upstream = Upstream::text("here").await;
    let check = async |name: &str| {
        let more = format!("tls: {{ server_name: {name}, ca: ca.pem }}");
        let gateway = before(&upstream, &certificate, &[], &authority, &more).await;
        let reply = gateway.get("/", &[]).await;
        gateway.stop().await;
        reply
    };
    assert_eq!(check("orders.test").await.text(), "here");
    assert_eq!(check("bills.test").await.problem(), "502 upstream-unreachable");
}

#[tokio::test]
async fn an_authority_in_the_place_of_a_server_is_told_in_plain_words() {
    let authority = Authority::default();
    let upstream = Upstream::text("here").await;
    let more = "tls: { server_name: orders.test, ca: ca.pem }";
    let gateway = before(&upstream, &authority.itself(), &[], &authority, more).await;
    assert_eq!(gateway.get("/", &[]).await.problem(), "502 upstream-unreachable");
    gateway.logged(&["the certificate is one of an authority (CA:TRUE)"]).await;
    gateway.stop().await;
}

#[tokio::test]
async fn an_upstream_of_another_authority_is_not_believed() {
    let (authority, other) = (Authority::default(), Authority::default());
    let certificate = other.server(&["orders.test"]);
    let upstream = Upstream::text("here").await;
    let more = "tls: { server_name: orders.test, ca: ca.pem }";
    let gateway = before(&upstream, &certificate, &[], &authority, more).await;
    assert_eq!(gateway.get("/", &[]).await.problem(), "502 upstream-unreachable");
    assert_eq!(upstream.requests(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn alpn_decides_about_http2_where_it_may() {
    let authority = Authority::default();
    let certificate = authority.server(&["orders.test"]);
    let version = async |request: http::Request<hyper::body::Incoming>| {
        http::Response::new(tollgate_tests::client::full(format!("{:?}", request.version())))
    };
    let more = "protocol: auto\n            tls: { server_name: orders.test, ca: ca.pem }";
    for (alpn, expected) in [("h2", "HTTP/2.0"), ("http/1.1", "HTTP/1.1")] {
        let upstream = match alpn {
            "h2" => Upstream::http2(version).await,
            _ => Upstream::new(version).await,
        };
        let gateway = before(&upstream, &certificate, &[alpn], &authority, more).await;
        for _ in 0..3 {
            assert_eq!(gateway.get("/", &[]).await.text(), expected);
        }
        gateway.stop().await;
    }
}
