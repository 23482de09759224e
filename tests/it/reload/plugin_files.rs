//! Components that are put into the plugin directory.

use tollgate_tests::{Gateway, Setup, wait};

use super::{changed, swapped};

/// The digest of the one use's component, as `/status` has it.
async fn digest(gateway: &Gateway) -> String {
    gateway.status().await["plugins"][0]["digest"].as_str().expect("a digest").to_owned()
}

#[tokio::test]
async fn a_replaced_component_takes_over() {
    // Another component that takes the same configuration: the aggregate refuses it, the headers
    // plugin too, so both versions are the headers plugin's here.
    let config = r#"
        routes:
          - name: all
            match: { path: / }
            plugins: [{ component: swapped, config: {} }]
            respond: { body: from the route }
        "#;
    let gateway = Setup::new(config).plugin_as("headers", "swapped").start().await;
    let status = gateway.status().await;
    assert_eq!(status["plugins"][0]["plugin"], "headers");
    gateway.write_plugin(
        "swapped",
        std::fs::read(tollgate_tests::artifacts::component("probe")).unwrap(),
    );
    gateway.generation_reaches(2).await;
    assert_eq!(gateway.status().await["plugins"][0]["plugin"], "probe");
    gateway.logged(&["\"swapped\"", "was_digest"]).await;
    // As `validate` does.
    gateway.logged(&["plugin `swapped` wants no hook"]).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_component_that_is_none_keeps_the_old_one() {
    let gateway = swapped().start().await;
    let old = digest(&gateway).await;
    let whole = changed("probe", 1);
    let faulty = std::fs::read(tollgate_tests::artifacts::component("faulty")).unwrap();
    let refused: [(&str, &[u8]); 5] = [
        ("not a component", b"not a component"),
        ("empty", b""),
        ("half", &whole[..whole.len() / 2]),
        ("a core module", b"\0asm\x01\0\0\0"),
        ("one that refuses its configuration", &faulty),
    ];
    for (number, (what, bytes)) in (1..).zip(refused) {
        gateway.write_plugin("swapped", bytes);
        gateway.failed_reloads_reach(number).await;
        assert_eq!(gateway.get("/", &[]).await.text(), "from the plugin", "{what}");
        assert_eq!(digest(&gateway).await, old, "{what}");
        let ready = gateway.admin("/readyz").await;
        assert!(
            ready.status == 200 && ready.text().contains("degraded"),
            "{what}: {}",
            ready.text()
        );
    }
    gateway.write_plugin("swapped", &whole);
    wait::until("the whole one", async || (digest(&gateway).await != old).then_some(())).await;
    assert_eq!(gateway.get("/", &[]).await.text(), "from the plugin");
    gateway.stop().await;
}

#[tokio::test]
async fn a_component_that_is_written_piece_by_piece_is_taken_up_whole() {
    let gateway = swapped().start().await;
    let old = digest(&gateway).await;
    let whole = changed("probe", 1);
    let path = gateway.folder().join("plugins/swapped.wasm");
    let mut file = std::fs::File::create(&path).unwrap();
    for piece in whole.chunks(64 * 1024) {
        std::io::Write::write_all(&mut file, piece).unwrap();
        assert_eq!(gateway.get("/", &[]).await.text(), "from the plugin");
    }
    drop(file);
    wait::until("the whole one", async || (digest(&gateway).await != old).then_some(())).await;
    assert_eq!(gateway.get("/", &[]).await.text(), "from the plugin");
    gateway.stop().await;
}

#[tokio::test]
async fn a_component_that_is_deleted_keeps_running() {
    let gateway = swapped().start().await;
    std::fs::remove_file(gateway.folder().join("plugins/swapped.wasm")).unwrap();
    gateway.failed_reloads_reach(1).await;
    assert_eq!(gateway.get("/", &[]).await.text(), "from the plugin");
    gateway.stop().await;
}

#[tokio::test]
async fn a_configuration_that_the_plugin_refuses_changes_nothing() {
    let gateway = swapped().start().await;
    gateway.write_config(
        r#"
        workers: 2
        routes:
          - name: all
            match: { path: / }
            plugins: [{ component: swapped, config: { refuse: because of this } }]
            respond: {}
        "#,
    );
    let reply = gateway.reload().await;
    assert_eq!(reply.status, 422);
    assert!(reply.text().contains("because of this"), "{}", reply.text());
    assert_eq!(gateway.get("/", &[]).await.text(), "from the plugin");
    gateway.stop().await;
}

#[tokio::test]
async fn rate_limits_and_counters_outlive_a_swap() {
    let gateway = Setup::new(
        r#"
        routes:
          - name: all
            match: { path: / }
            plugins: [{ component: rate-limit, config: { limits: [{ limit: 3/h }] } }]
            respond: {}
        "#,
    )
    .plugin("rate-limit")
    .start()
    .await;
    let mut statuses = Vec::new();
    for mark in 0..5 {
        statuses.push(gateway.get("/", &[]).await.status);
        gateway.write_plugin("rate-limit", changed("rate-limit", mark));
        gateway.reload_well().await;
    }
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    gateway.stop().await;
}
