//! What is wrong with a reference, told where it stands.

use tollgate_tests::process::tollgate;

use super::Bed;

#[tokio::test]
async fn every_reference_that_leads_nowhere_is_a_fault_with_its_place() {
    let Some(bed) = Bed::start().await else { return };
    let headers = bed.push("headers", "headers:1");
    let registry = &bed.registry;
    let absent = headers.replace("@sha256:", "@sha256:0000").split_at(headers.len()).0.to_owned();
    let config = format!(
        r#"listeners: [{{ address: "127.0.0.1:0" }}]
plugins:
  tag: {{ component: "oci://{registry}/headers:2" }}
  repository: {{ component: "oci://{registry}/nothing:1" }}
  host: {{ component: "oci://registry.invalid/headers:1" }}
  digest: {{ component: "{absent}" }}
  right: {{ component: "{headers}", canary: {{ component: "oci://{registry}/headers:3", percent: 1 }} }}
routes:
  - match: {{ path: / }}
    plugins: [{{ component: "oci://{registry}/headers:4" }}, {{ use: tag, on_error: skip }}]
    respond: {{}}
"#
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("tollgate.yaml"), config).unwrap();
    let ran = bed.tollgate_in(folder.path(), "", &["validate"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    for fault in [
        "tollgate.yaml:3:21: plugins.tag.component: ",
        "headers:2` cannot be used: registry",
        "has no such tag",
        "tollgate.yaml:4:28: plugins.repository.component: ",
        "tollgate.yaml:5:22: plugins.host.component: ",
        "registry `registry.invalid` cannot be reached: ",
        "tollgate.yaml:6:24: plugins.digest.component: ",
        "has no such digest",
        "plugins.right.canary.component: ",
        "tollgate.yaml:10:28: routes[0].plugins[0].component: ",
    ] {
        assert!(ran.stderr.contains(fault), "{fault} is missing:\n{}", ran.stderr);
    }
    assert_eq!(ran.stderr.lines().count(), 6, "each is told once:\n{}", ran.stderr);
}

#[tokio::test]
async fn a_lock_that_is_none_is_a_fault_and_pins_nothing_anew() {
    let Some(bed) = Bed::start().await else { return };
    bed.push("probe", "probe:1");
    let gateway = bed.setup(&super::answered_by(&bed.registry.reference("probe:1"))).start().await;
    let wrong = "digests: { \"oci://localhost:1/a:1\": latest }\n";
    gateway.write_file("tollgate.lock", wrong);
    gateway.failed_reloads_reach(1).await;
    assert_eq!(gateway.get("/", &[]).await.text(), "from the registry");
    let refused = gateway.reload().await.text();
    assert!(refused.contains("tollgate.lock:1:"), "{refused}");
    assert!(refused.contains("64 hexadecimal digits"), "{refused}");
    assert_eq!(std::fs::read_to_string(gateway.folder().join("tollgate.lock")).unwrap(), wrong);
    gateway.stop().await;
}

#[test]
fn a_reference_that_is_none_is_a_fault() {
    for (reference, reason) in [
        ("oci://jwt:1", "must begin with the registry"),
        ("oci://ghcr.io/acme/jwt", "must end with a tag or a digest"),
        ("oci://ghcr.io/acme/jwt@sha256:00", "a digest is `sha256:` and 64 hexadecimal digits"),
        ("oci://ghcr.io/Acme/jwt:1", "must be in small letters after the registry"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let config = format!(
            "listeners: [{{ address: \"127.0.0.1:0\" }}]\nplugins: {{ p: {{ component: \"{reference}\" }} }}\n"
        );
        std::fs::write(folder.path().join("tollgate.yaml"), config).unwrap();
        let ran = tollgate(folder.path(), &["validate"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        let fault = format!("tollgate.yaml:2:28: plugins.p.component: {reason}");
        assert!(ran.stderr.contains(&fault), "{ran:?}");
    }
}
