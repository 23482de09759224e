//! `tollgate plugin new` and `build`: from nothing to a component that a gateway serves with. What
//! a language's tools are missing for is left out, and the output says so.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use tollgate_tests::{
    Setup, artifacts,
    process::{Ran, tollgate},
};

#[track_caller]
fn succeeds(folder: &Path, arguments: &[&str]) -> Ran {
    let ran = tollgate(folder, arguments);
    assert_eq!(ran.code, 0, "{arguments:?}\n{}\n{}", ran.stdout, ran.stderr);
    ran
}

/// A new project in a language whose tools may be missing.
fn project_in(language: &str) -> Option<(tempfile::TempDir, PathBuf)> {
    if artifacts::root().join("templates").join(language).is_dir() {
        return Some(project(language));
    }
    skipped(&format!("there is no template for {language}"));
    None
}

/// A new project, and the folder that goes with it.
fn project(language: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let sdk = artifacts::root().join("plugin-sdk");
    let sdk = sdk.to_str().unwrap();
    let name = format!("my-{language}");
    let arguments = ["plugin", "new", &name, "--lang", language];
    let more: &[&str] = if language == "rust" { &["--sdk", sdk] } else { &[] };
    succeeds(folder.path(), &[&arguments, more].concat());
    let project = folder.path().join(name);
    (folder, project)
}

#[expect(clippy::print_stderr, reason = "whoever reads the output should know")]
fn skipped(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}

#[track_caller]
fn check_builds_and_passes(project: &Path, name: &str, cases: usize) {
    let component = format!("build/{name}.wasm");
    let built = succeeds(project, &["plugin", "build"]);
    for part in [component.as_str(), "tollgate:plugin@0.1.0", "sha256:"] {
        assert!(built.stdout.contains(part), "{part} is missing:\n{}", built.stdout);
    }
    let tested = succeeds(project, &["plugin", "test", &component, "cases.yaml"]);
    let all = format!("{cases} passed, 0 failed\n");
    assert!(tested.stdout.ends_with(&all), "{}", tested.stdout);
}

