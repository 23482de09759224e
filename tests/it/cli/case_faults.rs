//! Case files that are wrong.

use super::cases::{check_fails, run};

#[test]
fn faults_of_the_file_are_told_with_their_places() {
    check_fails(
        "probe",
        r#"
cases:
  - name: one
    requst: {}
    expect: { verdict: maybe }
  - name: two
    clock: yesterday
    response: { status: 99 }
"#,
        &[
            "cases.yaml:4:5: cases[0]: unknown key `requst`; did you mean `request`?",
            "cases.yaml:5:24: cases[0].expect.verdict: must be",
            "cases.yaml:7:12: cases[1].clock: must be a moment in UTC",
            "cases.yaml:8:25: cases[1].response.status: must be at least 200",
        ],
    );
    check_fails(
        "probe",
        r#"
cases:
  - name: one
    request: { method: "A B", target: x, headers: { "a b": c }, body: x, json: 1 }
  - name: one
    refused: x
    expect: {}
"#,
        &[
            "cases.yaml:4:24: cases[0].request.method",
            "cases.yaml:4:39: cases[0].request.target",
            r#"cases[0].request.headers."a b": is not the name of a header field"#,
            "cases[0].request.json: cannot stand beside `body`",
            "cases.yaml:5:11: cases[1].name: the case on line 3 has this name",
            "cases.yaml:7:13: cases[1].expect: cannot stand beside `refused`",
        ],
    );
}

#[test]
fn every_kind_of_fault_is_told_at_once() {
    let cases = r#"
cases:
  - { name: well, expect: { verdict: next } }
  - { name: shape, requst: {} }
  - { name: request, request: { method: "A B" } }
  - { name: grants, grants: { upstreams: [bils] }, config: { requests: [] } }
  - { name: config, config: { refuse: so } }
  - { name: refused, config: { refuse: so }, refused: so }
"#;
    let faults = [
        "cases.yaml:4:20: cases[1]: unknown key `requst`",
        "cases.yaml:5:41: cases[2].request.method: ",
        "cases.yaml:6:43: cases[3].grants.upstreams[0]: no upstream is called \"bils\"",
        "cases.yaml:7:29: cases[4].config: plugin `probe` refuses its configuration: so",
    ];
    check_fails("probe", cases, &faults);
    let (_folder, ran) = run("probe", cases, &[]);
    assert_eq!(ran.stderr.lines().count(), faults.len(), "{}", ran.stderr);
    assert_eq!(ran.stdout, "", "nothing is run");

    // Those of configurations are found before any case is run too.
    let cases = r#"
cases:
  - { name: first, expect: { verdict: next } }
  - { name: second, config: { refuse: so } }
  - { name: third, expect: { verdict: next } }
  - { name: fourth, limits: { cpu: soon } }
"#;
    let (_folder, ran) = run("probe", cases, &[]);
    assert_eq!((ran.code, &*ran.stdout), (1, ""), "{ran:?}");
    assert!(
        ran.stderr.contains("cases[1].config: ") && ran.stderr.contains("cases[3].limits.cpu: ")
    );
}

#[test]
fn what_the_gateway_or_the_plugin_refuses_is_told_at_its_place_in_the_file() {
    for (case, fault) in [
        ("config: { requests: [] }", "cases.yaml:4:15: cases[0].config: unknown key `requests`"),
        (
            "grants: { upstreams: [bils] }",
            "cases.yaml:4:27: cases[0].grants.upstreams[0]: no upstream",
        ),
        ("limits: { cpu: soon }", "cases.yaml:4:20: cases[0].limits.cpu: must be a duration"),
        ("limits: { cpus: 1s }", "cases.yaml:4:15: cases[0].limits: unknown key `cpus`"),
        ("route: { path: /a/{b }", "cases.yaml:4:20: cases[0].route.path"),
        ("config: { refuse: so }", "cases.yaml:4:13: cases[0].config: plugin `probe` refuses"),
    ] {
        let case = case.replace("{b }", "\"{b\" }").replace("/a/\"", "\"/a/");
        check_fails("probe", &format!("\ncases:\n  - name: one\n    {case}\n"), &[fault]);
    }
    let defaults = "\ndefaults:\n  config: { requests: [] }\ncases: [{ name: one }]\n";
    check_fails("probe", defaults, &["cases.yaml:3:13: defaults.config: unknown key `requests`"]);
}
