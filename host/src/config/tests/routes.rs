//! Routes: what they match, where they end, what they are called.

use super::*;

#[test]
fn a_route_has_one_end_and_only_what_goes_with_it() {
    check_faults(
        &with_routes(
            "routes:
  - match: { path: /a }
  - match: { path: /b }
    upstream: bills
    respond: {}
  - match: { path: /c }
    respond: {}
    strip_prefix: /x
  - match: { path: /d }
    upsteam: bills
  - match: { path: /e }
    upstream: bills
    rewrite: { path: /x }
    strip_prefix: /x
",
        ),
        &[
            "tollgate.yaml:6:5: routes[0]: needs one of `upstream`, `component`, `redirect` and `respond`, or `plugins` that answer",
            "tollgate.yaml:9:5: routes[1].respond: cannot stand beside `upstream`",
            "tollgate.yaml:12:5: routes[2].strip_prefix: needs `upstream`",
            "tollgate.yaml:14:5: routes[3]: unknown key `upsteam`; did you mean `upstream`?",
            "tollgate.yaml:18:5: routes[4].strip_prefix: cannot stand beside `rewrite.path`",
        ],
    );
}

#[test]
fn what_a_route_can_never_do_is_a_fault() {
    check_ok(&with_routes(
        "routes:
  - { match: { path: \"/a/b\" }, upstream: bills, strip_prefix: /a }
  - { match: { path: \"/{x}/c\" }, upstream: bills, strip_prefix: /a/c }
  - { match: { path: \"/d/{*rest}\" }, upstream: bills, strip_prefix: /d/e/f }
",
    ));
    check_faults(
        &with_routes(
            "routes:
  - { match: { path: \"/a/b\" }, upstream: bills, strip_prefix: /z }
  - { match: { path: \"/a\" }, upstream: bills, strip_prefix: /a/b }
  - { match: { path: \"/c\" }, respond: { status: 204, body: text } }
",
        ),
        &[
            "tollgate.yaml:6:63: routes[0].strip_prefix: is never there: the route's path is `/a/b`",
            "tollgate.yaml:7:61: routes[1].strip_prefix: is never there: the route's path is `/a`",
            "tollgate.yaml:8:60: routes[2].respond.body: a response with the status 204 has none",
        ],
    );
}

#[test]
fn routes_between_which_nothing_decides_are_refused_at_the_later_one() {
    check_faults(
        &with_routes(
            "routes:
  - { match: { path: \"/a/{x}\" }, upstream: bills }
  - { name: two, match: { path: \"/a/{y}\" }, upstream: bills }
  - { name: two, match: { path: \"/b\" }, upstream: bills }
",
        ),
        &[
            "tollgate.yaml:7:33: routes[1].match.path: matches the same requests as routes[0] (tollgate.yaml:6:5), and neither is more specific; give one of them another path, method, host or condition",
            "tollgate.yaml:8:13: routes[2].name: is already the name of routes[1] (tollgate.yaml:7:5)",
        ],
    );
}

#[test]
fn methods_that_the_gateway_answers_itself_match_nothing() {
    check_faults(
        &with_routes(
            "routes:
  - { match: { path: /a, methods: [GET, TRACE, CONNECT, PURGE, trace, Get] }, upstream: bills }
",
        ),
        &[
            "tollgate.yaml:6:41: routes[0].match.methods[1]: never matches: the gateway answers TRACE with 405 itself, since an upstream's answer would show what it was sent, credentials included; leave TRACE out",
            "tollgate.yaml:6:48: routes[0].match.methods[2]: never matches: the gateway answers CONNECT with 405 itself, since it is no proxy that opens tunnels to any host; leave CONNECT out",
            "tollgate.yaml:6:64: routes[0].match.methods[4]: never matches: the gateway answers TRACE with 405 itself, since an upstream's answer would show what it was sent, credentials included; leave TRACE out",
            "tollgate.yaml:6:71: routes[0].match.methods[5]: no method is called \"Get\": methods are in capitals, GET",
        ],
    );
}

#[test]
fn templates_name_parameters_of_their_own_path_and_decide_on_no_host() {
    check_faults(
        &with_routes(
            r#"routes:
  - { match: { path: "/a/{id}" }, upstream: bills, rewrite: { path: "/b/{ib}" } }
  - { match: { path: "/b" }, upstream: bills, rewrite: { path: "/b/{id}" } }
  - { match: { path: "/c/{id}" }, upstream: bills, rewrite: { path: "/b/../{id}?x" } }
  - { match: { path: "/d/{id}" }, redirect: { location: "https://{id}.example/" } }
  - { match: { path: "/e/{id}" }, redirect: { location: "javascript:{id}" } }
  - { match: { path: "/f/{id" }, redirect: { location: "/{id}" } }
  - { match: { path: "/g" }, respond: { headers: { content-length: "1", "a b": "x", x: "a\nb" } } }
"#,
        ),
        &[
            "tollgate.yaml:6:69: routes[0].rewrite.path: the path has no parameter called `ib` (it has `id`)",
            "tollgate.yaml:7:64: routes[1].rewrite.path: the path has no parameter called `id` (it has none)",
            "tollgate.yaml:8:69: routes[2].rewrite.path: must be without `?` and `#`; the query stays as it is",
            "tollgate.yaml:9:57: routes[3].redirect.location: parameters may stand after the host only",
            "tollgate.yaml:10:57: routes[4].redirect.location: must begin with `/`, `https://` or `http://`",
            "tollgate.yaml:11:22: routes[5].match.path: a parameter must be a whole segment, such as `/{name}/`; `{id` is not",
            "tollgate.yaml:12:52: routes[6].respond.headers.content-length: is set by the gateway itself",
            "tollgate.yaml:12:73: routes[6].respond.headers.\"a b\": is not a header field name",
            "tollgate.yaml:12:88: routes[6].respond.headers.x: is not a header field value",
        ],
    );
}

#[test]
fn a_component_at_the_end_of_a_route_is_named_or_a_table() {
    let config = check_ok(&with_routes(
        "routes:
  - { match: { path: /a }, component: hello }
  - { match: { path: /b }, component: { component: hello } }
  - { match: { path: /c }, component: { component: ./own.wasm, grants: { upstreams: [bills] }, limits: { cpu: 5s, calls: 1 } } }
",
    ));
    let [hello, own] = config.services.as_slice() else { panic!("{:?}", config.services) };
    assert_eq!(hello.component, Source::File("etc/plugins/hello.wasm".into()));
    assert_eq!((hello.name.as_str(), own.name.as_str()), ("hello", "own"));
    assert_eq!(
        (hello.limits.cpu, own.limits.cpu),
        (Duration::from_secs(1), Duration::from_secs(5))
    );
    assert_eq!((own.upstreams.as_slice(), own.limits.calls), (&["bills".to_owned()][..], 1));
    let ends = config.routes.iter().map(|route| match route.action {
        Action::Component(index) => index,
        ref other => panic!("{other:?}"),
    });
    assert_eq!(ends.collect::<Vec<_>>(), [0, 0, 1]);

    check_faults(
        &with_routes(
            "routes:
  - { match: { path: /a }, component: hello, upstream: bills }
  - { match: { path: /b }, component: { grants: { upstreams: [bils] } } }
  - { match: { path: /c }, component: { component: oci://x.y/z } }
  - { match: { path: /d }, component: [hello] }
  - { match: { path: /e }, component: { component: x, on_error: skip, limits: { memory: 2GiB } } }
  - { match: { path: /f }, component: x, strip_prefix: /f }
",
        ),
        &[
            "tollgate.yaml:6:28: routes[0].component: cannot stand beside `upstream`",
            "tollgate.yaml:7:39: routes[1].component: `component` is missing",
            "tollgate.yaml:7:63: routes[1].component.grants.upstreams[0]: no upstream is called \"bils\"; did you mean \"bills\"?",
            "tollgate.yaml:8:52: routes[2].component.component: must end with a tag or a digest: `NAME:TAG` or `NAME@sha256:..`",
            "tollgate.yaml:9:39: routes[3].component: must be the name of a component or `{ component: name, ... }`",
            "tollgate.yaml:10:55: routes[4].component: unknown key `on_error`; there are `component`, `grants`, `limits`",
            "tollgate.yaml:10:89: routes[4].component.limits.memory: must be at most 1GiB",
            "tollgate.yaml:11:42: routes[5].strip_prefix: needs `upstream`",
        ],
    );
}

#[test]
fn routes_without_a_name_are_called_after_their_match() {
    let config = check_ok(&with_routes(
        "routes:
  - { match: { path: /a }, upstream: bills }
  - { match: { path: /b, methods: [GET] }, upstream: bills }
  - { match: { path: /b, methods: [PUT], hosts: [x] }, upstream: bills }
  - { name: /c, match: { path: /d }, upstream: bills }
  - { match: { path: /c }, upstream: bills }
",
    ));
    let names: Vec<_> = config.routes.iter().map(|route| route.name.as_str()).collect();
    assert_eq!(names, ["/a", "GET /b", "PUT x/b", "/c", "/c routes[4]"]);
}

#[test]
fn a_rewritten_path_needs_no_more_normalising() {
    check_faults(
        &with_routes(
            r#"routes:
  - { match: { path: "/a/{*rest}" }, upstream: bills, rewrite: { path: "/b/.{rest}" } }
  - { match: { path: "/b/{*rest}" }, upstream: bills, rewrite: { path: "/%7eb/{rest}" } }
  - { match: { path: "/c/{*rest}" }, upstream: bills, strip_prefix: /c/ }
"#,
        ),
        &[
            "tollgate.yaml:6:72: routes[0].rewrite.path: must be normalised as requests are: no dot segments, no needless escapes",
            "tollgate.yaml:7:72: routes[1].rewrite.path: must be normalised as requests are: no dot segments, no needless escapes",
            "tollgate.yaml:8:69: routes[2].strip_prefix: must begin with `/` and not end with it",
        ],
    );
}

#[test]
fn ten_thousand_routes_are_accepted() {
    let routes: String = (0..10_000)
        .map(|number| format!("  - {{ name: r{number}, match: {{ path: \"/a{number}/{{x}}\", methods: [GET] }}, upstream: bills, plugins: [{{ component: x }}] }}\n"))
        .collect();
    let config = check_ok(&with_routes(&format!("routes:\n{routes}")));
    assert_eq!(config.routes.len(), 10_000);
    assert_eq!(config.uses.len(), 10_000);
}
