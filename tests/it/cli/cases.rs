//! `tollgate plugin test`.

use tollgate_tests::{
    artifacts,
    process::{Ran, tollgate},
    tokens,
};

/// Runs these cases against a plugin, with more arguments.
pub(super) fn run(plugin: &str, cases: &str, more: &[&str]) -> (tempfile::TempDir, Ran) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cases.yaml"), cases).unwrap();
    let component = artifacts::component(plugin);
    let arguments = [&["plugin", "test", component.to_str().unwrap(), "cases.yaml"], more].concat();
    let ran = tollgate(folder.path(), &arguments);
    (folder, ran)
}

#[track_caller]
fn check_passes(plugin: &str, cases: &str) {
    let (_folder, ran) = run(plugin, cases, &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
}

/// Runs cases that do not pass, and looks for these parts of what is printed.
#[track_caller]
pub(super) fn check_fails(plugin: &str, cases: &str, parts: &[&str]) {
    let (_folder, ran) = run(plugin, cases, &[]);
    assert_eq!(ran.code, 1, "{ran:?}");
    for part in parts {
        let there = ran.stdout.contains(part) || ran.stderr.contains(part);
        assert!(there, "{part} is missing:\n{}{}", ran.stdout, ran.stderr);
    }
}

const PASSING: &str = r#"
defaults:
  grants: { upstreams: [users, away], request_body: true, response_body: true }
  upstreams:
    users:
      - { target: /a, times: 1, status: 203, body: first }
      - { method: GET, target: /a, status: 404, headers: { x-many: [a, b] }, json: { none: true } }
    away: unreachable
cases:
  - name: the request as it goes on
    config:
      request:
        - { set_header: [x-a, "1"] }
        - { remove_header: x-gone }
        - { set_target: "/y?z=2" }
        - { set_upstream: users }
        - { set_body: "{\"b\": [1]}" }
        - { set_attribute: [note, noted] }
        - { show: "attribute:before" }
        - { show: "param:id" }
        - { show: address }
    route: { path: "/orders/{id}" }
    client: { address: 203.0.113.9 }
    request: { method: POST, target: /orders/7, headers: { X-Gone: x, x-kept: [a, b] }, body: old }
    attributes: { before: earlier }
    expect:
      verdict: next
      request:
        method: POST
        target: /y?z=2
        upstream: users
        headers: { x-a: "1", x-kept: [a, b], X-Probe: [ok, ok, ok, ok, ok, earlier, "7", 203.0.113.9] }
        without: [x-gone]
        json: { b: [1] }
        contains: '"b"'
      attributes: { note: noted }
      calls: []
      logs: []
  - name: calls reach the stand-ins, which answer in turn
    config:
      request:
        - call: { upstream: users, target: /a }
        - call: { upstream: users, target: /a }
        - call: { upstream: away, target: /a }
        - call: { upstream: other, target: /a }
    expect:
      request: { headers: { x-probe: ["203", "404", unreachable, not-granted] } }
      calls:
        - { upstream: users, method: GET, target: /a, without: [x-probe] }
        - { upstream: users, target: /a }
  - name: an answer of the plugin, changed by its own response hook
    config:
      request: [{ respond: { status: 418, body: tea } }]
      response: [{ set_header: [x-after, "1"] }]
      finish: true
    expect:
      verdict: respond
      response: { status: 418, body: tea, headers: { x-after: "1" } }
      logs: ['info: finished id="00000000000000000000000000000001" note="" status="418"']
  - name: the response of the upstream, changed
    config: { response: [{ set_status: 201 }, { set_body: "" }] }
    response: { status: 200, headers: { etag: '"1"' }, json: { a: 1 } }
    expect: { verdict: next, response: { status: 201, body: "", headers: { etag: 'W/"1"' } } }
  - name: a hook that fails as expected
    config: { request: [{ fail: so it is }] }
    expect: { verdict: fail, error: "on-request: it said: so it is", response: { status: 503 } }
  - name: a response hook that fails as expected
    config: { response: [{ fail: so it is }] }
    response: {}
    expect: { error: "on-response: it said: so it is" }
  - name: a configuration that the plugin refuses
    config: { refuse: for a reason }
    refused: for a reason
  - name: a configuration that the schema refuses
    config: { request: 7 }
    refused: "config.request: must be a list"
"#;

#[test]
fn what_is_stated_goes_in_and_what_is_expected_comes_out() {
    let (_folder, ran) = run("probe", PASSING, &[]);
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.ends_with("8 passed, 0 failed\n"), "{}", ran.stdout);
}

