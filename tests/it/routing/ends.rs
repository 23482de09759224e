//! Redirects, fixed responses, and targets that are rewritten on the way up.

use tollgate_tests::{
    Gateway, Upstream,
    frames::{END_HEADERS, END_STREAM, HEADERS, field, frame},
    raw::status,
};

#[tokio::test]
async fn a_redirect_puts_parameters_into_its_location() {
    let gateway = Gateway::start(
        r#"
        routes:
          - name: old
            match: { path: "/old/{*rest}" }
            redirect: { status: 308, location: "/orders/{rest}" }
          - name: away
            match: { path: "/away/{id}" }
            redirect: { location: "https://example.com/{id}" }
        "#,
    )
    .await;
    let old = gateway.get("/old/1/items", &[]).await;
    assert_eq!((old.status, old.header("location").as_str()), (308, "/orders/1/items"));
    let away = gateway.get("/away/a%2Fb%20c", &[]).await;
    assert_eq!(
        (away.status, away.header("location").as_str()),
        (307, "https://example.com/a%2Fb%20c")
    );
    gateway.stop().await;
}

#[tokio::test]
async fn a_redirect_cannot_be_steered_to_another_host() {
    let gateway = Gateway::start(
        r#"
        routes:
          - name: old
            match: { path: "/old/{*rest}" }
            redirect: { location: "/{rest}" }
        "#,
    )
    .await;
    // `//evil.test` would be another host to a browser (RFC 3986 §4.2).
    let reply = gateway.get("/old//evil.test", &[]).await;
    assert!(!reply.header("location").starts_with("//"), "{}", reply.header("location"));
    gateway.stop().await;
}

#[tokio::test]
async fn a_fixed_response_is_given_as_configured() {
    let gateway = Gateway::start(
        r#"
        routes:
          - name: teapot
            match: { path: /teapot }
            respond:
              status: 418
              body: short and stout
              headers: { content-type: text/plain, x-kind: pot }
        "#,
    )
    .await;
    let reply = gateway.get("/teapot", &[]).await;
    assert_eq!((reply.status, reply.text().as_str()), (418, "short and stout"));
    assert_eq!(reply.header("content-type"), "text/plain");
    assert_eq!(reply.header("x-kind"), "pot");
    assert!(!reply.header("x-request-id").is_empty());
    gateway.stop().await;
}

#[tokio::test]
async fn a_rewrite_changes_path_and_host_and_keeps_the_query() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&format!(
        r#"
        upstreams: {{ echo: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - name: rewritten
            match: {{ path: "/orders/{{id}}/{{*rest}}" }}
            upstream: echo
            rewrite: {{ path: "/v1/{{rest}}/of/{{id}}", host: orders.internal }}
          - name: stripped
            match: {{ path: "/api/{{*rest}}" }}
            upstream: echo
            strip_prefix: /api
          - name: bare
            match: {{ path: "/bare/{{*rest}}" }}
            upstream: echo
            rewrite: {{ path: "/{{rest}}" }}
        "#
    ))
    .await;

    let rewritten = gateway.get("/orders/a%2Fb/items/1?x=1&y", &[]).await.json();
    assert_eq!(rewritten["target"], "/v1/items/1/of/a%2Fb?x=1&y");
    assert_eq!(rewritten["headers"]["host"][0], "orders.internal");
    assert_eq!(rewritten["headers"]["x-forwarded-host"][0], "gateway.test");

    for (sent, received) in [
        ("/api/users?x=1", "/users?x=1"),
        ("/api", "/"),
        ("/api/", "/"),
        ("/api/a%2Fb", "/a%2Fb"),
        // Merged, it would be what another route may protect.
        ("/api//users", "//users"),
        ("/bare//users", "//users"),
    ] {
        let seen = gateway.get(sent, &[]).await.json();
        assert_eq!(seen["target"], received, "{sent}");
        assert_eq!(seen["headers"]["host"][0], "gateway.test");
    }
    gateway.stop().await;
}

/// The methods that routes may serve.
const SERVED: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

#[tokio::test]
async fn a_question_about_the_server_as_a_whole_is_answered_without_a_route() {
    // Nor is it sent to https, where it would be another question.
    let gateway = Gateway::start(
        r#"
        listeners: [{ address: "127.0.0.1:0", redirect_to_https: true }]
        routes: [{ name: all, match: { path: "/{*rest}" }, respond: { body: here } }]
        "#,
    )
    .await;
    let end = "HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let reply = gateway.raw_exchange(format!("OPTIONS * {end}")).await;
    assert_eq!(status(&reply), 204, "{reply}");
    assert!(reply.contains(&format!("\r\nallow: {SERVED}\r\n")), "{reply}");
    for other in ["GET *", "POST *", "OPTIONS *a"] {
        let reply = gateway.raw_exchange(format!("{other} {end}")).await;
        assert_eq!(status(&reply), 400, "{other}: {reply}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_question_about_the_server_as_a_whole_is_answered_over_http2_too() {
    let gateway = Gateway::start("routes: []").await;
    for (stream, method, expected) in [(1, "OPTIONS", "204"), (3, "GET", "400")] {
        let fields =
            [(":method", method), (":scheme", "http"), (":authority", "a.test"), (":path", "*")];
        let head: Vec<_> = fields.into_iter().flat_map(|(n, value)| field(n, value)).collect();
        let mut client = gateway.frames(65_535).await;
        client.send(frame(HEADERS, END_STREAM | END_HEADERS, stream, &head)).await;
        let reply = client.until(HEADERS).await;
        assert_eq!(status_of(&reply.payload), expected);
    }
    gateway.stop().await;
}

/// The status that a block of fields begins with, as HPACK has it (RFC 7541 appendix A).
fn status_of(block: &[u8]) -> &'static str {
    match block[0] {
        0x89 => "204",
        0x8c => "400",
        other => panic!("another status: {other:x}"),
    }
}
