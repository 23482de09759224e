//! What makes a gateway reload, and what a reload that fails leaves behind.

use tollgate_tests::{Gateway, Upstream, certs::Authority, client::request, wait};

use super::respond;

/// Waits until the gateway answers with `body`.
async fn answers(gateway: &Gateway, body: &str) {
    wait::until(body, async || (gateway.get("/", &[]).await.text() == body).then_some(())).await;
}

#[tokio::test]
async fn a_changed_file_is_taken_up() {
    let gateway = Gateway::start(&respond("one")).await;
    assert_eq!(gateway.generation().await, 1);
    gateway.write_config(&respond("two"));
    answers(&gateway, "two").await;
    assert_eq!(gateway.generation().await, 2);
    gateway.stop().await;
}

#[tokio::test]
async fn a_file_that_is_written_over_in_place_is_taken_up() {
    let gateway = Gateway::start(&respond("one")).await;
    let path = gateway.folder().join("tollgate.yaml");
    let text = std::fs::read_to_string(&path).unwrap().replace("body: one", "body: two");
    std::fs::write(&path, text).unwrap();
    answers(&gateway, "two").await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_link_that_is_turned_is_taken_up() {
    // As Kubernetes mounts a ConfigMap: the file is a link through a folder that is a link.
    use std::os::unix::fs::symlink;
    let gateway = Gateway::start(&respond("one")).await;
    let folder = gateway.folder();
    let text = std::fs::read_to_string(folder.join("tollgate.yaml")).unwrap();
    for (version, body) in [("v1", "one"), ("v2", "two")] {
        std::fs::create_dir(folder.join(version)).unwrap();
        let text = text.replace("body: one", &format!("body: {body}"));
        std::fs::write(folder.join(version).join("tollgate.yaml"), text).unwrap();
    }
    symlink("v1", folder.join("..data")).unwrap();
    symlink("..data/tollgate.yaml", folder.join("link")).unwrap();
    std::fs::rename(folder.join("link"), folder.join("tollgate.yaml")).unwrap();
    gateway.generation_reaches(2).await;
    symlink("v2", folder.join("..tmp")).unwrap();
    std::fs::rename(folder.join("..tmp"), folder.join("..data")).unwrap();
    answers(&gateway, "two").await;
    gateway.stop().await;
}

#[tokio::test]
async fn sighup_and_the_admin_server_reload_on_demand() {
    let gateway = Gateway::start(&respond("one")).await;
    gateway.signal(libc::SIGHUP);
    gateway.generation_reaches(2).await;
    let reply = gateway.reload().await;
    assert_eq!((reply.status, reply.json()["generation"].as_u64()), (200, Some(3)));
    assert_eq!(gateway.generation().await, 3);
    assert!((gateway.metric("tollgate_generation", &[]).await - 3.0).abs() < 0.1);
    let successes = gateway.metric("tollgate_reloads_total", &[("result", "success")]).await;
    assert!((successes - 2.0).abs() < 0.1, "{successes}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_faulty_file_changes_nothing_and_is_reported_everywhere() {
    let gateway = Gateway::start(&respond("one")).await;
    gateway.write_config("routes: [{ name: all, match: { path: / }, upstream: nobody }]");
    gateway.failed_reloads_reach(1).await;
    assert_eq!(gateway.get("/", &[]).await.text(), "one");
    assert_eq!(gateway.generation().await, 1);

    let fault = "nobody";
    let status = gateway.status().await;
    assert_eq!(status["last_reload"]["result"], "failure");
    assert!(status["last_reload"]["faults"].to_string().contains(fault), "{status}");
    assert!(status["last_reload"]["faults"].to_string().contains("tollgate.yaml:3:"), "{status}");
    let ready = gateway.admin("/readyz").await;
    assert_eq!(ready.status, 200);
    assert!(ready.text().contains("degraded") && ready.text().contains(fault), "{}", ready.text());
    gateway.logged(&["ERROR", "tollgate.yaml:3:", fault]).await;

    let reply = gateway.reload().await;
    assert_eq!(reply.status, 422);
    assert!(reply.json()["faults"].to_string().contains(fault), "{}", reply.text());

    gateway.write_config(&respond("two"));
    answers(&gateway, "two").await;
    assert_eq!(gateway.status().await["last_reload"]["result"], "success");
    assert!(!gateway.admin("/readyz").await.text().contains("degraded"));
    gateway.stop().await;
}

#[tokio::test]
async fn of_many_faults_the_first_hundred_are_told() {
    let gateway = Gateway::start(&respond("one")).await;
    let route = |n| format!("  - {{ name: r{n}, match: {{ path: /{n} }}, upstream: nobody }}\n");
    let routes: String = (0..150).map(route).collect();
    gateway.write_config(&format!("routes:\n{routes}"));
    gateway.failed_reloads_reach(1).await;
    let status = gateway.status().await;
    let faults = status["last_reload"]["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 101);
    assert!(faults[100].as_str().unwrap().starts_with("and 50 more"), "{}", faults[100]);
    gateway.stop().await;
}

#[tokio::test]
async fn a_file_that_only_a_refused_configuration_names_is_waited_for() {
    let gateway = Gateway::start(&respond("one")).await;
    let upstream = "upstreams: { u: { endpoints: [\"127.0.0.1:1\"], tls: { ca: ca.pem } } }";
    gateway.write_config(&format!("{upstream}\n{}", respond("two").trim_start()));
    gateway.failed_reloads_reach(1).await;
    gateway.write_file("ca.pem", "no certificate");
    gateway.failed_reloads_reach(2).await;
    assert_eq!(gateway.get("/", &[]).await.text(), "one");
    gateway.write_file("ca.pem", Authority::default().pem());
    answers(&gateway, "two").await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_file_that_stands_for_a_value_is_watched_whether_it_is_there_or_not() {
    let gateway = Gateway::start(&respond("one")).await;
    gateway.write_config(&respond("\"${file:body.txt}\""));
    gateway.failed_reloads_reach(1).await;
    for body in ["two", "three"] {
        gateway.write_file("body.txt", body);
        answers(&gateway, body).await;
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_component_that_nothing_names_is_no_reload() {
    let gateway = Gateway::start(&respond("one")).await;
    for _ in 0..3 {
        gateway.write_plugin("stray", "no component");
        gateway.write_file("other.txt", "no part of it");
    }
    gateway.write_config(&respond("two"));
    answers(&gateway, "two").await;
    assert_eq!(gateway.admin("/status").await.json()["generation"], 2);
    gateway.stop().await;
}

#[tokio::test]
async fn a_file_that_is_gone_changes_nothing() {
    let gateway = Gateway::start(&respond("one")).await;
    std::fs::remove_file(gateway.folder().join("tollgate.yaml")).unwrap();
    gateway.failed_reloads_reach(1).await;
    assert_eq!(gateway.get("/", &[]).await.text(), "one");
    gateway.write_config(&respond("two"));
    answers(&gateway, "two").await;
    gateway.stop().await;
}

#[tokio::test]
async fn what_needs_a_restart_is_refused_by_name() {
    let gateway = Gateway::start(&respond("one")).await;
    gateway.write_config(&respond("two").replace("workers: 2", "workers: 3"));
    let reply = gateway.reload().await;
    assert_eq!(reply.status, 422, "{}", reply.text());
    assert!(reply.text().contains("workers"), "{}", reply.text());
    assert_eq!(gateway.get("/", &[]).await.text(), "one");
    gateway.stop().await;
}

#[tokio::test]
async fn an_exchange_keeps_the_generation_that_it_began_with() {
    let (upstream, release) = Upstream::held().await;
    let config = |mark: &str| {
        format!(
            r#"
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes:
          - name: all
            match: {{ path: / }}
            upstream: u
            plugins: [{{ component: probe, config: {{ response: [{{ set_header: [x-mark, {mark}] }}] }} }}]
        "#
        )
    };
    let gateway = tollgate_tests::Setup::new(&config("old")).plugin("probe").start().await;
    let asking = gateway.get("/", &[]);
    let meanwhile = async {
        wait::until("the request", async || (upstream.requests() == 1).then_some(())).await;
        gateway.write_config(&config("new"));
        gateway.reload_well().await;
        release.notify_one();
    };
    let (reply, ()) = tokio::join!(asking, meanwhile);
    assert_eq!((reply.text().as_str(), reply.header("x-mark").as_str()), ("late", "old"));
    release.notify_one();
    assert_eq!(gateway.get("/", &[]).await.header("x-mark"), "new");
    gateway.stop().await;
}

#[tokio::test]
async fn connections_of_clients_and_to_upstreams_outlive_reloads() {
    let upstream = Upstream::text("here").await;
    let gateway = Gateway::start(&format!(
        r#"
        workers: 1
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        routes: [{{ name: all, match: {{ path: / }}, upstream: u }}]
        "#
    ))
    .await;
    let mut connection = gateway.connect().await;
    for _ in 0..10 {
        assert_eq!(connection.send(request("GET", "/", &[], "")).await.text(), "here");
        gateway.reload_well().await;
    }
    assert_eq!(upstream.connections(), 1);
    drop(connection);
    gateway.stop().await;
}

#[tokio::test]
async fn an_access_log_that_was_moved_away_is_opened_anew() {
    let config = format!("telemetry: {{ access_log: {{ path: access.log }} }}\n{}", respond("one"));
    let gateway = Gateway::start(&config).await;
    let log = gateway.folder().join("access.log");
    let lines = |path: &std::path::Path| std::fs::read_to_string(path).unwrap_or_default();
    let written = async |path: &std::path::Path| {
        wait::until("a line", async || (lines(path).lines().count() == 1).then_some(())).await;
    };
    gateway.get("/", &[]).await;
    written(&log).await;
    let rotated = gateway.folder().join("access.log.1");
    std::fs::rename(&log, &rotated).unwrap();
    gateway.signal(libc::SIGHUP);
    gateway.generation_reaches(2).await;
    gateway.get("/", &[]).await;
    written(&log).await;
    assert_eq!(lines(&rotated).lines().count(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn it_is_opened_anew_where_the_configuration_is_faulty_too() {
    let config = format!("telemetry: {{ access_log: {{ path: access.log }} }}\n{}", respond("one"));
    let gateway = Gateway::start(&config).await;
    let log = gateway.folder().join("access.log");
    std::fs::rename(&log, gateway.folder().join("access.log.1")).unwrap();
    gateway.write_config("nonsense: true\n");
    gateway.signal(libc::SIGHUP);
    wait::until("a new log", async || log.exists().then_some(())).await;
    gateway.get("/", &[]).await;
    wait::until("a line", async || {
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        (text.lines().count() == 1).then_some(())
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn lines_that_cannot_be_written_are_counted_and_told() {
    let config = format!("telemetry: {{ access_log: {{ path: /dev/full }} }}\n{}", respond("one"));
    let gateway = Gateway::start(&config).await;
    for _ in 0..20 {
        gateway.get("/", &[]).await;
    }
    wait::until("all are counted", async || {
        (gateway.metric("tollgate_access_log_dropped_total", &[]).await > 19.5).then_some(())
    })
    .await;
    let ready = gateway.admin("/readyz").await;
    assert_eq!(ready.status, 200);
    assert!(ready.text().contains("the access log cannot be written"), "{}", ready.text());
    let told = gateway.log().lines().filter(|line| line.contains("cannot be written")).count();
    assert!((1..20).contains(&told), "{}", gateway.log());
    gateway.stop().await;
}
