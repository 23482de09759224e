//! Who the client is, and which exchange this is.

use serde_json::Value;
use tollgate_tests::Upstream;

use super::before;

const TRUSTED: &str = "trusted_proxies: [127.0.0.0/8]";

const CLAIMS: [(&str, &str); 6] = [
    ("x-forwarded-for", "10.1.1.1"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "front.test"),
    ("forwarded", "for=10.1.1.1"),
    ("x-real-ip", "10.1.1.1"),
    ("x-forwarded-port", "443"),
];

fn lines(seen: &Value, name: &str) -> Value {
    seen["headers"][name].clone()
}

#[tokio::test]
async fn what_a_stranger_says_of_itself_is_replaced() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, "").await;
    let seen = gateway.get("/", &CLAIMS).await.json();
    assert_eq!(lines(&seen, "x-forwarded-for"), serde_json::json!(["127.0.0.1"]));
    assert_eq!(lines(&seen, "x-forwarded-proto"), serde_json::json!(["http"]));
    assert_eq!(lines(&seen, "x-forwarded-host"), serde_json::json!(["gateway.test"]));
    for name in ["forwarded", "x-real-ip", "x-forwarded-port"] {
        assert_eq!(lines(&seen, name), Value::Null, "{name}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn what_a_trusted_proxy_says_is_kept_and_appended_to() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, TRUSTED).await;
    let seen = gateway.get("/", &CLAIMS).await.json();
    assert_eq!(lines(&seen, "x-forwarded-for"), serde_json::json!(["10.1.1.1, 127.0.0.1"]));
    assert_eq!(lines(&seen, "x-forwarded-proto"), serde_json::json!(["https"]));
    assert_eq!(lines(&seen, "x-forwarded-host"), serde_json::json!(["front.test"]));
    gateway.stop().await;
}

#[tokio::test]
async fn via_names_this_hop_after_those_before_it_both_ways() {
    let upstream = Upstream::new(async |request| {
        let via = request.headers()["via"].clone();
        http::Response::builder()
            .header("via", "1.1 origin")
            .header("x-via", via)
            .body(tollgate_tests::client::full(""))
            .unwrap()
    })
    .await;
    let gateway = before(&upstream, "").await;
    let reply = gateway.get("/", &[("via", "1.0 front")]).await;
    assert_eq!(reply.header("x-via"), "1.0 front, 1.1 tollgate");
    assert_eq!(reply.header("via"), "1.1 origin, 1.1 tollgate");
    gateway.stop().await;
}

#[tokio::test]
async fn an_exchange_has_one_id_upstream_and_downstream() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, "").await;
    let one = gateway.get("/", &[("x-request-id", "forged")]).await;
    let two = gateway.get("/", &[]).await;
    let id = one.header("x-request-id");
    assert_eq!(lines(&one.json(), "x-request-id"), serde_json::json!([id]));
    assert!(!id.is_empty() && id != "forged" && id != two.header("x-request-id"), "{id}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_trusted_proxy_names_the_exchange_unless_the_name_is_bad() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, TRUSTED).await;
    let named = gateway.get("/", &[("x-request-id", "abc-123")]).await;
    assert_eq!(named.header("x-request-id"), "abc-123");
    let long = "a".repeat(5000);
    for bad in ["two words", "", long.as_str()] {
        let reply = gateway.get("/", &[("x-request-id", bad)]).await;
        assert_ne!(reply.header("x-request-id"), bad);
        assert!(!reply.header("x-request-id").is_empty());
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_trace_is_continued_and_one_is_begun_where_there_is_none() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, "").await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    for (given, continued) in
        [(Some(parent), true), (None, false), (Some("00-zz-1-01"), false), (Some(""), false)]
    {
        let headers: Vec<_> = given.iter().map(|given| ("traceparent", *given)).collect();
        let seen = gateway.get("/", &headers).await.json();
        let sent = seen["headers"]["traceparent"][0].as_str().unwrap().to_owned();
        let parts: Vec<_> = sent.split('-').collect();
        let lengths: Vec<_> = parts.iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [2, 32, 16, 2], "{sent}");
        assert_eq!(parts[1] == "0af7651916cd43dd8448eb211c80319c", continued, "{sent}");
        assert_eq!(seen["headers"]["traceparent"].as_array().unwrap().len(), 1);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_host_goes_on_as_it_came() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, "").await;
    let seen = gateway.get("/", &[("host", "Shop.Example:8080")]).await.json();
    assert_eq!(lines(&seen, "host"), serde_json::json!(["Shop.Example:8080"]));
    gateway.stop().await;
}
