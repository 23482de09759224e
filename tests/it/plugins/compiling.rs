//! Components are compiled in a process of their own: what goes wrong there costs the component alone.

use std::{fs, path::Path, process::Command};

use tollgate_tests::{
    Gateway, Setup, artifacts, heavy,
    process::{self, tollgate_with},
    wait,
};

/// The process in which `gateway` compiles.
async fn compiler(gateway: &Gateway) -> u32 {
    let process = async || compiler_of(gateway.pid());
    wait::until("the compiler", process).await
}

fn compiler_of(gateway: u32) -> Option<u32> {
    let threads = fs::read_dir(format!("/proc/{gateway}/task")).ok()?.flatten();
    let children = threads.filter_map(|it| fs::read_to_string(it.path().join("children")).ok());
    let children: Vec<u32> = children
        .flat_map(|it| it.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|pid| pid.parse().ok())
        .collect();
    let compiles = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| line.contains("compile-component"))
    };
    children.into_iter().find(compiles)
}

#[tokio::test]
async fn a_compiler_that_is_killed_costs_its_component_alone() {
    let config = r#"
        routes:
          - name: all
            match: { path: / }
            plugins: [{ component: swapped, config: { response: { set: { x-a: b } } } }]
            respond: { body: from the route }
        "#;
    let gateway = Setup::new(config).plugin_as("headers", "swapped").start().await;
    gateway.write_plugin("swapped", heavy::component(90_000, 40));
    let compiler = compiler(&gateway).await;
    let has = |file: &str| fs::read_to_string(format!("/proc/{compiler}/{file}")).unwrap();
    // It gets there before it reads what it is to compile.
    let bounded = async || has("limits").contains(&(4_u64 << 30).to_string()).then_some(());
    wait::until("its limits", bounded).await;
    assert_eq!(has("oom_score_adj").trim(), "1000");
    assert!(has("environ").starts_with("RAYON_NUM_THREADS="), "{}", has("environ"));
    assert_eq!(has("environ").matches('=').count(), 1, "{}", has("environ"));
    // Meant for the gateway.
    for signal in [libc::SIGHUP, libc::SIGUSR1, libc::SIGTERM] {
        process::signal(compiler, signal);
    }
    process::signal(compiler, libc::SIGKILL);
    gateway.failed_reloads_reach(1).await;
    gateway.logged(&["swapped", "compiling it was stopped from outside"]).await;
    let reply = gateway.get("/", &[]).await;
    assert_eq!((&*reply.header("x-a"), &*reply.text()), ("b", "from the route"));
    gateway.stop().await;
}

#[tokio::test]
async fn a_compiler_goes_when_its_gateway_is_killed() {
    let config = "routes: [{ name: all, match: { path: / }, respond: {} }]";
    let gateway = Setup::new(config).start().await;
    gateway.write_plugin("heavy", heavy::component(90_000, 40));
    gateway.write_config(
        "routes: [{ name: all, match: { path: / }, plugins: [{ component: heavy }], respond: {} }]",
    );
    let compiler = compiler(&gateway).await;
    // So that it does not come to its end by itself, and hears nothing but the kernel.
    process::signal(compiler, libc::SIGSTOP);
    gateway.signal(libc::SIGKILL);
    wait::until("its end", async || (!is_running(compiler)).then_some(())).await;
}

/// Whether it is there, and not only as what its parent has not asked for yet.
fn is_running(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/stat"));
    status.is_ok_and(|it| !it.contains(") Z "))
}

/// Runs the compiler under a limit of the shell's, which is below its own.
fn compile_under(limit: &str, folder: &Path, component: &Path) -> std::process::Output {
    let command = format!("ulimit {limit} && exec \"$0\" compile-component plugins <\"$1\"");
    Command::new("sh")
        .args(["-c", &command])
        .args([&artifacts::gateway(), component])
        .env("RAYON_NUM_THREADS", "2")
        .current_dir(folder)
        .output()
        .expect("a shell")
}

#[test]
fn compiling_has_only_so_much_cpu_time_and_memory() {
    use std::os::unix::process::ExitStatusExt;
    let folder = tempfile::tempdir().unwrap();
    let component = folder.path().join("heavy.wasm");
    fs::write(&component, heavy::component(90_000, 40)).unwrap();
    let slow = compile_under("-S -t 1", folder.path(), &component);
    assert_eq!(slow.status.signal(), Some(libc::SIGXCPU), "{slow:?}");
    let large = compile_under("-v 600000", folder.path(), &component);
    assert_eq!(large.status.signal(), Some(libc::SIGABRT), "{large:?}");
    let said = String::from_utf8_lossy(&large.stderr);
    assert!(said.contains("memory allocation of"), "{said}");
}

#[test]
fn who_checks_a_configuration_is_told_that_compiling_came_to_no_end() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("plugins")).unwrap();
    fs::write(folder.path().join("plugins/heavy.wasm"), heavy::component(90_000, 40)).unwrap();
    let config =
        "routes: [{ name: a, match: { path: / }, plugins: [{ component: heavy }], respond: {} }]";
    fs::write(folder.path().join("tollgate.yaml"), config).unwrap();
    let command = "ulimit -S -t 3 && exec \"$0\" validate --no-cache";
    let told = Command::new("sh")
        .args(["-c", command])
        .arg(artifacts::gateway())
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&told.stderr);
    assert_eq!(told.status.code(), Some(1), "{said}");
    assert!(said.contains("compiling it takes more CPU time than it may"), "{said}");
}

#[test]
fn the_compiler_tells_what_is_no_component() {
    let folder = tempfile::tempdir().unwrap();
    let compile =
        |input: &[u8]| tollgate_with(folder.path(), &[], input, &["compile-component", "plugins"]);
    let refused = compile(b"not a component");
    assert_eq!((refused.code, refused.stdout.as_str()), (90, ""), "{refused:?}");
    assert!(refused.stderr.contains("failed to parse"), "{refused:?}");
}
