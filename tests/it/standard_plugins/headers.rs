//! `headers`: fields of requests and responses.

use tollgate_tests::{
    Setup, Upstream,
    client::{full, request},
    upstream::echo,
};

use super::before;

#[tokio::test]
async fn requests_are_changed_before_the_upstream_sees_them() {
    let upstream = Upstream::echo().await;
    let config = r#"{ request: { remove: [x-gone], rename: { x-old: x-new }, set: { x-set: "{method} {path}" }, append: { x-more: two } } }"#;
    let gateway = before(&upstream, "headers", config).await;
    let fields = [
        ("x-gone", "1"),
        ("x-old", "moved"),
        ("x-set", "forged"),
        ("X_SET", "forged"),
        ("x-more", "one"),
    ];
    let seen = gateway.get("/a", &fields).await.json();
    let headers = &seen["headers"];
    assert!(
        headers["x-gone"].is_null() && headers["x-old"].is_null() && headers["x_set"].is_null()
    );
    assert_eq!(headers["x-new"], serde_json::json!(["moved"]));
    assert_eq!(headers["x-set"], serde_json::json!(["GET /a"]));
    assert_eq!(headers["x-more"], serde_json::json!(["one", "two"]));
    gateway.stop().await;
}

#[tokio::test]
async fn responses_are_changed_before_the_client_sees_them() {
    let upstream = Upstream::new(async |_| {
        let response = http::Response::builder().header("server", "old").header("x-old", "moved");
        response.body(full("body")).unwrap()
    })
    .await;
    let config = "{ response: { remove: [server], rename: { x-old: x-new }, set: { x-set: '1' }, append: { vary: origin } } }";
    let gateway = before(&upstream, "headers", config).await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!((reply.header("server"), reply.header("x-old")), (String::new(), String::new()));
    assert_eq!((reply.header("x-new").as_str(), reply.header("x-set").as_str()), ("moved", "1"));
    assert_eq!((reply.header("vary").as_str(), reply.text().as_str()), ("origin", "body"));
    gateway.stop().await;
}

#[tokio::test]
async fn five_in_a_row_all_do_their_part() {
    let upstream = Upstream::echo().await;
    let uses: Vec<_> = (0..5)
        .map(|number| {
            format!("{{ component: headers, config: {{ request: {{ append: {{ x-n: '{number}' }} }}, response: {{ append: {{ x-n: '{number}' }} }} }} }}")
        })
        .collect();
    let gateway = Setup::new(&format!(
        r#"
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes: [{{ name: all, match: {{ path: / }}, upstream: u, plugins: [{}] }}]
        "#,
        uses.join(", ")
    ))
    .plugin("headers")
    .start()
    .await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!(reply.json()["headers"]["x-n"], serde_json::json!(["0", "1", "2", "3", "4"]));
    assert_eq!(reply.header("x-n"), "4, 3, 2, 1, 0");
    gateway.stop().await;
}

#[tokio::test]
async fn blanks_around_a_value_go_to_nobody_over_http2() {
    let upstream = Upstream::http2(echo).await;
    let changes = r#"{ set: { x-a: "{query:q}" } }"#;
    let gateway = Setup::new(&format!(
        r#"
        upstreams: {{ u: {{ endpoints: ["{upstream}"], protocol: http2 }} }}
        plugins: {{ h: {{ component: headers, config: {{ request: {changes}, response: {changes} }} }} }}
        routes: [{{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: u, plugins: [h] }}]
        "#
    ))
    .plugin("headers")
    .start()
    .await;
    let mut connection = gateway.connect_http2().await;
    // RFC 9113 §8.2.1: a peer may end the whole connection for it, and other exchanges with it.
    let reply = connection.send(request("GET", "/?q=%20a%20b%09", &[], "")).await;
    assert_eq!(reply.header("x-a"), "a b");
    assert_eq!(reply.json()["headers"]["x-a"], serde_json::json!(["a b"]));
    drop(connection);
    gateway.stop().await;
}
