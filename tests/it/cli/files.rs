//! Files that are none: named pipes, devices and folders are refused and never waited for.

use std::{path::Path, process::Command};

use tempfile::TempDir;
use tollgate_tests::{
    certs::Authority,
    process::{Ran, tollgate, tollgate_with},
    wait,
};

/// With every file that can be named in its own place.
const CONFIG: &str = r#"listeners:
  - address: "127.0.0.1:0"
    tls: { certificates: [{ certificate: own.pem, key: own.key }], client_ca: ca.pem }
admin: { address: "127.0.0.1:0" }
plugins: { probe: { component: probe, config: { refuse: "${file:secret}" } } }
upstreams: { users: { endpoints: ["127.0.0.1:9"], tls: { ca: ca.pem } } }
routes: [{ match: { path: / }, plugins: [probe], upstream: users }]
"#;

const FILES: [(&str, &str); 6] = [
    ("tollgate.yaml", "tollgate.yaml:1:1: cannot be read: it is "),
    ("own.pem", "listeners[0].tls.certificates[0].certificate: cannot read `own.pem`: it is "),
    ("own.key", "listeners[0].tls.certificates[0].key: cannot read `own.key`: it is "),
    ("ca.pem", "upstreams.users.tls.ca: cannot read `ca.pem`: it is "),
    ("plugins/probe.wasm", "plugins.probe: cannot read `plugins/probe.wasm`: it is "),
    ("secret", "plugins.probe.config.refuse: `secret` cannot be read: it is "),
];

fn folder() -> TempDir {
    let folder = super::folder(CONFIG);
    let authority = Authority::default();
    let own = authority.server(&["localhost"]);
    for (name, content) in [
        ("own.pem", own.pem),
        ("own.key", own.key),
        ("ca.pem", authority.pem()),
        ("secret", String::new()),
    ] {
        std::fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().expect("mkfifo is there");
    assert!(made.success());
}

async fn run(folder: &Path, arguments: &'static [&'static str]) -> Ran {
    let folder = folder.to_owned();
    let ran = tokio::task::spawn_blocking(move || tollgate(&folder, arguments));
    wait::within("it does not wait for a file", ran).await.unwrap()
}

#[tokio::test]
async fn a_file_that_is_a_pipe_a_device_or_a_folder_is_refused() {
    for (name, expected) in FILES {
        for (what, kind) in
            [("fifo", "a named pipe"), ("device", "a device"), ("folder", "a folder")]
        {
            let here = folder();
            let path = here.path().join(name);
            std::fs::remove_file(&path).unwrap();
            match what {
                "fifo" => make_pipe(&path),
                "device" => std::os::unix::fs::symlink("/dev/zero", &path).unwrap(),
                _ => std::fs::create_dir(&path).unwrap(),
            }
            for command in [&["validate"][..], &["run"]] {
                let ran =
                    run(here.path(), if command == ["run"] { &["run"] } else { &["validate"] })
                        .await;
                assert_eq!(ran.code, 1, "{name} {what} {command:?}: {ran:?}");
                let expected = format!("{expected}{kind}, not a regular file");
                assert!(ran.stderr.contains(&expected), "{expected} is missing:\n{}", ran.stderr);
            }
        }
    }
}

#[tokio::test]
async fn plugin_commands_wait_for_no_pipe_either() {
    let here = folder();
    make_pipe(&here.path().join("pipe.wasm"));
    for arguments in [
        &["plugin", "inspect", "pipe.wasm"][..],
        &["plugin", "bench", "pipe.wasm"],
        &["plugin", "test", "plugins/probe.wasm", "pipe.wasm"],
        &["plugin", "push", "pipe.wasm", "oci://127.0.0.1:9/a:1"],
    ] {
        let ran = run(here.path(), arguments).await;
        assert_eq!(ran.code, 1, "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains("it is a named pipe"), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn a_component_may_come_through_a_pipe_of_the_process() {
    let here = folder();
    let component = std::fs::read(here.path().join("plugins/probe.wasm")).unwrap();
    for name in ["-", "/dev/stdin", "/dev/fd/0"] {
        let ran = tollgate_with(here.path(), &[], &component, &["plugin", "inspect", name]);
        assert_eq!(ran.code, 0, "{name}: {ran:?}");
        let size = format!("size       {} bytes\n", component.len());
        assert!(ran.stdout.contains(&size), "{name}: {ran:?}");
        let ran = tollgate_with(here.path(), &[], "nothing", &["plugin", "inspect", name]);
        assert_eq!(ran.code, 1, "{name}: {ran:?}");
        let shown = if name == "-" { "<standard input>" } else { name };
        let expected = format!("`{shown}` is not a WebAssembly component");
        assert!(ran.stderr.contains(&expected), "{name}: {ran:?}");
        let (half, _) = component.split_at(component.len() / 2);
        let ran = tollgate_with(here.path(), &[], half, &["plugin", "inspect", name]);
        assert_eq!(ran.code, 1, "{name}: {ran:?}");
        let expected = format!("it is cut short, after {} bytes; copy it again", half.len());
        assert!(ran.stderr.contains(&expected), "{name}: {ran:?}");
    }
}

#[tokio::test]
async fn an_access_log_that_is_a_pipe_needs_a_reader() {
    let here = folder();
    let config =
        CONFIG.replace("${file:secret}", "") + "telemetry: { access_log: { path: log } }\n";
    let config = config.replace(", config: { refuse: \"\" }", "");
    std::fs::write(here.path().join("tollgate.yaml"), config).unwrap();
    make_pipe(&here.path().join("log"));
    let ran = run(here.path(), &["validate"]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("it is a named pipe that nobody reads"), "{ran:?}");
    let reader = tokio::net::unix::pipe::OpenOptions::new().open_receiver(here.path().join("log"));
    let _reader = reader.unwrap();
    let ran = run(here.path(), &["validate"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_configuration_may_come_through_a_pipe_of_the_process() {
    let here = folder();
    let config = CONFIG.replace(", config: { refuse: \"${file:secret}\" }", "");
    std::fs::write(here.path().join("tollgate.yaml"), &config).unwrap();
    let ran = tollgate_with(here.path(), &[], &config, &["validate", "-c", "-"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stdout.contains("<standard input>: valid ("), "{ran:?}");
    let ran = tollgate_with(here.path(), &[], &config, &["diff", "tollgate.yaml", "-"]);
    assert_eq!((ran.code, &*ran.stdout), (0, "no differences\n"), "{ran:?}");
    let ran = tollgate_with(here.path(), &[], "routes: [b", &["validate", "-c", "-"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.starts_with("<standard input>:1:"), "{ran:?}");
}

#[test]
fn a_link_that_leads_nowhere_says_so() {
    let here = folder();
    std::os::unix::fs::symlink("gone.yaml", here.path().join("link.yaml")).unwrap();
    let ran = tollgate(here.path(), &["validate", "-c", "link.yaml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    let told = "link.yaml: it is a link to `gone.yaml`, which is not there";
    assert!(ran.stderr.contains(told), "{ran:?}");
}
