//! Precedence, conditions, and what matches nothing.

use super::{routes, taken};
use tollgate_tests::client::request;

#[tokio::test]
async fn a_literal_wins_over_a_parameter_and_a_parameter_over_the_rest() {
    let gateway = routes(&["/{*rest}", "/a/{id}", "/a/b", "/a/{*rest}", "/a/{id}/c"]).await;
    for (path, pattern) in [
        ("/a/b", "/a/b"),
        ("/a/x", "/a/{id}"),
        ("/a/b/c", "/a/{id}/c"),
        ("/a/b/d", "/a/{*rest}"),
        ("/a", "/a/{*rest}"),
        ("/a/", "/a/{*rest}"),
        ("/", "/{*rest}"),
        ("/ab", "/{*rest}"),
    ] {
        assert_eq!(taken(&gateway, "GET", path, &[]).await, pattern, "{path}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_more_specific_host_wins_whatever_its_case_and_port() {
    let gateway =
        routes(&["/", "/ host=api.example.com", "/ host=*.example.com", "/only host=a.test"]).await;
    for (host, pattern) in [
        ("api.example.com", "/ host=api.example.com"),
        ("API.Example.COM:8080", "/ host=api.example.com"),
        ("www.example.com", "/ host=*.example.com"),
        ("a.b.example.com", "/ host=*.example.com"),
        ("example.com", "/"),
        ("example.org", "/"),
    ] {
        assert_eq!(taken(&gateway, "GET", "/", &[("host", host)]).await, pattern, "{host}");
    }
    let elsewhere = taken(&gateway, "GET", "/only", &[("host", "b.test")]).await;
    assert_eq!(elsewhere, "404 route-not-found");
    gateway.stop().await;
}

#[tokio::test]
async fn methods_headers_and_queries_decide_among_equal_paths() {
    let gateway = routes(&[
        "/method",
        "/method method=POST",
        "/exact",
        "/exact header=x-version:\"2\"",
        "/present",
        "/present header=x-beta:{present:true}",
        "/prefix",
        "/prefix header=x-name:{prefix:an}",
        "/query",
        "/query query=debug:{present:true}",
        "/regex",
        "/regex query=page:{regex:'[0-9]+'}",
    ])
    .await;
    for (method, path, header, condition) in [
        ("GET", "/method", ("x-none", ""), ""),
        ("POST", "/method", ("x-none", ""), " method=POST"),
        ("GET", "/exact", ("x-none", ""), ""),
        ("GET", "/exact", ("x-version", "2"), " header=x-version:\"2\""),
        ("GET", "/exact", ("x-version", "20"), ""),
        ("GET", "/present", ("x-beta", "anything"), " header=x-beta:{present:true}"),
        ("GET", "/prefix", ("x-name", "ann"), " header=x-name:{prefix:an}"),
        ("GET", "/prefix", ("x-name", "dan"), ""),
        ("GET", "/query?debug", ("x-none", ""), " query=debug:{present:true}"),
        ("GET", "/query?a=1&debug=x", ("x-none", ""), " query=debug:{present:true}"),
        ("GET", "/query?a=debug", ("x-none", ""), ""),
        ("GET", "/regex?page=12", ("x-none", ""), " query=page:{regex:'[0-9]+'}"),
        ("GET", "/regex?page=12a", ("x-none", ""), ""),
    ] {
        let found = taken(&gateway, method, path, &[header]).await;
        let plain = path.split('?').next().unwrap();
        assert_eq!(found, format!("{plain}{condition}"), "{method} {path} {header:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn no_route_is_a_404_problem_that_carries_the_request_id() {
    let gateway = routes(&["/a"]).await;
    let reply = gateway.get("/b", &[]).await;
    assert_eq!(reply.problem(), "404 route-not-found");
    assert_eq!(reply.json()["request_id"], reply.header("x-request-id"));
    assert!(!reply.header("x-request-id").is_empty());
    gateway.stop().await;
}

#[tokio::test]
async fn a_method_that_no_route_takes_is_a_405_problem_with_allow() {
    let gateway = routes(&["/a method=GET", "/a method=PUT"]).await;
    let reply = gateway.post("/a", &[], "").await;
    assert_eq!(reply.problem(), "405 method-not-allowed");
    assert_eq!(reply.header("allow"), "GET, HEAD, PUT");
    let elsewhere = gateway.post("/b", &[], "").await;
    assert_eq!(elsewhere.problem(), "404 route-not-found");
    gateway.stop().await;
}

#[tokio::test]
async fn a_get_route_serves_head_without_a_body() {
    let gateway = routes(&["/a method=GET"]).await;
    let reply = gateway.send(request("HEAD", "/a", &[], "")).await;
    assert_eq!((reply.status, reply.text().as_str()), (200, ""));
    assert_eq!(reply.header("content-length"), "/a method=GET".len().to_string());
    let missing = gateway.send(request("HEAD", "/b", &[], "")).await;
    assert_eq!((missing.status, missing.text().as_str()), (404, ""));
    gateway.stop().await;
}
