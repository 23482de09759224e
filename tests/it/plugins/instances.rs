//! Instances: how many, how long, and what they remember.

use std::sync::Arc;

use http::Response;
use tokio::sync::Semaphore;
use tollgate_tests::{Setup, Upstream, client::full, wait};

#[tokio::test]
async fn hooks_wait_for_an_instance_where_all_are_busy() {
    let open = Arc::new(Semaphore::new(0));
    let upstream = Upstream::new({
        let open = Arc::clone(&open);
        move |_| {
            let open = Arc::clone(&open);
            async move {
                open.acquire().await.unwrap().forget();
                Response::new(full("late"))
            }
        }
    })
    .await;
    let gateway = Setup::new(&format!(
        r#"
        workers: 1
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - name: call
            match: {{ path: / }}
            plugins:
              - component: probe
                grants: {{ upstreams: [u] }}
                limits: {{ max_instances: 2 }}
                config: {{ request: [{{ respond_with: [{{ upstream: u, target: /x }}] }}] }}
            respond: {{}}
          - {{ name: ping, match: {{ path: /ping }}, respond: {{ body: pong }} }}
        "#
    ))
    .plugin("probe")
    .start()
    .await;
    let asking = futures_util::future::join_all((0..5).map(|_| gateway.get("/", &[])));
    let releasing = async {
        wait::until("both instances wait", async || (upstream.requests() == 2).then_some(())).await;
        for _ in 0..20 {
            assert_eq!(gateway.get("/ping", &[]).await.text(), "pong");
        }
        assert_eq!(upstream.requests(), 2, "a third instance was made");
        open.add_permits(5);
    };
    let (replies, ()) = tokio::join!(asking, releasing);
    for reply in replies {
        assert_eq!((reply.status, reply.text().as_str()), (200, "late"));
    }
    let instances = gateway.metric("tollgate_plugin_instances", &[]).await;
    assert!(instances <= 2.1, "{instances}");
    gateway.stop().await;
}

#[tokio::test]
async fn the_queue_for_instances_has_the_exchanges_deadline() {
    let upstream = Upstream::new(async |_| std::future::pending().await).await;
    let gateway = Setup::new(&format!(
        r#"
        workers: 1
        upstreams: {{ u: {{ endpoints: ["{upstream}"], timeouts: {{ first_byte: 60s }} }} }}
        routes:
          - name: call
            match: {{ path: / }}
            timeout: 300ms
            plugins:
              - component: probe
                grants: {{ upstreams: [u] }}
                limits: {{ max_instances: 1 }}
                config: {{ request: [{{ respond_with: [{{ upstream: u, target: /x }}] }}] }}
            respond: {{}}
        "#
    ))
    .plugin("probe")
    .start()
    .await;
    let (one, two) = tokio::join!(gateway.get("/", &[]), gateway.get("/", &[]));
    let mut problems = [one.problem(), two.problem()];
    problems.sort();
    for problem in &problems {
        assert!(
            ["503 overloaded", "503 plugin-failed", "504 upstream-timeout"]
                .contains(&problem.as_str()),
            "{problem}"
        );
    }
    for reply in [&one, &two].into_iter().filter(|reply| reply.problem() == "503 overloaded") {
        assert!(!reply.header("retry-after").is_empty());
    }
    gateway.stop().await;
}

#[tokio::test]
async fn one_component_serves_many_uses_each_with_its_own_configuration() {
    let routes: String = (0..20)
        .map(|number| {
            format!(
                "\n          - {{ name: r{number}, match: {{ path: /{number} }}, plugins: [{{ component: probe, config: {{ request: [{{ respond: {{ status: 200, body: n{number} }} }}] }} }}], respond: {{}} }}"
            )
        })
        .collect();
    let gateway = Setup::new(&format!("        workers: 1\n        routes:{routes}"))
        .plugin("probe")
        .start()
        .await;
    for number in (0..20).rev() {
        assert_eq!(gateway.get(&format!("/{number}"), &[]).await.text(), format!("n{number}"));
    }
    gateway.stop().await;
}
