//! `tollgate plugin test` with chunk hooks, and with the cache.

use tollgate_tests::{artifacts, process::tollgate};

/// Runs these cases, and gives the exit code with all that was printed.
#[track_caller]
fn run(plugin: &str, cases: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cases.yaml"), cases).unwrap();
    let component = artifacts::component(plugin);
    let file = component.to_str().unwrap();
    let ran = tollgate(folder.path(), &["plugin", "test", file, "cases.yaml"]);
    (ran.code, ran.stdout + &ran.stderr)
}

#[track_caller]
fn check_passes(plugin: &str, cases: &str) {
    let (code, printed) = run(plugin, cases);
    assert_eq!(code, 0, "{printed}");
}

#[track_caller]
fn check_fails(plugin: &str, cases: &str, parts: &[&str]) {
    let (code, printed) = run(plugin, cases);
    assert_eq!(code, 1, "{printed}");
    for part in parts {
        assert!(printed.contains(part), "{part} is missing:\n{printed}");
    }
}

#[test]
fn chunk_hooks_of_both_ways_run_over_the_pieces_that_a_case_states() {
    check_passes(
        "chunks",
        r#"
defaults: { grants: { request_body: true, response_body: true } }
cases:
  - name: each piece is a chunk, the last of which ends the body
    config: { request: { wrap: ["<", ">"] }, response: upper, finish: true }
    request: { method: POST, chunks: [a, b, c] }
    response: { chunks: [x, y] }
    expect:
      verdict: next
      request: { chunks: [<a, b, c>], body: <abc>, without: [content-length] }
      response: { chunks: [X, Y], body: XY }
      attributes: { request: 3/1/1, response: 2/1/1 }
      logs: ['request="3/1/1" response="2/1/1"']
  - name: an empty piece at the end is an end that comes alone
    config: { request: { wrap: ["<", ">"] } }
    request: { method: POST, chunks: [a, ""] }
    expect: { request: { chunks: [<a, ">"] }, attributes: { request: 2/1/1 } }
  - name: a whole body is one chunk, and can be cut
    config: { request: { stamp: "-" }, response: { stamp: "-" } }
    request: { method: POST, body: abcdefg, chunk_bytes: 3 }
    response: { json: { a: 1 } }
    expect: { request: { chunks: [-abc, -def, -g] }, response: { chunks: ['-{"a":1}'] } }
  - name: what a hook holds back it sees again
    config: { response: { replace: [secret, "***"] } }
    response: { chunks: [a sec, ret b] }
    expect: { response: { chunks: ["a ", "*** b"] } }
  - name: a request without a body has no chunks
    config: { request: { stamp: "-" } }
    expect: { verdict: next, request: { body: "", chunks: [] } }
"#,
    );
}

#[test]
fn content_codings_are_undone_before_the_hooks_and_done_again_after() {
    let cases = r#"
defaults: { grants: { request_body: true, response_body: true } }
cases:
  - name: the hooks see what is in the coding, piece by piece
    config: { request: { stamp: "-" }, response: upper }
    request: { method: POST, chunks: [a, b], coding: CODING, headers: { accept-encoding: CODING } }
    response: { chunks: [x, y], coding: CODING }
    expect:
      request: { headers: { content-encoding: CODING }, contains: -a-b }
      response: { headers: { content-encoding: CODING, vary: accept-encoding }, body: XY }
  - name: a client that does not take the coding gets none
    config: { response: upper }
    response: { body: xy, coding: CODING }
    expect: { response: { without: [content-encoding], chunks: [XY] } }
"#;
    for coding in ["gzip", "br", "zstd", "deflate"] {
        check_passes("chunks", &cases.replace("CODING", coding));
    }
    check_passes(
        "chunks",
        r#"
defaults: { grants: { request_body: true, response_body: true } }
cases:
  - name: a coding that nobody can undo is refused
    config: { request: upper }
    request: { method: POST, body: x, headers: { content-encoding: snappy } }
    expect: { verdict: fail, error: a content coding that is not known, response: { status: 415 } }
  - name: a body that does not follow its coding is refused
    config: { request: upper }
    request: { method: POST, body: x, headers: { content-encoding: gzip } }
    expect: { verdict: fail, error: does not follow its content coding, response: { status: 400 } }
"#,
    );
}

#[test]
fn a_body_that_a_plugin_reads_or_replaces_has_its_coding_again() {
    check_passes(
        "probe",
        r#"
cases:
  - name: read, and replaced
    grants: { request_body: true, response_body: true }
    config: { request: [{ show: body }, { set_body: new }], response: [{ set_body: other }] }
    request: { method: POST, body: old, coding: gzip, headers: { accept-encoding: gzip } }
    response: { body: old, coding: gzip }
    expect:
      request: { headers: { x-probe: [old, ok], content-encoding: gzip }, body: new }
      response: { headers: { content-encoding: gzip }, body: other }
"#,
    );
}

#[test]
fn a_chunk_hook_that_fails_is_a_failure_of_the_case() {
    check_passes(
        "chunks",
        r#"
defaults: { grants: { request_body: true, response_body: true } }
cases:
  - name: on its way in, as expected
    config: { request: { fail: 2 } }
    request: { method: POST, chunks: [a, b] }
    response: {}
    expect: { verdict: fail, error: "on-request-chunk: it said:", response: { status: 503 } }
  - name: on its way out, as expected
    config: { response: { fail: 2 } }
    response: { chunks: [a, b] }
    expect: { error: "on-response-chunk: it said:", response: { status: 200, chunks: [a] } }
"#,
    );
    check_fails(
        "chunks",
        r#"
defaults: { grants: { response_body: true } }
cases:
  - name: it fails
    config: { response: { panic: 1 } }
    response: { body: a }
    expect: { verdict: next, response: { body: a } }
  - name: it differs
    config: { response: { stamp: "-" } }
    response: { chunks: ["a\n", b] }
    expect: { response: { chunks: ["-a\n", b] } }
"#,
        &[
            "verdict\n        - next\n        + fail: on-response-chunk: it trapped",
            "response.body\n        - a body\n        + plugin `chunks` failed in on-response-chunk",
            "response.chunks\n          \"-a\\n\"\n        - \"b\"\n        + \"-b\"",
            "0 passed, 2 failed",
        ],
    );
}

#[test]
fn pieces_beside_a_whole_body_are_a_fault() {
    check_fails(
        "chunks",
        r#"
cases:
  - name: one
    request: { chunks: [a], body: a, chunk_bytes: 1 }
    response: { coding: lzma, chunk_bytes: 0 }
"#,
        &["cases[0].response.coding: must be", "cases[0].response.chunk_bytes: must be at least 1"],
    );
    check_fails(
        "chunks",
        "cases: [{ name: one, request: { chunks: [a], body: a, chunk_bytes: 1 } }]",
        &[
            "cases[0].request.body: cannot stand beside `chunks`",
            "cases[0].request.chunk_bytes: cannot stand beside `chunks`",
        ],
    );
}

#[test]
fn the_cache_grows_old_by_the_clock_of_the_case() {
    check_passes(
        "probe",
        r#"
cases:
  - name: what is kept is there until its time is over
    grants: { cache: true }
    config:
      request: [{ cache: { age: a } }]
      response: [{ cache: { put: { key: a, ttl_ms: 60000 } } }]
    steps:
      - { response: { body: kept }, expect: { request: { headers: { x-probe: miss } } } }
      - { advance: 59s, response: {}, expect: { request: { headers: { x-probe: "59000" } } } }
      - { advance: 61s, response: {}, expect: { request: { headers: { x-probe: miss } } } }
"#,
    );
}
