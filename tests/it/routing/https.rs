//! Listeners that send their clients to https.

use tollgate_tests::{
    Gateway,
    client::{get, request, send},
};

const ROUTES: &str = "trusted_proxies: [127.0.0.1]
routes: [{ name: all, match: { path: \"/{*rest}\" }, respond: { body: here } }]";

/// A gateway whose first listener does `how` and whose second one serves.
async fn redirecting(how: &str) -> Gateway {
    Gateway::start(&format!(
        "listeners:
  - {{ address: 127.0.0.1:0, redirect_to_https: {how} }}
  - {{ address: 127.0.0.1:0 }}
{ROUTES}"
    ))
    .await
}

#[tokio::test]
async fn host_path_and_query_are_kept_and_the_port_is_not() {
    let gateway = redirecting("true").await;
    for (host, path, location) in [
        ("a.test", "/", "https://a.test/"),
        ("a.test:8080", "/b/c%20d?e=f&g", "https://a.test/b/c%20d?e=f&g"),
        ("[::1]:8080", "/?q", "https://[::1]/?q"),
        ("a.test", "/.well-known/acme-challenge/x", "https://a.test/.well-known/acme-challenge/x"),
        ("a.test", "//evil.test", "https://a.test//evil.test"),
    ] {
        let reply = gateway.get(path, &[("host", host)]).await;
        assert_eq!((reply.status, reply.header("location").as_str()), (308, location));
        assert!(!reply.header("x-request-id").is_empty());
    }
    let posted = gateway.post("/form", &[("host", "a.test")], "a=b").await;
    assert_eq!((posted.status, posted.header("location").as_str()), (308, "https://a.test/form"));
    let other = get(gateway.listener(1), "/", &[("host", "a.test")]).await;
    assert_eq!(other.text(), "here");
    gateway.stop().await;
}

#[tokio::test]
async fn port_and_status_can_be_set() {
    let gateway = redirecting("{ port: 8443, status: 301 }").await;
    let reply = gateway.get("/x", &[("host", "a.test:8080")]).await;
    assert_eq!((reply.status, reply.header("location").as_str()), (301, "https://a.test:8443/x"));
    gateway.stop().await;
}

#[tokio::test]
async fn http2_clients_are_sent_there_too() {
    let gateway = redirecting("true").await;
    let mut connection = gateway.connect_http2().await;
    let reply = connection.send(request("GET", "/x", &[("host", "a.test:80")], "")).await;
    assert_eq!((reply.status, reply.header("location").as_str()), (308, "https://a.test/x"));
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn a_host_that_is_none_is_refused_and_not_sent_anywhere() {
    let gateway = redirecting("true").await;
    for host in ["", ":80", "a.test/b", "user@a.test", "a.test, b.test"] {
        let reply = gateway.get("/", &[("host", host)]).await;
        assert_eq!(reply.problem(), "400 bad-request", "{host:?}");
    }
    let old = gateway.raw_exchange("GET / HTTP/1.0\r\n\r\n").await;
    assert!(old.contains(" 400 "), "{old}");
    gateway.stop().await;
}

#[tokio::test]
async fn who_came_by_https_to_a_trusted_proxy_is_served() {
    let gateway = redirecting("true").await;
    let fields = [("host", "a.test"), ("x-forwarded-proto", "https")];
    assert_eq!(gateway.get("/", &fields).await.text(), "here");
    gateway.write_config(&format!(
        "listeners:
  - {{ address: 127.0.0.1:0, redirect_to_https: true }}
  - {{ address: 127.0.0.1:0 }}
{}",
        ROUTES.replace("trusted_proxies: [127.0.0.1]", "trusted_proxies: []")
    ));
    gateway.reload_well().await;
    assert_eq!(gateway.get("/", &fields).await.status, 308);
    gateway.stop().await;
}

#[tokio::test]
async fn it_is_turned_on_and_off_by_a_reload() {
    let gateway = redirecting("false").await;
    let ask =
        async || send(gateway.address(), request("GET", "/", &[("host", "a.test")], "")).await;
    assert_eq!(ask().await.status, 200);
    gateway.write_config(&format!(
        "listeners: [{{ address: 127.0.0.1:0, redirect_to_https: true }}, {{ address: 127.0.0.1:0 }}]\n{ROUTES}"
    ));
    gateway.reload_well().await;
    assert_eq!(ask().await.status, 308);
    gateway.stop().await;
}
