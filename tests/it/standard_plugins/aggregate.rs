//! `aggregate`: several calls, one answer.

use std::sync::Arc;

use http::Response;
use tokio::sync::Barrier;
use tollgate_tests::{Gateway, Recorder, Setup, Upstream, client::full, recorder::Act};

/// `/home/{id}` joins `user`, `orders` and the optional `tips`.
async fn before(user: &str, orders: &str, tips: &str) -> Gateway {
    Setup::new(&format!(
        r#"
        workers: 1
        upstreams:
          user: {{ endpoints: ["{user}"] }}
          orders: {{ endpoints: ["{orders}"] }}
          tips: {{ endpoints: ["{tips}"] }}
        routes:
          - name: home
            match: {{ path: "/home/{{id}}" }}
            plugins:
              - component: aggregate
                grants: {{ upstreams: [user, orders, tips] }}
                config:
                  calls:
                    - {{ name: user, upstream: user, target: "/users/{{param:id}}", headers: [x-tenant] }}
                    - {{ name: orders, upstream: orders, target: /orders, pointer: /items }}
                    - {{ name: tips, upstream: tips, target: /tips, required: false, default: [], timeout: 1s }}
            respond: {{ status: 404 }}
        "#
    ))
    .plugin("aggregate")
    .start()
    .await
}

async fn json(text: &'static str) -> Upstream {
    Upstream::text(text).await
}

/// An address where nobody listens.
async fn nobody() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().to_string()
}

#[tokio::test]
async fn the_answers_of_calls_at_once_are_one_object_by_name() {
    let barrier = Arc::new(Barrier::new(3));
    let answer = move |request: http::Request<hyper::body::Incoming>| {
        let barrier = Arc::clone(&barrier);
        async move {
            barrier.wait().await;
            let tenant = request.headers().get("x-tenant").map(|value| value.to_str().unwrap());
            let other = request.headers().contains_key("cookie");
            let path = request.uri().path();
            Response::new(full(match path {
                "/orders" => r#"{ "items": [1, 12345678901234567890] }"#.to_owned(),
                "/tips" => "[\"tip\"]".to_owned(),
                _ => format!(
                    r#"{{ "path": "{path}", "tenant": "{}", "cookie": {other} }}"#,
                    tenant.unwrap_or("-")
                ),
            }))
        }
    };
    let upstream = Upstream::new(answer).await;
    let address = upstream.to_string();
    let gateway = before(&address, &address, &address).await;
    let fields = [("x-tenant", "t"), ("cookie", "secret=1")];
    let reply = gateway.get("/home/a%2Fb", &fields).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(reply.header("x-aggregate-partial"), "");
    let home = reply.json();
    assert_eq!(home["user"]["path"], "/users/a%2Fb");
    assert_eq!((&home["user"]["tenant"], &home["user"]["cookie"]), (&"t".into(), &false.into()));
    assert!(reply.text().contains("12345678901234567890"), "numbers keep their digits");
    assert_eq!(home["tips"], serde_json::json!(["tip"]));
    gateway.stop().await;
}

#[tokio::test]
async fn an_optional_call_that_fails_leaves_its_default_and_is_named() {
    let (user, orders) = (json("{}").await, json(r#"{ "items": [] }"#).await);
    let silent = Recorder::scripted(&[&[Act::Head]]).await;
    let failing =
        Upstream::new(async |_| Response::builder().status(500).body(full("{}")).unwrap()).await;
    let garbage = json("<html>").await;
    for tips in [nobody().await, silent.to_string(), failing.to_string(), garbage.to_string()] {
        let gateway = before(&user.to_string(), &orders.to_string(), &tips).await;
        let reply = gateway.get("/home/1", &[]).await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        assert_eq!(reply.json()["tips"], serde_json::json!([]));
        assert_eq!(reply.header("x-aggregate-partial"), "tips");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_required_call_that_fails_is_a_problem_that_names_it() {
    let (user, tips) = (json("{}").await, json("[]").await);
    let gateway = before(&user.to_string(), &nobody().await, &tips.to_string()).await;
    let reply = gateway.get("/home/1", &[]).await;
    assert_eq!(reply.status, 502);
    assert!(reply.problem().starts_with("502 upstream"), "{}", reply.text());
    assert!(reply.json()["detail"].as_str().unwrap().contains("orders"), "{}", reply.text());
    assert!(!reply.text().contains("127.0.0.1"), "{}", reply.text());
    gateway.stop().await;
}

#[tokio::test]
async fn of_calls_that_fail_only_so_many_are_told_and_the_others_are_counted() {
    const TIMES: u64 = 60;
    let (user, orders, tips) = (nobody().await, json("{ \"items\": [] }").await, json("[]").await);
    let gateway = before(&user, &orders.to_string(), &tips.to_string()).await;
    for _ in 0..TIMES {
        assert_eq!(gateway.get("/home/7", &[]).await.status, 502);
    }
    gateway.tells_few(TIMES, "a call failed", "more failures of a plugin, not told").await;
    gateway.stop().await;
}
