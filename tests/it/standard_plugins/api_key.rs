//! `api-key`: keys that open a route.

use tollgate_tests::Upstream;

use super::before;

/// The key `demo-key-of-acme` by its digest.
const CONFIG: &str = "{ keys: [{ consumer: acme, sha256: dc81b088d47dee432ace4a498915448892259b74b2c58b812bbdd356badfb103, metadata: { plan: gold } }], headers: { x-partner: consumer, x-plan: metadata.plan } }";

#[tokio::test]
async fn a_known_key_opens_the_route_and_ends_at_the_gateway() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, "api-key", CONFIG).await;
    let fields = [("x-api-key", "demo-key-of-acme"), ("x-partner", "forged"), ("x_plan", "forged")];
    let seen = gateway.get("/", &fields).await.json();
    assert_eq!(seen["headers"]["x-partner"], serde_json::json!(["acme"]));
    assert_eq!(seen["headers"]["x-plan"], serde_json::json!(["gold"]));
    assert!(seen["headers"]["x-api-key"].is_null() && seen["headers"]["x_plan"].is_null());
    gateway.stop().await;
}

#[tokio::test]
async fn every_other_key_is_a_401_problem() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, "api-key", CONFIG).await;
    let key = ("x-api-key", "demo-key-of-acme");
    for fields in [
        &[][..],
        &[("x-api-key", "")],
        &[("x-api-key", "demo-key-of-acm")],
        &[("x-api-key", "DEMO-KEY-OF-ACME")],
        &[key, key],
        &[("authorization", "demo-key-of-acme")],
    ] {
        let reply = gateway.get("/?api_key=demo-key-of-acme", fields).await;
        assert_eq!(reply.problem(), "401 unauthorized", "{fields:?}");
        assert!(!reply.header("www-authenticate").is_empty(), "{fields:?}");
    }
    assert_eq!(upstream.requests(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn an_expired_key_opens_nothing() {
    let upstream = Upstream::echo().await;
    let config = CONFIG.replace("consumer: acme", "consumer: acme, expires: '2020-01-01'");
    let gateway = before(&upstream, "api-key", &config).await;
    let reply = gateway.get("/", &[("x-api-key", "demo-key-of-acme")]).await;
    assert_eq!(reply.problem(), "401 unauthorized");
    gateway.stop().await;
}

#[tokio::test]
async fn a_key_is_never_logged() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, "api-key", CONFIG).await;
    gateway.get("/", &[("x-api-key", "demo-key-of-acme")]).await;
    gateway.get("/", &[("x-api-key", "a-wrong-and-secret-key")]).await;
    gateway.signal(libc::SIGTERM);
    let (_, log) = gateway.ended().await;
    assert!(!log.contains("demo-key-of-acme") && !log.contains("a-wrong-and-secret-key"), "{log}");
}