/// Dependencies at the versions that the workspace has, compiled once for all runs.
fn cargo_project() -> (tempfile::TempDir, PathBuf) {
    let (folder, project) = project("rust");
    let root = artifacts::root();
    std::fs::copy(root.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    let target = format!("[build]\ntarget-dir = {:?}\n", root.join("target/new-plugins"));
    std::fs::create_dir(project.join(".cargo")).unwrap();
    std::fs::write(project.join(".cargo/config.toml"), target).unwrap();
    (folder, project)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_project_in_rust_builds_passes_and_tells_the_line_of_a_panic() {
    let (_folder, project) = cargo_project();
    check_builds_and_passes(&project, "my-rust", 4);

    // The same with debug information, and a panic in a line of its own.
    let edit = |file: &str, from: &str, to: &str| {
        let path = project.join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from} is missing in {file}");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    };
    edit("Cargo.toml", "strip = \"debuginfo\"", "debug = \"line-tables-only\"");
    edit(
        "src/lib.rs",
        "        request.remove_header",
        "        assert!(request.header(\"x-panic\").is_none());\n        request.remove_header",
    );
    let text = std::fs::read_to_string(project.join("src/lib.rs")).unwrap();
    let line = text.lines().position(|line| line.contains("x-panic")).unwrap() + 1;

    let gateway = Setup::new(
        r#"
        plugins: { word: { component: probe, config: {} } }
        routes: [{ match: { path: / }, plugins: [word], respond: { body: through } }]
        "#,
    )
    .plugin("probe")
    .start()
    .await;
    // Into the plugin directory of a gateway that runs, and named in its configuration.
    let place = gateway.folder().join("plugins/my-rust.wasm");
    succeeds(&project, &["plugin", "build", "--out", place.to_str().unwrap()]);
    gateway.write_config(
        r#"
        plugins: { word: { component: my-rust, config: { header: x-word, word: please } } }
        routes: [{ match: { path: / }, plugins: [word], respond: { body: through } }]
        "#,
    );
    gateway.logged(&["\"reloaded\""]).await;
    assert_eq!(gateway.get("/", &[("x-word", "no")]).await.status, 401);
    let reply = gateway.get("/", &[("x-word", "please")]).await;
    assert_eq!((reply.text(), reply.header("x-checked-by")), ("through".into(), "my-rust".into()));
    let reply = gateway.get("/", &[("x-word", "please"), ("x-panic", "1")]).await;
    assert_eq!(reply.problem(), "503 plugin-failed");
    let told = gateway.logged(&["told once", "word"]).await;
    assert!(told.contains(&format!("src/lib.rs:{line}")), "line {line} is missing:\n{told}");
    assert!(told.contains("on_request"), "{told}");
}

/// Links what `cargo xtask test --only example-plugins` has installed for an example in this
/// language, so that nothing is downloaded; `false`: it has not.
fn link_tools(example: &str, folder: &str, project: &Path) -> bool {
    let installed = artifacts::root().join("target/example-builds").join(example).join(folder);
    installed.is_dir() && std::os::unix::fs::symlink(installed, project.join(folder)).is_ok()
}

/// A new project in JavaScript with its tools, where there are any.
fn project_in_javascript() -> Option<(tempfile::TempDir, PathBuf)> {
    let made = project_in("js")?;
    if !link_tools("js-greeting", "node_modules", &made.1) {
        skipped("componentize-js is not installed");
        return None;
    }
    Some(made)
}

#[test]
fn a_new_project_in_javascript_builds_and_passes() {
    let Some((_folder, project)) = project_in_javascript() else { return };
    check_builds_and_passes(&project, "my-js", 4);
}

/// What a script gets wrong without its language minding.
const MISTAKES: &str = r#"
import { plugin, respond } from './tollgate.js';
import { equal } from 'tollgate:plugin/crypto@0.1.0';
import { Response } from 'tollgate:plugin/types@0.1.0';
export const filter = plugin({
  name: 'mistakes', version: '0.1.0', summary: 'Makes them', schema: { type: 'object' },
  onRequest(request) {
    switch (request.header('x-make')) {
      case 'text': return void equal('a', 'b');
      case 'object': throw { code: 1 };
      case 'nothing': return respond(undefined);
      case 'number': return void request.setHeader('x-a', 5);
      case 'fetch': fetch('http://a.test/');
    }
  },
  onResponse(request) {
    switch (request.header('x-make')) {
      case 'promise': return Promise.reject(new Error('lost'));
      case 'answer': return new Response(200);
    }
  },
  onResponseChunk: (request, chunk) => chunk,
});
"#;

const MISTAKES_CASES: &str = r#"
defaults: { grants: { response_body: true } }
cases:
  - { name: text, request: { headers: { x-make: text } }, expect: { verdict: fail, error: "bytes have to be a Uint8Array, not a text" } }
  - { name: object, request: { headers: { x-make: object } }, expect: { verdict: fail, error: it threw an object with code } }
  - { name: nothing, request: { headers: { x-make: nothing } }, expect: { verdict: fail, error: "takes a Response, not undefined" } }
  - { name: number, request: { headers: { x-make: number } }, expect: { verdict: fail, error: "(onRequest@plugin.js:" } }
  - { name: fetch, request: { headers: { x-make: fetch } }, expect: { verdict: fail, error: there is no fetch } }
  - { name: answer, request: { headers: { x-make: answer } }, response: {}, expect: { error: has nothing to answer with } }
  - { name: promise, request: { headers: { x-make: promise } }, response: {}, expect: { error: "not a Promise" } }
  - { name: chunk, response: { body: as it is }, expect: { response: { body: as it is } } }
"#;

#[test]
fn mistakes_in_javascript_are_failures_with_their_reason() {
    let Some((_folder, project)) = project_in_javascript() else { return };
    std::fs::write(project.join("plugin.js"), MISTAKES).unwrap();
    std::fs::write(project.join("cases.yaml"), MISTAKES_CASES).unwrap();
    check_builds_and_passes(&project, "my-js", 8);
}

/// What a hook holds of the gateway, and forgets.
const HOLDING: &str = r#"
import { plugin } from './tollgate.js';
import { Response } from 'tollgate:plugin/types@0.1.0';
import { Key } from 'tollgate:plugin/crypto@0.1.0';
export const filter = plugin({
  name: 'holding', version: '0.1.0', summary: 'Holds on', schema: { type: 'object' },
  onRequest() {
    for (let i = 0; i < 20; i++) {
      new Response(200).status();
      Key.fromSecret(new Uint8Array(32));
    }
  },
});
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_in_javascript_gives_back_what_it_held() {
    let Some((_folder, project)) = project_in_javascript() else { return };
    std::fs::write(project.join("plugin.js"), HOLDING).unwrap();
    succeeds(&project, &["plugin", "build"]);
    let component = std::fs::read(project.join("build/my-js.wasm")).unwrap();
    let gateway = Setup::new(
        "workers: 1\nroutes: [{ match: { path: / }, plugins: [{ component: my-js, limits: { cpu: 10s } }], respond: {} }]",
    )
    .file("plugins/my-js.wasm", component)
    .start()
    .await;
    // 64 responses and 1,024 keys are all that an instance may have.
    for _ in 0..60 {
        assert_eq!(gateway.get("/", &[]).await.status, 200);
    }
    assert_eq!(gateway.status().await["plugins"][0]["errors"], 0);
    gateway.stop().await;
}

/// Values that are not what the world has at their places.
const WRONG_TYPES: &str = r#"
from tollgate import Plugin, export, respond
from wit_world.imports import telemetry
from wit_world.imports.http_client import Call
from wit_world.imports import http_client


class Wrong(Plugin):
    name, version, summary, schema = "wrong", "0.1.0", "Takes one for another", {"type": "object"}

    def on_request(self, request):
        match request.header("x-make"):
            case "number":
                request.set_header("x-n", 7)
            case "text":
                request.set_body("text")
            case "level":
                telemetry.log("info", "well", [])
            case "pairs":
                http_client.send(Call("u", "GET", "/", {"a": "b"}, None, None))
            case "answer":
                return respond({"status": 200})


Filter = export(Wrong)
"#;

const WRONG_TYPES_CASES: &str = r#"
cases:
  - { name: number, request: { headers: { x-make: number } }, expect: { verdict: fail, error: "value has to be str, not int: 7 (plugin.py:" } }
  - { name: text, request: { headers: { x-make: text } }, expect: { verdict: fail, error: "body has to be bytes, not str: text" } }
  - { name: level, request: { headers: { x-make: level } }, expect: { verdict: fail, error: "level has to be" } }
  - { name: pairs, request: { headers: { x-make: pairs } }, expect: { verdict: fail, error: "call has to be" } }
  - { name: answer, request: { headers: { x-make: answer } }, expect: { verdict: fail, error: "takes a Response, not dict" } }
"#;

#[test]
fn values_of_wrong_types_in_python_are_failures_with_their_place() {
    let Some((_folder, project)) = project_in("python") else { return };
    if !link_tools("python-allow-list", ".venv", &project) {
        skipped("componentize-py is not installed");
        return;
    }
    std::fs::write(project.join("plugin.py"), WRONG_TYPES).unwrap();
    std::fs::write(project.join("cases.yaml"), WRONG_TYPES_CASES).unwrap();
    check_builds_and_passes(&project, "my-python", 5);
}

#[test]
fn a_new_project_in_python_builds_and_passes() {
    let Some((_folder, project)) = project_in("python") else { return };
    if !link_tools("python-allow-list", ".venv", &project) {
        skipped("componentize-py is not installed");
        return;
    }
    check_builds_and_passes(&project, "my-python", 4);
}

#[test]
fn a_new_project_in_c_builds_and_passes() {
    let Some((_folder, project)) = project_in("c") else { return };
    let tools = Command::new("make").arg("tools").current_dir(&project).output();
    if !tools.is_ok_and(|ran| ran.status.success()) {
        skipped("clang, lld, wasi-libc or wasm-component-ld is missing");
        return;
    }
    check_builds_and_passes(&project, "my-c", 4);
}

#[test]
fn what_cannot_be_made_or_built_is_told_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let fails = |arguments: &[&str], reason: &str| {
        let ran = tollgate(folder.path(), arguments);
        assert_eq!(ran.code, 1, "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(reason), "{reason} is missing: {ran:?}");
    };
    fails(&["plugin", "new", "My_Plugin"], "`My_Plugin` is not a name for a plugin");
    fails(&["plugin", "new", "a", "--sdk", "."], "is not the folder of `tollgate-plugin`");
    let alone = folder.path().join("tollgate");
    std::fs::copy(artifacts::gateway(), &alone).unwrap();
    let ran = Command::new(alone).args(["plugin", "new", "a"]).current_dir(folder.path()).output();
    let told = String::from_utf8(ran.unwrap().stderr).unwrap();
    assert!(told.contains("in no registry yet: name its folder with `--sdk`"), "{told}");
    succeeds(folder.path(), &["plugin", "new", "taken", "--lang", "c"]);
    fails(&["plugin", "new", "taken", "--lang", "c"], "is there already");
    fails(&["plugin", "build"], "no project that can be built");
}

#[test]
fn a_tool_that_is_missing_is_told_with_its_remedy() {
    let (_folder, project) = project("rust");
    let ran = Command::new(artifacts::gateway())
        .args(["plugin", "build"])
        .current_dir(project)
        .env("PATH", "/nowhere")
        .output()
        .unwrap();
    let told = String::from_utf8(ran.stderr).unwrap();
    assert!(told.contains("`cargo` is missing") && told.contains("rustup.rs"), "{told}");
}
