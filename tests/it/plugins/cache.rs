//! The cache: what is kept of a response, when it is there, and for whom.

mod ends;

use std::{
    fmt::Display,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

use http::Response;
use tollgate_tests::{
    Gateway, Setup, Upstream,
    client::{self, Reply, full, request},
    wait,
};

/// Answers with what is kept under `x-key`; keeps what comes.
const CACHE: &str = "config: { request: [{ cache: { answer: $x-key } }], response: [ \
    { cache: { put: { key: $x-key, metadata: m, tags: [$x-tag, all] } } }] }, grants: { cache: true }";

/// Each answer has another number.
async fn numbered() -> Upstream {
    let count = Arc::new(AtomicUsize::new(0));
    Upstream::new(move |_| {
        let number = count.fetch_add(1, SeqCst) + 1;
        async move {
            Response::builder()
                .header("x-number", number)
                .body(full(format!("answer {number}")))
                .unwrap()
        }
    })
    .await
}

/// The route `/` with these uses, and `/look/KEY` to look into what `a` has kept.
async fn gateway(upstream: &impl Display, plugins: &str, more: &str) -> Gateway {
    let plugins = plugins.split_whitespace().collect::<Vec<_>>().join(" ");
    Setup::new(&format!(
        r#"
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        plugins: {{ a: {{ component: probe, {CACHE} }} }}
        routes:
          - {{ name: all, match: {{ path: / }}, upstream: u, plugins: [{plugins}] }}
          - name: look
            match: {{ path: /look }}
            respond: {{ body: looked }}
            plugins:
              - use: a
                grants: {{ cache: true, response_body: true }}
                config: {{ response: [{{ cache: {{ get: $x-key }} }}, {{ cache: {{ body: $x-key }} }}] }}
        {more}
        "#
    ))
    .plugin("probe")
    .start()
    .await
}

async fn get(gateway: &Gateway, key: &str) -> Reply {
    gateway.get("/", &[("x-key", key), ("x-tag", key)]).await
}

/// What is kept under a key.
async fn look(gateway: &Gateway, key: &str) -> String {
    gateway.get("/look", &[("x-key", key)]).await.header("x-probe")
}

async fn puts(gateway: &Gateway, result: &str) -> f64 {
    gateway.metric("tollgate_cache_puts_total", &[("result", result)]).await
}

/// Waits until a put has come to nothing for this reason.
async fn came_to_nothing(gateway: &Gateway, result: &str) {
    wait::until(&format!("a put that is {result}"), async || {
        (puts(gateway, result).await > 0.5).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_kept_response_answers_without_the_upstream_and_over_reloads() {
    let upstream = numbered().await;
    let gateway = gateway(&upstream, "a", "").await;
    assert_eq!(get(&gateway, "one").await.text(), "answer 1");
    assert_eq!(get(&gateway, "two").await.text(), "answer 2");
    for _ in 0..3 {
        let reply = get(&gateway, "one").await;
        assert_eq!((reply.text().as_str(), reply.header("x-number").as_str()), ("answer 1", "1"));
        assert_eq!(reply.header("content-length"), "8");
    }
    gateway.reload_well().await;
    assert_eq!(get(&gateway, "two").await.text(), "answer 2");
    assert_eq!(look(&gateway, "two").await, "hit m, answer 2");
    assert_eq!(upstream.requests(), 2);
    let requests =
        async |result| gateway.metric("tollgate_cache_requests_total", &[("result", result)]).await;
    assert!((requests("miss").await - 2.0).abs() < 0.1);
    assert!((requests("hit").await - 6.0).abs() < 0.1);
    assert!((gateway.metric("tollgate_cache_entries", &[]).await - 2.0).abs() < 0.1);
    gateway.stop().await;
}

#[tokio::test]
async fn the_response_to_a_head_is_not_taken_for_that_to_a_get() {
    let upstream = numbered().await;
    let gateway = gateway(&upstream, "a", "").await;
    let head = request("HEAD", "/", &[("x-key", "k")], "");
    assert_eq!(gateway.send(head).await.status, 200);
    assert_eq!(get(&gateway, "k").await.text(), "answer 2");
    let head = request("HEAD", "/", &[("x-key", "k")], "");
    let reply = gateway.send(head).await;
    assert_eq!((reply.text().as_str(), reply.header("content-length").as_str()), ("", "8"));
    assert_eq!(upstream.requests(), 2);
    gateway.stop().await;
}

#[tokio::test]
async fn responses_that_a_plugin_makes_or_fetches_are_kept_too() {
    let upstream = numbered().await;
    let answering = |answer: &str| {
        format!(
            "{{ component: probe, grants: {{ cache: true, upstreams: [u] }}, config: {{ request: [
            {{ cache: {{ answer: k }} }}, {{ cache: {{ put_answer: {{ put: {{ key: k }}, {answer} }} }} }}] }} }}"
        )
    };
    let made = answering("reply: { status: 203, headers: { x-a: one }, body: made }");
    let gateway_of_made = gateway(&upstream, &made, "").await;
    for _ in 0..2 {
        let reply = get(&gateway_of_made, "").await;
        assert_eq!((reply.status, reply.text().as_str()), (203, "made"));
    }
    let hits = gateway_of_made.metric("tollgate_cache_requests_total", &[("result", "hit")]).await;
    assert!((hits - 1.0).abs() < 0.1);
    gateway_of_made.stop().await;

    let fetched = answering("call: { upstream: u, target: /x }");
    let gateway_of_fetched = gateway(&upstream, &fetched, "").await;
    for _ in 0..2 {
        assert_eq!(get(&gateway_of_fetched, "").await.text(), "answer 1");
    }
    assert_eq!(upstream.requests(), 1);
    gateway_of_fetched.stop().await;
}

