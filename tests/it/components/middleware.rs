//! Components of `wasi:http/middleware@0.3` in a chain: the handler that they import is its rest.

use http_body_util::BodyExt as _;
use tollgate_tests::{
    Gateway, Setup, Upstream,
    client::{request, request_with},
    process::tollgate,
    wait,
};

use crate::bodies::channel;

/// `headers`, the middleware, `headers` again, and an upstream that shows what it got.
async fn before(upstream: &Upstream) -> Gateway {
    before_with(upstream, "limits: { cpu: 1s }").await
}

/// As [`before`], the middleware with this use.
async fn before_with(upstream: &Upstream, usage: &str) -> Gateway {
    Setup::new(&format!(
        r#"
        workers: 1
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - name: all
            match: {{ path: "/{{*rest}}" }}
            plugins:
              - component: headers
                config: {{ request: {{ append: {{ x-way: outer }} }}, response: {{ append: {{ x-back: outer }} }} }}
              - {{ component: middleware, {usage} }}
              - component: headers
                config: {{ request: {{ append: {{ x-way: inner }} }}, response: {{ append: {{ x-back: inner }} }} }}
            upstream: u
        "#
    ))
    .plugin("headers")
    .plugin("middleware")
    .start()
    .await
}

#[tokio::test]
async fn a_middleware_stands_between_the_plugins_around_it() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream).await;
    let reply = gateway.post("/path?q=1", &[("x-a", "1"), ("x-a", "2")], "a body").await;
    let seen = reply.json();
    assert_eq!(
        (seen["method"].as_str(), seen["target"].as_str()),
        (Some("POST"), Some("/path?q=1"))
    );
    assert_eq!(seen["body"], "a body");
    let headers = &seen["headers"];
    assert_eq!(headers["x-in"], serde_json::json!(["middleware"]));
    assert_eq!(headers["x-way"], serde_json::json!(["outer", "inner"]));
    assert_eq!(headers["x-a"], serde_json::json!(["1", "2"]));
    assert_eq!(headers["host"], serde_json::json!(["gateway.test"]));
    assert_eq!(reply.header("x-out"), "middleware");
    assert_eq!(reply.header("x-back"), "inner, outer");
    gateway.stop().await;
}

#[tokio::test]
async fn a_middleware_can_pass_on_what_it_got_untouched() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream).await;
    for http2 in [false, true] {
        let mut connection =
            if http2 { gateway.connect_http2().await } else { gateway.connect().await };
        for method in ["GET", "POST", "HEAD", "DELETE"] {
            let reply = connection.send(request(method, "/x", &[("x-do", "pass")], "")).await;
            assert_eq!(reply.status, 200, "{method}");
            assert_eq!(reply.header("x-back"), "inner, outer", "{method}");
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_middleware_can_ask_for_something_else() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream).await;
    let seen = gateway.post("/path", &[("x-do", "redo")], "kept").await.json();
    assert_eq!(
        (seen["method"].as_str(), seen["target"].as_str()),
        (Some("PUT"), Some("/other?x=1"))
    );
    assert_eq!(seen["body"], "kept");
    gateway.stop().await;
}

#[tokio::test]
async fn a_middleware_cannot_ask_by_a_method_that_clients_may_not_use() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream).await;
    let reply = gateway.get("/", &[("x-do", "trace")]).await;
    assert!(reply.text().contains("HttpRequestMethodInvalid"), "{}", reply.text());
    assert_eq!(upstream.requests(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_middleware_that_answers_keeps_the_request_from_the_rest_of_the_chain() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream).await;
    let reply = gateway.get("/", &[("x-do", "answer")]).await;
    assert_eq!((reply.status, reply.text().as_str()), (418, "by the middleware"));
    assert_eq!(reply.header("x-back"), "outer");
    assert_eq!(upstream.requests(), 0);
    gateway.stop().await;
}

