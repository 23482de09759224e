//! One spelling for each path, and nothing that escapes a prefix.

use super::{routes, taken};
use tollgate_tests::{Gateway, Upstream};

#[tokio::test]
async fn no_spelling_of_dots_leaves_a_prefix() {
    let gateway = routes(&["/public/{*rest}", "/admin/{*rest}", "/admin"]).await;
    for path in [
        "/public/../admin",
        "/public/./../admin",
        "/public/%2e%2e/admin",
        "/public/.%2E/admin",
        "/public/%2E./admin",
        "/public/x/../../admin",
    ] {
        assert_eq!(taken(&gateway, "GET", path, &[]).await, "/admin", "{path}");
    }
    for path in [
        "/..",
        "/../admin",
        "/%2e%2e/admin",
        "/public/..%2Fadmin",
        "/public/..;/admin",
        "/a%",
        "/%zz",
    ] {
        assert_eq!(taken(&gateway, "GET", path, &[]).await, "400 bad-request", "{path}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn an_encoded_unreserved_character_is_the_character_itself() {
    let gateway = routes(&["/{*rest}", "/admin"]).await;
    for path in ["/admin", "/%61dmin", "/%61%64%6D%69n", "/a%64min"] {
        assert_eq!(taken(&gateway, "GET", path, &[]).await, "/admin", "{path}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn an_encoded_slash_separates_nothing() {
    let gateway = routes(&["/files/{name}", "/files/{name}/raw", "/{*rest}"]).await;
    for (path, pattern) in [
        ("/files/a%2Fraw", "/files/{name}"),
        ("/files/a%2fraw", "/files/{name}"),
        ("/files/a/raw", "/files/{name}/raw"),
        ("/files%2Fa", "/{*rest}"),
    ] {
        assert_eq!(taken(&gateway, "GET", path, &[]).await, pattern, "{path}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn empty_segments_are_segments() {
    let gateway = routes(&["/a/b", "/a/{*rest}", "/{*rest}"]).await;
    for (path, pattern) in
        [("/a//b", "/a/{*rest}"), ("//a/b", "/{*rest}"), ("/a/b/", "/a/{*rest}"), ("/a/b", "/a/b")]
    {
        assert_eq!(taken(&gateway, "GET", path, &[]).await, pattern, "{path}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_upstream_gets_the_spelling_that_was_matched() {
    let upstream = Upstream::echo().await;
    let gateway = Gateway::start(&format!(
        r#"
        upstreams: {{ echo: {{ endpoints: ["{upstream}"] }} }}
        routes: [{{ name: all, match: {{ path: "/{{*rest}}" }}, upstream: echo }}]
        "#
    ))
    .await;
    for (sent, received) in [
        ("/a/b?x=%2e%2E/..", "/a/b?x=%2e%2E/.."),
        ("/a/../b", "/b"),
        ("/a/%2e/b", "/a/b"),
        ("/%7euser/%c3%a4", "/~user/%C3%A4"),
        ("/a%2fb//c/", "/a%2Fb//c/"),
        ("/?q=a b".replace(' ', "+").as_str(), "/?q=a+b"),
    ] {
        let seen = gateway.get(sent, &[]).await.json();
        assert_eq!(seen["target"], received, "{sent}");
    }
    gateway.stop().await;
}
