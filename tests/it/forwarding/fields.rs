//! Fields that end at each hop (RFC 9110 §7.6.1), both ways.

use http::Response;
use tollgate_tests::{Upstream, client::full, wait};

use super::{before, config};

#[tokio::test]
async fn fields_of_one_hop_end_at_the_gateway_on_the_way_up() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, "").await;
    let seen = gateway
        .get(
            "/",
            &[
                ("connection", "x-hop, close"),
                ("x-hop", "1"),
                ("keep-alive", "timeout=5"),
                ("proxy-connection", "keep-alive"),
                ("te", "trailers, deflate"),
                ("trailer", "x-t"),
                ("upgrade", "h2c"),
                ("proxy-authorization", "Basic eDp5"),
                ("x-end", "2"),
            ],
        )
        .await
        .json();
    let headers = &seen["headers"];
    for name in ["x-hop", "keep-alive", "proxy-connection", "trailer", "upgrade"] {
        assert!(headers[name].is_null(), "{name}: {headers}");
    }
    assert!(headers["te"].is_null() || headers["te"][0] == "trailers", "{headers}");
    assert_ne!(headers["connection"][0], "x-hop, close");
    assert_eq!(headers["x-end"][0], "2");
    gateway.stop().await;
}

#[tokio::test]
async fn connection_cannot_name_away_what_the_gateway_adds() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream, "").await;
    let named = "host, x-forwarded-for, x-request-id, via, content-length, authorization";
    let seen = gateway.post("/", &[("connection", named), ("host", "a.test")], "body").await.json();
    let headers = &seen["headers"];
    assert_eq!(headers["host"][0], "a.test");
    assert_eq!(headers["x-forwarded-for"][0], "127.0.0.1");
    assert!(headers["x-request-id"].is_array() && headers["via"].is_array(), "{headers}");
    assert_eq!(seen["body"], "body");
    gateway.stop().await;
}

#[tokio::test]
async fn fields_of_one_hop_end_at_the_gateway_on_the_way_down() {
    let upstream = Upstream::new(async |_| {
        Response::builder()
            .header("connection", "x-hop")
            .header("x-hop", "1")
            .header("keep-alive", "timeout=5")
            .header("proxy-connection", "close")
            .header("upgrade", "h2c")
            .header("x-end", "2")
            .body(full("body"))
            .unwrap()
    })
    .await;
    let gateway = before(&upstream, "").await;
    let reply = gateway.get("/", &[]).await;
    for name in ["x-hop", "keep-alive", "proxy-connection", "upgrade"] {
        assert_eq!(reply.header(name), "", "{name}");
    }
    assert_ne!(reply.header("connection"), "x-hop");
    assert_eq!(reply.header("x-end"), "2");
    assert_eq!(reply.text(), "body");
    gateway.stop().await;
}

#[tokio::test]
async fn lines_of_a_field_stay_apart_and_in_order() {
    let upstream = Upstream::new(async |request| {
        let lines = request.headers().get_all("x-line").iter();
        let lines: Vec<_> = lines.map(|line| line.to_str().unwrap()).collect();
        Response::builder()
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2")
            .body(full(lines.join("|")))
            .unwrap()
    })
    .await;
    let gateway = before(&upstream, "").await;
    let reply = gateway.get("/", &[("x-line", "1"), ("x-line", "2, 3")]).await;
    assert_eq!(reply.text(), "1|2, 3");
    let cookies: Vec<_> = reply.headers.get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    gateway.stop().await;
}

#[tokio::test]
async fn bytes_that_are_not_text_pass_in_values() {
    let upstream = Upstream::new(async |request| {
        let value = request.headers()["x-latin"].clone();
        Response::builder().header("x-latin", value).body(full("")).unwrap()
    })
    .await;
    let gateway = before(&upstream, "").await;
    let mut client = gateway.raw().await;
    client
        .send(b"GET / HTTP/1.1\r\nhost: a\r\nx-latin: gr\xfc\xdfe\r\nconnection: close\r\n\r\n")
        .await;
    let mut stream = client.into_stream();
    let mut reply = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut reply).await.unwrap();
    assert!(reply.windows(16).any(|part| part == b"x-latin: gr\xfc\xdfe\r\n".get(..16).unwrap()));
    gateway.stop().await;
}

#[tokio::test]
async fn a_gateway_that_is_its_own_upstream_says_so() {
    let gateway = before(&"127.0.0.1:1", "").await;
    gateway.write_config(&config(&gateway.address(), ""));
    let reply = wait::until("the loop", async || {
        let reply = gateway.get("/", &[]).await;
        (reply.status != 502).then_some(reply)
    });
    assert_eq!(reply.await.problem(), "508 loop-detected");
    gateway.stop().await;
}

#[tokio::test]
async fn a_row_of_gateways_is_no_loop() {
    let upstream = Upstream::text("here").await;
    let gateway = before(&upstream, "").await;
    let passed = ["1.1 tollgate"; 15].join(", ");
    assert_eq!(gateway.get("/", &[("via", &passed)]).await.text(), "here");
    gateway.stop().await;
}
