//! Plugins that misbehave: each costs its own exchange a 503, or nothing under `skip`, and no
//! other exchange anything.

use std::time::{Duration, Instant};

use tollgate_tests::{Gateway, Setup};

/// How a plugin can misbehave, and the kind of error that is counted for it.
const FAULTS: [(&str, &str); 5] = [
    ("loop", "cpu"),
    ("allocate", "memory"),
    ("overflow", "stack"),
    ("panic", "trapped"),
    ("fail", "failed"),
];

/// CPU as by default; little memory, so that it is the memory that comes to its end first.
const LIMITS: &str = "limits: { cpu: 10ms, memory: 4MiB }";

/// The CPU limit of a hook, 20 ms more, and what this machine may need to send and receive
/// while other tests run.
const IN_TIME: Duration = Duration::from_millis(10 + 20 + 200);

/// One worker. `/` misbehaves with `x-fault`, `/ping` never does.
async fn faulty(hook: &str, fault: &str, usage: &str) -> Gateway {
    Setup::new(&format!(
        r#"
        workers: 1
        plugins:
          faulty:
            component: faulty
            config: {{ hook: {hook}, fault: {fault}, only_with: x-fault }}
            quarantine: none
            {usage}
        routes:
          - {{ name: faulty, match: {{ path: / }}, plugins: [faulty], respond: {{ body: through }} }}
          - {{ name: ping, match: {{ path: /ping }}, respond: {{ body: pong }} }}
        "#
    ))
    .plugin("faulty")
    .start()
    .await
}

const FAULTY: [(&str, &str); 1] = [("x-fault", "1")];

async fn check(hook: &str, fault: &str, kind: &str) {
    let gateway = faulty(hook, fault, LIMITS).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/", &[]).await.text(), "through", "{hook} {fault}");
        let started = Instant::now();
        let reply = gateway.get("/", &FAULTY).await;
        let took = started.elapsed();
        assert_eq!(reply.problem(), "503 plugin-failed", "{hook} {fault}");
        assert!(!reply.text().contains("secret"), "{hook} {fault}: {}", reply.text());
        assert!(took < IN_TIME, "{hook} {fault} took {took:?}");
    }
    assert_eq!(gateway.get("/", &[]).await.text(), "through", "{hook} {fault}");
    let labels = [("plugin", "faulty"), ("kind", kind)];
    let counted = gateway.metric("tollgate_plugin_errors_total", &labels).await;
    assert!((counted - 3.0).abs() < 0.1, "{hook} {fault}: {counted} are counted as {kind}");
    let log = gateway.log();
    assert!(log.contains("faulty") && log.contains("request_id"), "{log}");
    let instances = gateway.metric("tollgate_plugin_instances", &[("plugin", "faulty")]).await;
    assert!(instances < 1.1, "{hook} {fault}: {instances} instances are left");
    gateway.stop().await;
}

async fn check_skip(hook: &str, fault: &str) {
    let gateway = faulty(hook, fault, &format!("on_error: skip\n            {LIMITS}")).await;
    for _ in 0..3 {
        let started = Instant::now();
        let reply = gateway.get("/", &FAULTY).await;
        assert!(started.elapsed() < IN_TIME, "{hook} {fault} took {:?}", started.elapsed());
        assert_eq!((reply.status, reply.text().as_str()), (200, "through"), "{hook} {fault}");
    }
    assert_eq!(gateway.get("/", &[]).await.text(), "through");
    gateway.stop().await;
}

#[tokio::test]
async fn a_fault_in_a_request_hook_costs_its_own_exchange_a_503() {
    for (fault, kind) in FAULTS {
        check("request", fault, kind).await;
    }
}

#[tokio::test]
async fn a_fault_in_a_response_hook_replaces_the_response() {
    for (fault, kind) in FAULTS {
        check("response", fault, kind).await;
    }
}

#[tokio::test]
async fn a_fault_costs_nothing_where_it_is_skipped() {
    for (fault, _) in FAULTS {
        check_skip("request", fault).await;
        check_skip("response", fault).await;
    }
}