#[tokio::test]
async fn what_later_plugins_make_of_a_response_is_not_kept() {
    let upstream = numbered().await;
    // Responses pass the last plugin of the list first: it keeps, the first changes.
    let change = |steps: &str| {
        format!(
            "{{ component: probe, grants: {{ response_body: true }}, config: {{ response: [{steps}] }} }}, a"
        )
    };
    let read = change("{ show: body }, { set_body: changed }, { set_header: [x-number, changed] }");
    let gateway_of_read = gateway(&upstream, &read, "").await;
    for _ in 0..2 {
        let reply = get(&gateway_of_read, "k").await;
        assert_eq!(
            (reply.text().as_str(), reply.header("x-number").as_str()),
            ("changed", "changed")
        );
        assert_eq!(look(&gateway_of_read, "k").await, "hit m, answer 1");
    }
    gateway_of_read.stop().await;

    let gateway_of_unread = gateway(&upstream, &change("{ set_body: changed }"), "").await;
    assert_eq!(get(&gateway_of_unread, "k").await.text(), "changed");
    assert_eq!(look(&gateway_of_unread, "k").await, "miss, miss");
    assert!((puts(&gateway_of_unread, "unfinished").await - 1.0).abs() < 0.1);
    gateway_of_unread.stop().await;
}

#[tokio::test]
async fn a_body_that_is_set_before_it_is_put_is_what_is_kept() {
    let upstream = numbered().await;
    let first = "{ use: a, grants: { cache: true, response_body: true }, config: { response: [
        { set_body: changed }, { cache: { put: { key: $x-key, metadata: m } } }] } }";
    let gateway = gateway(&upstream, first, "").await;
    assert_eq!(get(&gateway, "k").await.text(), "changed");
    assert_eq!(look(&gateway, "k").await, "hit m, changed");
    gateway.stop().await;
}

#[tokio::test]
async fn uses_share_what_they_keep_by_their_entry_and_with_nobody_else() {
    let upstream = numbered().await;
    let other = format!("{{ component: probe, {CACHE} }}");
    let gateway = gateway(&upstream, &other, "").await;
    assert_eq!(get(&gateway, "k").await.text(), "answer 1");
    assert_eq!(get(&gateway, "k").await.text(), "answer 1");
    // `a` by another name sees nothing of it.
    assert_eq!(look(&gateway, "k").await, "miss, miss");
    gateway.stop().await;
}