#[tokio::test]
async fn the_rest_of_the_chain_can_be_asked_once() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream).await;
    let reply = gateway.get("/", &[("x-do", "twice")]).await;
    assert!(reply.text().contains("LoopDetected"), "{}", reply.text());
    assert_eq!(upstream.requests(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn a_middleware_that_fails_is_a_503_problem_on_either_way() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream).await;
    for (act, requests) in [("trap", 0), ("trap-after", 1)] {
        let reply = gateway.get("/", &[("x-do", act)]).await;
        assert_eq!(reply.problem(), "503 plugin-failed", "{act}");
        assert_eq!(reply.header("x-back"), "outer", "{act}");
        assert_eq!(upstream.requests(), requests, "{act}");
    }
    gateway.logged(&["a plugin failed", r#""plugin":"middleware","hook":"handle""#]).await;
    let failed = gateway.metric("tollgate_plugin_errors_total", &[("plugin", "middleware")]).await;
    assert_eq!(failed, 2.0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_middleware_that_fails_before_it_reads_is_passed_by_under_skip() {
    let upstream = Upstream::echo().await;
    let gateway = before_with(&upstream, "on_error: skip, limits: { cpu: 1s }").await;
    for act in ["trap", "say", "trap-after"] {
        let reply = gateway.post("/path", &[("x-do", act)], "the whole body").await;
        assert_eq!(reply.status, 200, "{act}: {reply:?}");
        let seen = reply.json();
        assert_eq!(
            (&seen["body"], &seen["headers"]["x-in"]),
            (&"the whole body".into(), &().into())
        );
        assert_eq!(reply.header("x-back"), "inner, outer", "{act}");
        assert_eq!(reply.header("x-out"), "", "{act}");
    }
    gateway.logged(&["a plugin failed", "\"middleware\"", "\"handle\""]).await;
    let failed = gateway.metric("tollgate_plugin_errors_total", &[("plugin", "middleware")]).await;
    assert_eq!(failed, 3.0);
    gateway.stop().await;
}

#[tokio::test]
async fn a_middleware_that_fails_after_it_has_read_is_a_503_problem_even_under_skip() {
    let upstream = Upstream::echo().await;
    let gateway = before_with(&upstream, "on_error: skip, limits: { cpu: 1s }").await;
    for (act, requests) in [("trap-reading", 0), ("trap-reading-after", 1)] {
        let reply = gateway.post("/path", &[("x-do", act)], "the whole body").await;
        assert_eq!(reply.problem(), "503 plugin-failed", "{act}");
        assert_eq!(reply.header("x-back"), "outer", "{act}");
        assert_eq!(upstream.requests(), requests, "{act}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn bodies_stream_through_a_middleware() {
    let upstream = Upstream::new(async |request| {
        http::Response::new(request.into_body().map_err(std::io::Error::other).boxed())
    })
    .await;
    let gateway = before(&upstream).await;
    for (act, shown) in [("mark", ["one", "two"]), ("upper", ["ONE", "TWO"])] {
        let (sender, body) = channel();
        let mut connection = gateway.connect().await;
        sender.send("one").unwrap();
        let sent = request_with("POST", "/", &[("x-do", act)], body);
        let mut response = connection.begin(sent).await;
        for (index, expected) in shown.into_iter().enumerate() {
            let mut seen = Vec::new();
            while seen.len() < expected.len() {
                let frame = wait::within("a piece", response.frame()).await.unwrap().unwrap();
                seen.extend_from_slice(&frame.into_data().unwrap());
            }
            assert_eq!(String::from_utf8_lossy(&seen), expected, "{act}");
            if index == 0 {
                sender.send("two").unwrap();
            }
        }
        drop(sender);
        let end = wait::within("the end", response.frame()).await;
        assert!(end.is_none(), "{act}: {end:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_still_the_clients_fault_behind_a_middleware() {
    let upstream = Upstream::echo().await;
    let gateway = Setup::new(&format!(
        r#"
        limits: {{ max_request_body: 10 }}
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - match: {{ path: "/{{*rest}}" }}
            plugins: [{{ component: middleware, limits: {{ cpu: 1s }} }}]
            upstream: u
        "#
    ))
    .plugin("middleware")
    .start()
    .await;
    for act in ["pass", "mark"] {
        let (sender, body) = channel();
        sender.send("0123456789").unwrap();
        sender.send("and more").unwrap();
        drop(sender);
        let reply = gateway.send(request_with("POST", "/", &[("x-do", act)], body)).await;
        assert_eq!(reply.problem(), "413 body-too-large", "{act}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_middleware_that_does_not_wait_has_the_last_word() {
    let upstream = Upstream::echo().await;
    let gateway = before(&upstream).await;
    let reply = gateway.get("/", &[("x-do", "early")]).await;
    assert_eq!(reply.text(), "did not wait");
    gateway.stop().await;
}

#[tokio::test]
async fn a_middleware_stands_before_a_component_too() {
    let gateway = Setup::new(
        r#"
        routes:
          - match: { path: "/{*rest}" }
            plugins: [{ component: middleware, limits: { cpu: 1s } }]
            component: service
        "#,
    )
    .plugin("middleware")
    .plugin("service")
    .start()
    .await;
    let reply = gateway.post("/echo", &[], "there and back").await;
    assert_eq!(
        (reply.text().as_str(), reply.header("x-out").as_str()),
        ("there and back", "middleware")
    );
    let status = gateway.status().await;
    let worlds = status["components"].as_array().unwrap().iter();
    let worlds: Vec<_> = worlds.map(|component| component["world"].as_str().unwrap()).collect();
    assert_eq!(worlds.len(), 2, "{status}");
    assert!(worlds.iter().any(|world| world.starts_with("wasi:http/middleware@0.3")), "{status}");
    gateway.stop().await;
}

#[test]
fn what_a_middleware_cannot_have_is_a_fault() {
    let folder = tempfile::tempdir().unwrap();
    let component = tollgate_tests::artifacts::component("middleware");
    let check = |use_: &str, end: &str| {
        let text = format!(
            "listeners: [{{ address: \"127.0.0.1:0\" }}]\nroutes:\n  - match: {{ path: / }}\n    plugins: [{use_}]\n    {end}\n"
        );
        std::fs::write(folder.path().join("tollgate.yaml"), text).unwrap();
        tollgate(folder.path(), &["validate"])
    };
    let file = component.display();
    let sound = check(&format!("{{ component: {file} }}"), "respond: {}");
    assert_eq!(sound.code, 0, "{sound:?}");
    for (key, named) in [
        ("config: { a: 1 }", "config"),
        ("isolation: request", "isolation"),
        ("quarantine: none", "quarantine"),
        ("grants: { cache: true }", "grants.cache"),
    ] {
        let ran = check(&format!("{{ component: {file}, {key} }}"), "respond: {}");
        let reason = format!("is a `wasi:http` middleware, which has no `{named}`");
        assert!(ran.code == 1 && ran.stderr.contains(&reason), "{key}: {ran:?}");
    }
    let ran = check("", &format!("component: {file}"));
    assert!(
        ran.code == 1 && ran.stderr.contains("is a middleware; list it in `plugins`"),
        "{ran:?}"
    );
}
