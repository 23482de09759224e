//! `tollgate plugin test`: how exchanges end, and what plugins count.

use tollgate_tests::{artifacts, process::tollgate};

/// Runs these cases against the probe, and gives the exit code with all that was printed.
#[track_caller]
fn run(cases: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cases.yaml"), cases).unwrap();
    let component = artifacts::component("probe");
    let file = component.to_str().unwrap();
    let ran = tollgate(folder.path(), &["plugin", "test", file, "cases.yaml"]);
    (ran.code, ran.stdout + &ran.stderr)
}

#[test]
fn the_hook_for_the_end_is_told_what_came_of_the_step_and_what_the_case_states() {
    let (code, printed) = run(r#"
defaults: { config: { finish: true } }
cases:
  - name: as it came
    request: { method: POST, body: four }
    response: { status: 201, chunks: [six, six] }
    expect:
      logs: ['status="201" request_bytes="4" response_bytes="6" upstream="-" error="-"']
  - name: after a hook that failed
    config: { request: [{ fail: so it is }], finish: true }
    expect:
      verdict: fail
      logs: ['upstream="-" error="on-request: it said: so it is"']
  - name: as it is stated
    outcome:
      { status: 499, request_bytes: 1, response_bytes: 2, upstream: users, error: the client left }
    expect:
      logs: ['status="499" request_bytes="1" response_bytes="2" upstream="users" error="the client left"']
"#);
    assert_eq!(code, 0, "{printed}");
}

const COUNTING: &str = r#"
defaults:
  config:
    request:
      - count: seen
      - tell: { count: [refusals, { reason: expired, by: gate }, 3] }
      - tell: { observe: [wait, {}, 0.5] }
"#;

#[test]
fn what_a_plugin_counts_and_observes_is_compared_from_the_beginning_of_its_case() {
    let (code, printed) = run(&format!(
        r#"{COUNTING}
cases:
  - name: once
    expect:
      metrics: {{ seen: 1, 'refusals{{by="gate",reason="expired"}}': 3, wait: 0.5 }}
  - name: twice
    steps:
      - {{ expect: {{ metrics: {{ seen: 1 }} }} }}
      - {{ expect: {{ metrics: {{ seen: 2, wait: 1 }} }} }}
"#
    ));
    assert_eq!(code, 0, "{printed}");
}

#[test]
fn a_count_that_is_another_or_not_there_is_shown() {
    let (code, printed) = run(&format!(
        r#"{COUNTING}
cases:
  - {{ name: it differs, expect: {{ metrics: {{ seen: 2, sene: 1 }} }} }}
"#
    ));
    assert_eq!(code, 1, "{printed}");
    for part in [
        "metrics.seen\n        - 2\n        + 1",
        "metrics.sene\n        - 1\n        + (none; there are refusals{by=\"gate\",reason=\"expired\"}, seen, wait)",
    ] {
        assert!(printed.contains(part), "{part} is missing:\n{printed}");
    }
}