#[test]
fn what_is_not_as_expected_is_shown_as_a_diff() {
    check_fails(
        "probe",
        r#"
cases:
  - name: it differs
    config:
      request: [{ set_header: [x-a, "1"] }, { count: seen }]
      response: [{ set_body: "{\"a\": 1, \"b\": 2}" }]
      finish: true
    grants: { response_body: true }
    response: {}
    expect:
      verdict: respond
      request: { headers: { x-a: "2" }, without: [x-probe], target: /other }
      response: { status: 404, json: { a: 1, b: 3 } }
      attributes: { note: n }
      logs: [another]
  - name: and this one is as expected
    config: {}
  - name: a hook that fails unexpectedly
    config: { request: [{ fail: for a reason }] }
  - name: a call that no answer is stated for
    config: { request: [{ call: { upstream: users, target: /b } }] }
    grants: { upstreams: [users] }
    upstreams: { users: [{ target: /a }] }
"#,
        &[
            "FAIL  it differs (cases.yaml:3:5)",
            "verdict\n        - respond\n        + next",
            "request.headers.x-a\n        - 2\n        + 1",
            "request.headers.x-probe\n        - (none)\n        + ok",
            "request.target\n        - /other\n        + /",
            "response.status\n        - 404\n        + 200",
            "          {\n            \"a\": 1,\n        -   \"b\": 3\n        +   \"b\": 2\n          }",
            "attributes.note\n        - n\n        + (none)",
            "logs\n        - another\n        + info: finished",
            "ok    and this one is as expected",
            "error\n        + on-request: it said: for a reason",
            "calls\n        + users GET /b\n        + no answer is stated for it",
            "1 passed, 3 failed",
        ],
    );
}

#[test]
fn clocks_stand_where_the_case_puts_them_and_move_when_it_says_so() {
    check_passes(
        "rate-limit",
        r#"
defaults: { config: { limits: [{ limit: 2/min }] } }
cases:
  - name: two pass, the third waits
    steps:
      - { expect: { verdict: next } }
      - { expect: { verdict: next } }
      - { expect: { verdict: respond, response: { status: 429, headers: { retry-after: "30" } } } }
      - { advance: 29s, expect: { verdict: respond } }
      - { advance: 1s, expect: { verdict: next } }
      - { advance: 1h, expect: { verdict: next } }
  - name: no case sees what another has counted
    expect: { verdict: next }
"#,
    );
}

#[test]
fn a_guest_sees_the_clock_of_the_case() {
    // Expires at 2030-01-01T00:00:00Z.
    let claims = serde_json::json!({ "sub": "ann", "exp": 1_893_456_000 });
    let token = tokens::Signer::hs256("k").token(&claims);
    let cases = r#"
defaults:
  config: { keys: [{ kid: k, secret: SECRET, algorithm: HS256 }], leeway: 1s, headers: { x-user: sub } }
cases:
  - name: before
    clock: 2029-12-31T23:59:59Z
    request: { headers: { authorization: Bearer TOKEN } }
    expect: { verdict: next, request: { headers: { x-user: ann } } }
  - name: after
    clock: 2030-01-01T00:00:02Z
    request: { headers: { authorization: Bearer TOKEN } }
    expect: { verdict: respond, response: { status: 401 } }
"#;
    check_passes("jwt", &cases.replace("TOKEN", &token).replace("SECRET", tokens::SECRET));
}

#[test]
fn a_filter_chooses_cases_and_junit_has_their_results() {
    let cases = r#"
cases:
  - { name: good one, expect: { verdict: next } }
  - { name: bad one, expect: { verdict: respond } }
  - { name: another }
"#;
    let (folder, ran) = run("probe", cases, &["--filter", "one", "--junit", "out.xml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stdout.ends_with("1 passed, 1 failed\n"), "{}", ran.stdout);
    let xml = std::fs::read_to_string(folder.path().join("out.xml")).unwrap();
    assert!(xml.contains("<testsuites tests=\"2\" failures=\"1\">"), "{xml}");
    assert!(xml.contains("<failure message=\"cases.yaml:4:5\">verdict"), "{xml}");

    let (_folder, ran) = run("probe", cases, &["--filter", "none"]);
    assert_eq!(ran.code, 1, "{ran:?}");
}

#[test]
fn the_schema_is_one_and_accepts_what_passes() {
    let here = tempfile::tempdir().unwrap();
    let ran = tollgate(here.path(), &["plugin", "test", "--schema"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let schema: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    jsonschema::meta::validate(&schema).expect("a JSON Schema");
    let validator = jsonschema::validator_for(&schema).unwrap();
    let instance = serde_saphyr::from_str::<serde_json::Value>(PASSING).unwrap();
    let faults: Vec<_> = validator.iter_errors(&instance).map(|e| e.to_string()).collect();
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn a_component_that_is_none_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cases.yaml"), "cases: [{ name: one }]").unwrap();
    let ran = tollgate(folder.path(), &["plugin", "test", "cases.yaml", "cases.yaml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("not a WebAssembly component"), "{ran:?}");
}

#[test]
fn stores_hold_what_the_case_states_and_forget_by_its_clock() {
    check_passes(
        "probe",
        r#"
defaults:
  grants: { stores: [tokens] }
cases:
  - name: what is there is found, and what is set is there
    stores: { tokens: { a: stated } }
    config:
      request:
        - store: { call: get, key: a }
        - store: { call: set, key: b, value: new, ttl_ms: 1000 }
    steps:
      - expect:
          request: { headers: { x-probe: [stated, set] } }
          stores: { tokens: { a: stated, b: new } }
  - name: what has a time to live goes after it
    config:
      request:
        - store: { call: add, key: b, value: new, ttl_ms: 1000 }
    steps:
      - { expect: { request: { headers: { x-probe: "true" } } } }
      - { advance: 999ms, expect: { request: { headers: { x-probe: "false" } } } }
      - { advance: 1ms, expect: { request: { headers: { x-probe: "true" } } } }
  - name: no case sees what another has kept
    config: { request: [{ store: { call: get, key: b } }] }
    expect: { request: { headers: { x-probe: none } } }
"#,
    );
}
