//! Requests of components' own.

use tollgate_tests::{Recorder, Upstream, client::request_with};

use super::proxy;
use crate::bodies::channel;

fn two(u: &Upstream, other: &Upstream) -> String {
    format!(
        r#"u: {{ endpoints: ["{u}"] }}, other: {{ endpoints: ["{other}"] }}, down: {{ endpoints: ["127.0.0.1:1"] }}"#
    )
}

const GRANTED: &str = "grants: { upstreams: [u, down] }";

#[tokio::test]
async fn a_component_reaches_granted_upstreams_and_nothing_else() {
    let (u, other) = (Upstream::text("here").await, Upstream::text("elsewhere").await);
    let gateway = proxy(&two(&u, &other), GRANTED).await;
    for (url, expected) in [
        ("http://u/x", "200 here"),
        ("https://u/x", "200 here"),
        ("u/x", "200 here"),
        (&format!("http://{u}/x"), "200 here"),
        (&format!("https://{u}/x"), "HttpRequestDenied"),
        ("http://other/x", "HttpRequestDenied"),
        (&format!("http://{other}/x"), "HttpRequestDenied"),
        ("http://u.example/x", "HttpRequestDenied"),
        ("http://127.0.0.1/x", "HttpRequestDenied"),
        (&format!("http://me@{u}/x"), "HttpRequestDenied"),
        ("http://down/x", "ConnectionRefused"),
        ("TRACE!http://u/x", "HttpRequestMethodInvalid"),
    ] {
        let reply = gateway.get(&format!("/fetch?{url}"), &[]).await;
        assert_eq!(reply.text(), expected, "{url}");
    }
    assert_eq!((u.requests(), other.requests()), (4, 0));
    gateway.stop().await;
}

#[tokio::test]
async fn without_grants_every_request_is_denied() {
    let (u, other) = (Upstream::text("").await, Upstream::text("").await);
    let gateway = proxy(&two(&u, &other), "").await;
    assert_eq!(gateway.get("/fetch?http://u/", &[]).await.text(), "HttpRequestDenied");
    assert_eq!(u.requests(), 0);
    gateway.logged(&["a plugin lacks a grant", "upstreams", "\"u\""]).await;
    gateway.stop().await;
}

#[tokio::test]
async fn requests_above_the_limit_are_not_made() {
    let (u, other) = (Upstream::text("here").await, Upstream::text("").await);
    let table = "grants: { upstreams: [u] }, limits: { calls: 2 }";
    let gateway = proxy(&two(&u, &other), table).await;
    let reply = gateway.get("/fetch?http://u/1|http://u/2|http://u/3", &[]).await.text();
    assert_eq!(reply, "200 here\n200 here\nConnectionLimitReached");
    assert_eq!(u.requests(), 2);
    gateway.logged(&["a plugin has reached a limit", "calls", "proxy"]).await;
    assert_eq!(gateway.get("/fetch?http://u/4", &[]).await.text(), "200 here");
    gateway.stop().await;
}

#[tokio::test]
async fn a_request_of_a_component_is_a_part_of_the_exchange() {
    let recorder = Recorder::new().await;
    let upstreams = format!(r#"u: {{ endpoints: ["{recorder}"] }}"#);
    let gateway = proxy(&upstreams, GRANTED.replace(", down", "").as_str()).await;
    let reply = gateway.get("/fetch?http://u/path?q=1", &[]).await;
    assert_eq!(reply.text(), "200 ok");
    let id = reply.header("x-request-id");
    let sent = recorder.all().to_lowercase();
    for part in [
        "get /path?q=1 http/1.1\r\n",
        &format!("host: {recorder}\r\n"),
        &format!("x-request-id: {id}\r\n"),
        "traceparent: ",
        "te: trailers\r\n",
    ] {
        assert!(sent.contains(part), "{part} is missing:\n{sent}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_goes_to_an_upstream_while_it_comes() {
    let u = Upstream::echo().await;
    let other = Upstream::text("").await;
    let gateway = proxy(&two(&u, &other), GRANTED).await;
    let (sender, body) = channel();
    let mut connection = gateway.connect().await;
    let sending = connection.begin(request_with("POST", "/forward?http://u/to", &[], body));
    let pieces = async {
        for piece in ["one ", "two ", "three"] {
            sender.send(piece).unwrap();
        }
        drop(sender);
    };
    let (response, ()) = tokio::join!(sending, pieces);
    let seen = tollgate_tests::Reply::read(response).await.unwrap().json();
    assert_eq!(seen["body"], "one two three");
    assert_eq!((seen["method"].as_str(), seen["target"].as_str()), (Some("POST"), Some("/to")));
    drop(connection);
    gateway.stop().await;
}
