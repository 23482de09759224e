//! A gateway whose plugins are in a registry.

use super::{Bed, answered_by, digest};

#[tokio::test]
async fn a_gateway_runs_what_a_digest_names() {
    let Some(bed) = Bed::start().await else { return };
    let reference = bed.push("probe", "acme/probe:1");
    let gateway = bed.setup(&answered_by(&reference)).start().await;
    assert_eq!(gateway.get("/", &[]).await.text(), "from the registry");
    let status = gateway.status().await;
    let plugin = &status["plugins"][0];
    assert_eq!((&plugin["name"], &plugin["plugin"]), (&"probe".into(), &"probe".into()));
    assert_eq!(plugin["source"], *reference);
    assert_eq!(plugin["artifact"], *digest(&reference));
    assert!(!gateway.folder().join("tollgate.lock").exists(), "a digest needs no pin");
    let log = gateway.logged(&["fetched a plugin"]).await;
    assert!(log.contains(&reference), "{log}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_tag_is_pinned_by_the_first_run() {
    let Some(bed) = Bed::start().await else { return };
    let by_digest = bed.push("probe", "acme/probe:1");
    let by_tag = bed.registry.reference("acme/probe:1");
    let gateway = bed.setup(&answered_by(&by_tag)).start().await;
    assert_eq!(gateway.get("/", &[]).await.text(), "from the registry");
    let lock = std::fs::read_to_string(gateway.folder().join("tollgate.lock")).unwrap();
    let pin = format!("\"{by_tag}\":\n    {}\n", digest(&by_digest));
    assert!(lock.ends_with(&pin), "{lock}");
    assert_eq!(gateway.status().await["plugins"][0]["artifact"], *digest(&by_digest));
    // A reload that adds a tag writes the lock and is not followed by another one because of that.
    bed.push("headers", "acme/headers:1");
    let other = bed.registry.reference("acme/headers:1");
    let config =
        answered_by(&by_tag) + &format!("plugins: {{ other: {{ component: \"{other}\" }} }}\n");
    gateway.write_config(&config);
    gateway.generation_reaches(2).await;
    let lock = std::fs::read_to_string(gateway.folder().join("tollgate.lock")).unwrap();
    assert!(lock.contains(&other) && lock.ends_with(&pin), "{lock}");
    gateway.reload_well().await;
    assert_eq!(gateway.generation().await, 3);
    gateway.stop().await;
}

#[tokio::test]
async fn a_canary_and_a_snapshot_come_from_a_registry_too() {
    let Some(bed) = Bed::start().await else { return };
    let old = bed.push("counter", "counter:1");
    let new = bed.push_changed("counter", 1, "counter:2");
    let config = format!(
        r#"
        workers: 1
        plugins:
          counter:
            component: {old}
            config: {{ text: configured }}
            isolation: request
            canary: {{ component: {new}, percent: 100 }}
        routes:
          - {{ name: all, match: {{ path: / }}, plugins: [counter], respond: {{ body: hello }} }}
        "#
    );
    let gateway = bed.setup(&config).start().await;
    assert_eq!(gateway.get("/", &[]).await.header("x-hooks"), "1 1 configured");
    let status = gateway.status().await;
    let plugin = &status["plugins"][0];
    assert_eq!(plugin["artifact"], *digest(&old));
    assert_eq!(plugin["isolation"]["from"], "snapshot");
    assert_eq!(plugin["canary"]["artifact"], *digest(&new));
    assert_eq!(plugin["canary"]["source"], *new);
    gateway.stop().await;
}

#[tokio::test]
async fn without_a_cache_a_gateway_fetches_at_each_start() {
    let Some(bed) = Bed::start().await else { return };
    let reference = bed.push("probe", "probe:1");
    let unusable = bed.folder.path().join("file");
    std::fs::write(&unusable, "").unwrap();
    let setup = bed.setup(&answered_by(&reference)).env("TOLLGATE_CACHE", unusable.join("cache"));
    let gateway = setup.start().await;
    assert_eq!(gateway.get("/", &[]).await.text(), "from the registry");
    gateway.logged(&["fetched plugins are not kept"]).await;
    gateway.reload_well().await;
    assert_eq!(gateway.get("/", &[]).await.text(), "from the registry");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn artifacts_that_run_stay_and_others_make_room() {
    let Some(bed) = Bed::start().await else { return };
    let reference = bed.push("probe", "probe:1");
    let others = [1, 2].map(|mark| bed.push_changed("probe", mark, &format!("probe:1.{mark}")));
    bed.forget();
    let kept = || {
        let blobs = std::fs::read_dir(bed.cache().join("blobs/sha256")).unwrap();
        let names = blobs.map(|blob| blob.unwrap().file_name().into_string().unwrap());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let pull = |other: &str| {
        let ran = bed.tollgate(&["plugin", "pull", "--cache-size", "1B", "--out", "o.wasm", other]);
        assert_eq!(ran.code, 0, "{ran:?}");
    };
    let gateway =
        bed.setup(&answered_by(&reference)).env("TOLLGATE_CACHE_SIZE", "1B").start().await;
    let running = kept();
    assert!(!running.is_empty());
    pull(&others[0]);
    assert!(kept().is_superset(&running), "what runs was removed");
    gateway.reload_well().await;
    assert_eq!(gateway.get("/", &[]).await.text(), "from the registry");
    gateway.stop().await;
    pull(&others[1]);
    assert!(kept().is_disjoint(&running), "what nobody uses is still there");
}
