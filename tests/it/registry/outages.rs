//! Registries that are down, and artifacts that are not what they should be.

use tollgate_tests::registry::sha256;

use super::{Bed, answered_by, digest};

#[tokio::test]
async fn a_registry_that_is_down_stops_no_gateway_whose_plugins_are_kept() {
    let Some(mut bed) = Bed::start().await else { return };
    bed.push("probe", "probe:1");
    let tag = bed.registry.reference("probe:1");
    let config = answered_by(&tag);
    let gateway = bed.setup(&config).start().await;
    let lock = std::fs::read_to_string(gateway.folder().join("tollgate.lock")).unwrap();
    bed.registry.stop().await;

    gateway.write_config(&config.replace("from the registry", "after a reload"));
    gateway.generation_reaches(2).await;
    assert_eq!(gateway.get("/", &[]).await.text(), "after a reload");
    gateway.stop().await;

    let gateway = bed.setup(&config).file("tollgate.lock", lock).start().await;
    assert_eq!(gateway.get("/", &[]).await.text(), "from the registry");
    for arguments in [&["validate"][..], &["validate", "--offline"]] {
        let ran = bed.tollgate_in(gateway.folder(), "", arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_plugin_that_cannot_be_fetched_changes_nothing() {
    let Some(mut bed) = Bed::start().await else { return };
    bed.push("probe", "probe:1");
    let tag = bed.registry.reference("probe:1");
    let without =
        "routes: [{ name: all, match: { path: / }, respond: { body: from the route } }]\n";
    let gateway = bed.setup(without).start().await;
    bed.registry.stop().await;
    gateway.write_config(&answered_by(&tag));
    gateway.failed_reloads_reach(1).await;
    let refused = gateway.reload().await;
    assert_eq!(refused.status, 422);
    let fault = format!(
        "routes[0].plugins[0].component: `{tag}` cannot be used: registry `{}` cannot be reached",
        bed.registry
    );
    assert!(refused.text().contains(&fault), "{}", refused.text());
    assert_eq!(gateway.get("/", &[]).await.text(), "from the route");
    assert!(!gateway.folder().join("tollgate.lock").exists(), "nothing runs, so nothing is pinned");

    let ran = bed.tollgate_in(gateway.folder(), "", &["run"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains(&fault), "{ran:?}");

    bed.registry.restart().await;
    gateway.reload_well().await;
    assert_eq!(gateway.get("/", &[]).await.text(), "from the registry");
    gateway.stop().await;
}

#[tokio::test]
async fn a_kept_plugin_that_was_changed_is_fetched_again_and_never_used() {
    let Some(mut bed) = Bed::start().await else { return };
    let reference = bed.push("probe", "probe:1");
    let gateway = bed.setup(&answered_by(&reference)).start().await;
    gateway.stop().await;
    let whole = sha256(&std::fs::read(tollgate_tests::artifacts::component("probe")).unwrap());
    let other = std::fs::read(tollgate_tests::artifacts::component("headers")).unwrap();
    let kept = |digest: &str| bed.cache().join("blobs/sha256").join(&digest[7..]);
    for name in [&*whole, digest(&reference)] {
        std::fs::write(kept(name), &other).unwrap();
        let gateway = bed.setup(&answered_by(&reference)).start().await;
        assert_eq!(gateway.get("/", &[]).await.text(), "from the registry");
        gateway.logged(&["does not have its digest", &name[7..]]).await;
        gateway.stop().await;
        assert_eq!(sha256(&std::fs::read(kept(name)).unwrap()), name, "it is whole again");
    }
    bed.registry.stop().await;
    std::fs::write(bed.cache().join("blobs/sha256").join(&whole[7..]), &other).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let listeners = "listeners: [{ address: \"127.0.0.1:0\" }]\n";
    std::fs::write(
        folder.path().join("tollgate.yaml"),
        listeners.to_owned() + &answered_by(&reference),
    )
    .unwrap();
    for (arguments, reason) in
        [(&["run"][..], "cannot be reached"), (&["validate", "--offline"], "is not kept here")]
    {
        let ran = bed.tollgate_in(folder.path(), "", arguments);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains(reason), "{ran:?}");
    }
}

#[tokio::test]
async fn what_a_registry_has_changed_is_refused() {
    let Some(bed) = Bed::start().await else { return };
    let reference = bed.push("probe", "probe:1");
    let whole = std::fs::read(tollgate_tests::artifacts::component("probe")).unwrap();
    let layer = bed.registry.blob(&sha256(&whole));
    let manifest = bed.registry.blob(digest(&reference));
    let pull = || {
        bed.forget();
        let ran = bed.tollgate(&["plugin", "pull", &reference, "--out", "pulled.wasm"]);
        (ran.code, ran.stderr)
    };
    assert_eq!(pull().0, 0);
    std::fs::remove_file(bed.folder.path().join("pulled.wasm")).unwrap();
    let notices = [
        (&layer, "has not the digest by which it was asked for"),
        // This registry looks at manifests itself.
        (&manifest, "answered with status 500"),
    ];
    for (place, reason) in notices {
        let right = std::fs::read(place).unwrap();
        let mut wrong = right.clone();
        let last = wrong.len() - 3;
        wrong[last] ^= 1;
        std::fs::write(place, &wrong).unwrap();
        let (code, told) = pull();
        assert_eq!(code, 1, "{told}");
        assert!(told.contains(reason), "{told}");
        assert!(!bed.folder.path().join("pulled.wasm").exists(), "{told}");
        std::fs::write(place, &right).unwrap();
    }
    assert_eq!(pull().0, 0);
}