#[tokio::test]
async fn without_the_grant_nothing_is_kept_and_without_that_of_bodies_none_is_read() {
    let upstream = numbered().await;
    let ungranted = "{ use: a, grants: {} }";
    let gateway_of_none = gateway(&upstream, ungranted, "").await;
    assert_eq!(get(&gateway_of_none, "k").await.text(), "answer 1");
    assert_eq!(get(&gateway_of_none, "k").await.text(), "answer 2");
    gateway_of_none.stop().await;

    let reading = "{ use: a, config: { response: [{ cache: { body: $x-key } }, { cache: { put: { key: $x-key } } }] } }";
    let gateway_of_reading = gateway(&upstream, reading, "").await;
    assert_eq!(get(&gateway_of_reading, "k").await.header("x-probe"), "miss, put");
    assert_eq!(get(&gateway_of_reading, "k").await.header("x-probe"), "not-granted, put");
    gateway_of_reading.stop().await;
}

#[tokio::test]
async fn an_instance_holds_a_bounded_number_of_entries() {
    let upstream = numbered().await;
    let hoarding = |count: u32| {
        format!(
            "{{ use: a, config: {{ response: [{{ cache: {{ put: {{ key: k }} }} }}, {{ cache: {{ hoard: [k, {count}] }} }}] }} }}"
        )
    };
    let few = gateway(&upstream, &hoarding(16), "").await;
    get(&few, "k").await;
    assert_eq!(get(&few, "k").await.header("x-probe"), "put, 16");
    assert_eq!(get(&few, "k").await.header("x-probe"), "put, 16", "they were given back");
    few.stop().await;
    let many = gateway(&upstream, &hoarding(17), "").await;
    get(&many, "k").await;
    assert_eq!(get(&many, "k").await.problem(), "503 plugin-failed");
    many.stop().await;
}

#[tokio::test]
async fn plugins_delete_by_key_and_purge_by_tag() {
    let upstream = numbered().await;
    let deleting = "{ use: a, config: { request: [ \
        { cache: { delete: $x-delete } }, { cache: { purge: $x-purge } }] } }";
    let more = format!(
        "  - {{ name: deleting, match: {{ path: /delete }}, respond: {{ body: x }}, plugins: [{deleting}] }}"
    );
    let gateway = gateway(&upstream, "a", &more).await;
    for key in ["one", "two", "three"] {
        get(&gateway, key).await;
    }
    gateway.get("/delete", &[("x-delete", "one"), ("x-purge", "two")]).await;
    for (key, expected) in
        [("one", "miss, miss"), ("two", "miss, miss"), ("three", "hit m, answer 3")]
    {
        assert_eq!(look(&gateway, key).await, expected, "{key}");
    }
    gateway.get("/delete", &[("x-purge", "all")]).await;
    assert_eq!(look(&gateway, "three").await, "miss, miss");
    gateway.stop().await;
}

#[tokio::test]
async fn an_operator_purges_by_tag_key_or_all_of_it_with_the_token() {
    let upstream = numbered().await;
    let admin = "admin: { address: '127.0.0.1:0', token: secret }";
    let gateway = gateway(&upstream, "a", admin).await;
    let purge = async |query: &str, body: &str, token: &str| {
        let fields = [("host", "localhost"), ("authorization", token)];
        let path = format!("/cache/purge{query}");
        client::send(gateway.admin_address(), request("POST", &path, &fields, body)).await
    };
    let purged = async |query: &str, body: &str| {
        let reply = purge(query, body, "Bearer secret").await;
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["purged"].as_u64().unwrap()
    };
    for key in ["one", "two", "three", "four"] {
        get(&gateway, key).await;
    }
    assert_eq!(purge("?all=true", "", "Bearer other").await.status, 401);
    for (query, body) in [("", ""), ("", "{}"), ("?tga=one", ""), ("", r#"{"tag":"a","key":"b"}"#)]
    {
        assert_eq!(purge(query, body, "Bearer secret").await.status, 400, "{query} {body}");
    }
    assert_eq!(look(&gateway, "one").await, "hit m, answer 1");
    assert_eq!(purged("?tag=one", "").await, 1);
    assert_eq!(purged("?tag=one", "").await, 0);
    assert_eq!(purged("", r#"{ "key": "two" }"#).await, 1);
    assert_eq!(purge("?all=true&plugin=other", "", "Bearer secret").await.status, 404);
    assert_eq!(look(&gateway, "three").await, "hit m, answer 3");
    assert_eq!(purged("?all=true&plugin=a", "").await, 2);
    assert_eq!(look(&gateway, "three").await, "miss, miss");
    gateway.stop().await;
}