#[tokio::test]
async fn a_fault_in_a_finish_hook_is_counted_and_nobody_waits_for_it() {
    for (fault, kind) in FAULTS.into_iter().filter(|(fault, _)| *fault != "fail") {
        let gateway = faulty("finish", fault, LIMITS).await;
        for _ in 0..2 {
            assert_eq!(gateway.get("/", &FAULTY).await.text(), "through", "{fault}");
        }
        tollgate_tests::wait::until("both are counted", async || {
            let counted = gateway.metric("tollgate_plugin_errors_total", &[("kind", kind)]).await;
            (counted > 1.9).then_some(())
        })
        .await;
        assert_eq!(gateway.get("/", &[]).await.text(), "through", "{fault}");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn other_exchanges_of_the_worker_go_on_while_a_plugin_loops() {
    for hook in ["request", "response"] {
        let gateway = faulty(hook, "loop", "limits: { cpu: 2s }").await;
        let started = Instant::now();
        let looping = async {
            let reply = gateway.get("/", &FAULTY).await;
            (reply.problem(), started.elapsed())
        };
        let others = async {
            let mut answered = 0;
            while started.elapsed() < Duration::from_secs(1) {
                assert_eq!(gateway.get("/ping", &[]).await.text(), "pong");
                answered += 1;
            }
            answered
        };
        let ((problem, took), answered) = tokio::join!(looping, others);
        assert_eq!(problem, "503 plugin-failed");
        assert!(took >= Duration::from_secs(1), "the loop ended before the others: {took:?}");
        assert!(answered >= 20, "only {answered} others were answered in a second");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn plugins_that_loop_at_the_same_time_each_get_their_own_limit() {
    let gateway = faulty("request", "loop", "limits: { cpu: 50ms }").await;
    let replies = futures_util::future::join_all((0..8).map(|_| gateway.get("/", &FAULTY))).await;
    for reply in replies {
        assert_eq!(reply.problem(), "503 plugin-failed");
    }
    assert_eq!(gateway.get("/", &[]).await.text(), "through");
    gateway.stop().await;
}

#[tokio::test]
async fn faults_again_and_again_cost_no_memory() {
    for fault in ["allocate", "panic"] {
        let gateway = faulty("request", fault, LIMITS).await;
        let round = async || {
            for _ in 0..150 {
                assert_eq!(gateway.get("/", &FAULTY).await.status, 503);
            }
            tollgate_tests::process::resident_memory(gateway.pid())
        };
        round().await;
        let (first, second) = (round().await, round().await);
        let grown = second.saturating_sub(first) >> 20;
        assert!(grown < 16, "{fault}: 150 faults cost {grown} MiB");
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_flood_of_log_lines_is_cut_and_what_is_cut_is_counted() {
    let gateway = faulty("request", "log_flood", "limits: { cpu: 1s }").await;
    assert_eq!(gateway.get("/", &FAULTY).await.text(), "through");
    // What is logged next is logged after the flood.
    gateway.signal(libc::SIGHUP);
    gateway.logged(&["\"reloaded\""]).await;
    let lines = gateway.log().lines().filter(|line| line.contains("flood ")).count();
    assert!((1..=200).contains(&lines), "{lines} lines");
    // What was cut is told by a metric, or by the log as soon as lines may be written again.
    tollgate_tests::wait::until("what was cut is counted", async || {
        gateway.get("/", &FAULTY).await;
        let metrics = gateway.admin("/metrics").await.text();
        let in_metrics = metrics.lines().any(|line| {
            line.contains("log")
                && line.contains("dropped")
                && !line.ends_with(" 0")
                && !line.starts_with('#')
                && !line.contains("access_log")
        });
        let in_log = gateway.log().lines().any(|line| line.contains("dropped"));
        (in_log || in_metrics).then_some(())
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_plugin_that_misbehaves_while_it_is_configured_does_not_start_a_gateway() {
    for (fault, _) in FAULTS {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("plugins")).unwrap();
        std::fs::copy(
            tollgate_tests::artifacts::component("faulty"),
            folder.path().join("plugins/faulty.wasm"),
        )
        .unwrap();
        std::fs::write(
            folder.path().join("tollgate.yaml"),
            format!(
                "listeners: [{{ address: '127.0.0.1:0' }}]
routes:
  - name: a
    match: {{ path: / }}
    plugins: [{{ component: faulty, config: {{ hook: configure, fault: {fault} }} }}]
    respond: {{}}
"
            ),
        )
        .unwrap();
        let path = folder.path().to_owned();
        let ran = tokio::task::spawn_blocking(move || {
            tollgate_tests::process::tollgate(&path, &["validate", "-c", "tollgate.yaml"])
        });
        let ran = tollgate_tests::wait::within("validate ends", ran).await.unwrap();
        assert_eq!(ran.code, 1, "{fault}: {ran:?}");
        assert!(ran.stderr.contains("tollgate.yaml:5:"), "{fault}: {ran:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_a_plugin_failed_is_told_once_and_every_failure_is_counted() {
    for (fault, kind, function) in
        [("panic", "trapped", "faulty"), ("overflow", "stack", "faulty::fault::overflow")]
    {
        let gateway = faulty("request", fault, LIMITS).await;
        for _ in 0..3 {
            assert_eq!(gateway.get("/", &FAULTY).await.problem(), "503 plugin-failed");
        }
        let told = gateway.logged(&["told once"]).await;
        for part in [function, "digest", "\"plugin\":\"faulty\""] {
            assert!(told.contains(part), "{part} is missing: {told}");
        }
        let labels = [("plugin", "faulty"), ("kind", kind)];
        let counted = gateway.metric("tollgate_plugin_errors_total", &labels).await;
        assert!((counted - 3.0).abs() < 0.1, "{fault}: {counted} are counted as {kind}");
        let times = gateway.log().lines().filter(|line| line.contains("told once")).count();
        assert_eq!(times, 1, "{fault}: {}", gateway.log());
    }
}

#[tokio::test]
async fn many_failures_have_few_lines_and_a_count() {
    const TIMES: u64 = 300;
    let gateway = faulty("request", "fail", LIMITS).await;
    let mut connection = gateway.connect().await;
    for _ in 0..TIMES {
        let request = tollgate_tests::client::request("GET", "/", &FAULTY, "");
        assert_eq!(connection.send(request).await.problem(), "503 plugin-failed");
    }
    gateway.tells_few(TIMES, "a plugin failed", "more failures of a plugin, not told").await;
    assert!(!gateway.log().contains("answered with a problem"), "each has one line at most");
    drop(connection);
    gateway.stop().await;
}
