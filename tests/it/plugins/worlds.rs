//! Versions of the world: components of each that was released run here, others are refused.

use tollgate_tests::{Gateway, Setup, Upstream, artifacts, client, process::tollgate};

/// A component of the first version, which is kept as it was built.
fn first() -> Vec<u8> {
    std::fs::read(artifacts::root().join("tests/fixtures/world-0.1.0.wasm")).unwrap()
}

/// The same for another version: all that tells it is the names of the interfaces.
fn of_version(version: &str) -> Vec<u8> {
    let mut bytes = first();
    let (old, package) = (b"@0.1.0", b"tollgate:plugin/");
    let starts: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(package)).collect();
    for start in starts {
        let name = bytes[start..].iter().position(|byte| *byte == b'@').unwrap();
        if bytes[start + name..].starts_with(old) {
            bytes[start + name + 1..start + name + old.len()].copy_from_slice(version.as_bytes());
        }
    }
    assert_ne!(bytes, first());
    bytes
}

async fn with_first(upstream: &Upstream) -> Gateway {
    let config = format!(
        r#"
        workers: 1
        upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
        plugins:
          first:
            component: first
            config: {{ upstream: u }}
            grants:
              upstreams: [u]
              stores: [counts]
              cache: true
              request_body: true
              response_body: true
        routes:
          - {{ name: all, match: {{ path: "/orders/{{id}}" }}, plugins: [first], upstream: u }}
        "#
    );
    Setup::new(&config).file("plugins/first.wasm", first()).start().await
}

/// `/asked` is the plugin's own call.
async fn upstream() -> Upstream {
    Upstream::new(async |request| match request.uri().path() {
        "/asked" => http::Response::new(client::full("yes")),
        _ => tollgate_tests::upstream::echo(request).await,
    })
    .await
}

#[tokio::test]
async fn a_component_of_the_first_version_runs_with_all_that_it_calls() {
    let upstream = upstream().await;
    let gateway = with_first(&upstream).await;
    let reply = gateway.post("/orders/7", &[("x-secret", "s")], "small").await;
    assert_eq!((reply.status, reply.header("x-first").as_str()), (200, "POST"), "{reply:?}");
    let text = reply.text();
    let seen = text.strip_suffix('!').expect("what its response chunk hook adds");
    let seen: serde_json::Value = serde_json::from_str(seen).unwrap();
    assert_eq!(seen["body"], "SMALL");
    for (name, lines) in [
        ("x-asked", serde_json::json!(["200", "yes"])),
        ("x-count", serde_json::json!(["1"])),
        ("x-param", serde_json::json!(["7"])),
        ("x-signed", serde_json::json!(["verified"])),
        ("x-secret", serde_json::Value::Null),
    ] {
        assert_eq!(seen["headers"][name], lines, "{name}");
    }
    let line = gateway.logged(&["\"plugin\":\"first\"", "finished"]).await;
    assert!(line.contains("yes"), "{line}");
    let cached = gateway.get("/orders/7", &[("x-cached", "1")]).await;
    assert!(cached.status == 200 && cached.text().contains("SMALL"), "{cached:?}");
    let stopped = gateway.get("/orders/7", &[("x-stop", "1")]).await;
    assert_eq!(stopped.status, 418, "{stopped:?}");
    gateway.stop().await;
}

#[test]
fn inspect_tells_the_version_that_a_component_is_written_for() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("first.wasm"), first()).unwrap();
    let ran = tollgate(folder.path(), &["plugin", "inspect", "first.wasm", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let told: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(told["world"], "tollgate:plugin@0.1.0");
    assert_eq!((&told["name"], &told["version"]), (&"first".into(), &"0.1.0".into()));
}

#[test]
fn a_version_that_is_not_known_is_refused_with_what_to_do_about_it() {
    let folder = tempfile::tempdir().unwrap();
    let config = "listeners: [{ address: \"127.0.0.1:0\" }]\nplugins: { p: { component: ./p.wasm, \
                  config: { upstream: u } } }\nroutes: [{ match: { path: / }, plugins: [p], respond: {} }]\n";
    std::fs::write(folder.path().join("tollgate.yaml"), config).unwrap();
    for version in ["0.9.0", "1.0.0", "0.1.1"] {
        std::fs::write(folder.path().join("p.wasm"), of_version(version)).unwrap();
        for command in [&["validate"][..], &["plugin", "inspect", "p.wasm"]] {
            let ran = tollgate(folder.path(), command);
            assert_eq!(ran.code, 1, "{ran:?}");
            let part = format!("is written for `tollgate:plugin@{version}`; this gateway loads ");
            assert!(ran.stderr.contains(&part), "{ran:?}");
            assert!(ran.stderr.contains("`tollgate:plugin@0.1.0`: run it in a newer gateway"));
        }
    }
}
