//! `wasi:http` components in a registry, at the end of a route and in its chain.

use serde_json::json;

use super::{Bed, digest};

/// A route with `middleware` in its chain, and `service` at its end.
fn answered_by(middleware: &str, service: &str) -> String {
    format!(
        r#"
        routes:
          - match: {{ path: "/{{*rest}}" }}
            plugins: [{{ component: "{middleware}", limits: {{ cpu: 1s }} }}]
            component: "{service}"
        "#
    )
}

#[tokio::test]
async fn components_come_from_a_registry_and_go_on_when_it_is_down() {
    let Some(mut bed) = Bed::start().await else { return };
    let middleware = bed.push("middleware", "acme/between:1");
    let by_digest = bed.push("service", "acme/app:1");
    let by_tag = bed.registry.reference("acme/app:1");
    let config = answered_by(&middleware, &by_tag);
    let gateway = bed.setup(&config).start().await;
    let reply = gateway.post("/echo", &[], "there and back").await;
    assert_eq!(
        (reply.text().as_str(), reply.header("x-out").as_str()),
        ("there and back", "middleware")
    );
    let status = gateway.status().await;
    let mut components = status["components"].as_array().unwrap().clone();
    components.sort_by_key(|component| component["name"].to_string());
    let told = |key: &str| components.iter().map(|of| of[key].clone()).collect::<Vec<_>>();
    assert_eq!(told("name"), ["app", "between"]);
    assert_eq!(told("source"), [by_tag.as_str(), &middleware]);
    assert_eq!(told("artifact"), [digest(&by_digest), digest(&middleware)]);

    let lock = std::fs::read_to_string(gateway.folder().join("tollgate.lock")).unwrap();
    assert!(lock.ends_with(&format!("\"{by_tag}\":\n    {}\n", digest(&by_digest))), "{lock}");
    let ran = bed.tollgate_in(gateway.folder(), "", &["plugin", "lock"]);
    assert_eq!(ran.stdout, format!("kept     {by_tag} at {}\n", digest(&by_digest)));
    let ran = bed.tollgate_in(gateway.folder(), "", &["explain", "GET", "/"]);
    assert!(ran.stdout.contains(&format!("app ({by_tag}) at")), "{ran:?}");
    gateway.stop().await;

    bed.registry.stop().await;
    let gateway = bed.setup(&config).file("tollgate.lock", lock).start().await;
    assert_eq!(gateway.post("/echo", &[], "again").await.text(), "again");
    let ran = bed.tollgate_in(gateway.folder(), "", &["validate", "--offline"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_lock_that_moves_swaps_the_component_at_the_end() {
    let Some(bed) = Bed::start().await else { return };
    let old = bed.push("service", "app:1");
    let tag = bed.registry.reference("app:1");
    let config = format!(
        "routes: [{{ match: {{ path: \"/{{*rest}}\" }}, component: {{ component: \"{tag}\" }} }}]\n"
    );
    let gateway = bed.setup(&config).start().await;
    let new = bed.push_changed("service", 1, "app:1");
    let artifact = async || gateway.status().await["components"][0]["artifact"].clone();
    gateway.reload_well().await;
    assert_eq!(artifact().await, *digest(&old), "a reload does not move");
    let ran = bed.tollgate_in(gateway.folder(), "", &["plugin", "lock", "--update"]);
    assert_eq!(ran.stdout, format!("moved    {tag} from {} to {}\n", digest(&old), digest(&new)));
    gateway.generation_reaches(3).await;
    assert_eq!(artifact().await, *digest(&new));
    assert_eq!(gateway.get("/length", &[]).await.text(), "12345");
    gateway.stop().await;
}

#[tokio::test]
async fn commands_take_components_as_they_take_plugins() {
    let Some(bed) = Bed::start().await else { return };
    for (component, interface, world) in [
        ("proxy", "wasi:http/incoming-handler@0.2", "wasi:http/proxy@0.2"),
        ("service", "wasi:http/handler@0.3", "wasi:http/service@0.3"),
        ("middleware", "wasi:http/handler@0.3", "wasi:http/middleware@0.3"),
    ] {
        let reference = bed.push(component, &format!("{component}:1"));
        let ran = bed.tollgate(&["plugin", "inspect", &reference]);
        for part in [world, digest(&reference), interface] {
            assert!(ran.stdout.contains(part), "{part} is missing:\n{ran:?}");
        }
        let ran = bed.tollgate(&["plugin", "inspect", "--json", &reference]);
        let told: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
        assert_eq!(told["artifact"], *digest(&reference));

        let manifest = bed.registry.get(&format!("/v2/{component}/manifests/1")).await.json();
        assert_eq!(manifest.get("annotations"), None, "it says nothing of itself");
        let config = manifest["config"]["digest"].as_str().expect("a digest");
        let config = bed.registry.get(&format!("/v2/{component}/blobs/{config}")).await.json();
        assert_eq!(config["component"]["target"], told["world"]);
        let exports = config["component"]["exports"].as_array().expect("a list");
        let has = |name: &serde_json::Value| name.as_str().unwrap().starts_with(interface);
        assert!(exports.iter().any(has), "{exports:?}");
        assert_eq!(config["os"], json!("wasip2"));
    }
    let ran = bed.tollgate(&["plugin", "pull", &bed.registry.reference("proxy:1")]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(bed.folder.path().join("proxy.wasm").exists(), "{ran:?}");
}

#[tokio::test]
async fn a_reference_that_cannot_stand_at_the_end_is_a_fault_with_its_place() {
    let Some(bed) = Bed::start().await else { return };
    let [headers, middleware] = ["headers", "middleware"].map(|c| bed.push(c, &format!("{c}:1")));
    let proxy = bed.push("proxy", "proxy:1");
    let absent = bed.registry.reference("absent:1");
    let config = format!(
        r#"listeners: [{{ address: "127.0.0.1:0" }}]
routes:
  - match: {{ path: /a }}
    component: "{absent}"
  - match: {{ path: /b }}
    component: {{ component: "{headers}" }}
  - match: {{ path: /c }}
    component: "{middleware}"
  - match: {{ path: /d }}
    plugins: [{{ component: "{proxy}" }}]
"#
    );
    std::fs::write(bed.folder.path().join("tollgate.yaml"), config).unwrap();
    let ran = bed.tollgate(&["validate"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    for fault in [
        format!("tollgate.yaml:4:16: routes[0].component: `{absent}` cannot be used: "),
        format!("tollgate.yaml:6:29: routes[1].component.component: `{headers}` is a plugin, "),
        format!("tollgate.yaml:8:16: routes[2].component: `{middleware}` is a middleware; "),
        format!("routes[3].plugins[0].component: `{proxy}` is a `wasi:http` component: "),
    ] {
        assert!(ran.stderr.contains(&fault), "{fault} is missing:\n{}", ran.stderr);
    }
    assert_eq!(ran.stderr.lines().count(), 4, "{}", ran.stderr);
}
