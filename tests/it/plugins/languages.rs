//! Plugins in Rust, JavaScript, Python and C.

use tollgate_tests::{Gateway, Setup, Upstream, artifacts, process::tollgate, wait};

const ALL: [&str; 4] = ["rust-password", "js-greeting", "python-allow-list", "c-timing"];

/// The named use of each example plugin, with a configuration that lets `ann` pass. An interpreter's first
/// hook takes some milliseconds; where other tests run, some of theirs count, too.
const USES: &str = r#"
plugins:
  password: { component: rust-password, config: { header: x-word, word: please, subject: ann } }
  greeting:
    component: js-greeting
    config: { member: greeting, greeting: "hello {subject}" }
    grants: { request_body: true }
    limits: { cpu: 1s }
  allow: { component: python-allow-list, config: { subjects: [ann] }, limits: { cpu: 1s } }
  timing: { component: c-timing, config: { header: x-took } }
"#;

fn config(upstream: &Upstream, plugins: &str) -> String {
    format!(
        r#"{USES}
workers: 1
upstreams: {{ u: {{ endpoints: ["{upstream}"] }} }}
routes:
  - name: all
    match: {{ path: "/{{*rest}}" }}
    upstream: u
    plugins: [{plugins}]
"#
    )
}

/// A gateway with the example plugins; `None` where one of them could not be built.
async fn chain(config: &str) -> Option<Gateway> {
    if !ALL.into_iter().all(artifacts::has_example) {
        return None;
    }
    compile_before();
    let setup = ALL.into_iter().fold(Setup::new(config), Setup::plugin);
    Some(setup.start().await)
}

/// Compiles the interpreters into the cache of the tests: for a gateway's start that takes too long.
fn compile_before() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        for name in ALL {
            let file = artifacts::component(name);
            let ran = tollgate(&artifacts::root(), &["plugin", "inspect", file.to_str().unwrap()]);
            assert_eq!(ran.code, 0, "{ran:?}");
        }
    });
}

const PLEASE: [(&str, &str); 2] = [("x-word", "please"), ("content-type", "application/json")];

#[tokio::test]
async fn four_languages_act_on_one_exchange() {
    let upstream = Upstream::echo().await;
    let plugins = "timing, password, allow, greeting";
    let Some(gateway) = chain(&config(&upstream, plugins)).await else { return };
    let reply = gateway.post("/", &PLEASE, r#"{"a":"\u00e9"}"#).await;
    assert_eq!(reply.status, 200, "{}", gateway.log());
    assert_eq!(reply.header("x-acted"), "js, python, rust, c");
    assert!(reply.header("x-took").ends_with("us"), "{}", reply.header("x-took"));

    let seen = reply.json();
    let body: serde_json::Value = serde_json::from_str(seen["body"].as_str().unwrap()).unwrap();
    assert_eq!(body, serde_json::json!({ "a": "\u{e9}", "greeting": "hello ann" }));
    assert!(seen["headers"]["x-word"].is_null(), "{seen}");
    gateway.stop().await;
}

#[tokio::test]
async fn each_language_can_answer_with_a_problem() {
    let upstream = Upstream::echo().await;
    let plugins = "timing, password, { use: allow, config: { subjects: [bob] } }";
    let other = config(&upstream, plugins);
    let Some(gateway) = chain(&config(&upstream, "password, allow, greeting")).await else {
        return;
    };
    let json = ("content-type", "application/json");

    let nobody = gateway.post("/", &[json], "{}").await;
    assert_eq!(nobody.problem(), "401 unauthorized", "{}", gateway.log());
    let broken = gateway.post("/", &PLEASE, "{").await;
    assert_eq!(broken.problem(), "400 bad-request", "{}", gateway.log());
    assert_eq!(broken.header("x-acted"), "js, python, rust");

    gateway.write_config(&other);
    let denied = wait::until("bob's list is in force", async || {
        let reply = gateway.post("/", &PLEASE, "{}").await;
        (reply.status != 200).then_some(reply)
    })
    .await;
    assert_eq!(denied.problem(), "403 forbidden", "{}", gateway.log());
    assert_eq!(denied.header("x-acted"), "python, rust, c");
    gateway.stop().await;
}

#[tokio::test]
async fn what_the_gateway_refuses_a_script_is_a_failure_with_its_reason() {
    let upstream = Upstream::echo().await;
    let ungranted = "{ component: js-greeting, config: { member: greeting, greeting: hi }, limits: { cpu: 1s } }";
    let Some(gateway) = chain(&config(&upstream, ungranted)).await else { return };
    let reply = gateway.post("/", &PLEASE, "{}").await;
    assert_eq!(reply.problem(), "503 plugin-failed", "{}", gateway.log());
    gateway.logged(&["a plugin failed", "on-request", "failed", "not-granted"]).await;
    gateway.stop().await;
}

#[test]
fn an_exception_in_configure_refuses_the_configuration_in_its_words() {
    if !ALL.into_iter().all(artifacts::has_example) {
        return;
    }
    compile_before();
    let refused = |component: &str, config: &str, reason: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = artifacts::component(component);
        let text = format!(
            "plugins: {{ p: {{ component: {}, config: {config} }} }}\nlisteners: [{{ address: \"127.0.0.1:0\" }}]\nroutes: [{{ name: r, match: {{ path: / }}, plugins: [p], respond: {{ status: 200 }} }}]\n",
            path.display()
        );
        std::fs::write(folder.path().join("tollgate.yaml"), text).unwrap();
        let ran = tollgate(folder.path(), &["validate", "-c", "tollgate.yaml"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains(reason), "{}", ran.stderr);
    };
    refused("js-greeting", "{ member: '', greeting: a }", "p.config.member: must not be empty");
    refused("python-allow-list", "{ networks: [ten] }", "'ten' does not appear to be");
    refused("c-timing", "{ header: 7 }", "header");
}
