//! `tollgate explain` and `tollgate diff`.

use tollgate_tests::process::tollgate;

use super::{VALID, folder};

#[test]
fn explain_tells_which_route_takes_a_request_and_why_not_the_others() {
    let here = folder(VALID);
    let ran = tollgate(here.path(), &["explain", "-c", "tollgate.yaml", "GET", "/users/7"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for part in ["user", "probe", "users", "7s", "all"] {
        assert!(ran.stdout.contains(part), "{part} is missing:\n{}", ran.stdout);
    }
    let ran = tollgate(
        here.path(),
        &["explain", "-c", "tollgate.yaml", "POST", "https://a.test/users/7", "-H", "x-a: 1"],
    );
    assert!(ran.stdout.contains("method"), "{}", ran.stdout);
}

#[test]
fn diff_shows_what_plugins_are_configured_with_and_no_secrets() {
    let config = |value: &str, secret: &str| {
        format!(
            "listeners: [{{ address: 127.0.0.1:0 }}]
plugins:
  auth: {{ component: jwt, config: {{ issuer: {value}, keys: [{{ algorithm: HS256, secret: {secret} }}] }} }}
routes: [{{ name: all, match: {{ path: / }}, plugins: [auth], respond: {{ body: x }} }}]
"
        )
    };
    let here = folder(&config("https://one.example", "a-secret-of-many-bytes-0123456789"));
    let new = config("https://two.example", "another-secret-of-many-bytes-01234");
    std::fs::write(here.path().join("new.yaml"), new).unwrap();
    let ran = tollgate(here.path(), &["diff", "tollgate.yaml", "new.yaml"]);
    let told = "~ plugins auth
    config.issuer: https://one.example -> https://two.example
    config.keys[0].secret: another ***
";
    assert_eq!((ran.code, ran.stdout.as_str()), (1, told), "{ran:?}");
}

#[test]
fn diff_tells_what_another_configuration_would_change() {
    let here = folder(VALID);
    let changed = VALID.replace("timeout: 7s", "timeout: 8s").replace("name: all", "name: rest");
    std::fs::write(here.path().join("new.yaml"), changed + "workers: 3\n").unwrap();
    let ran = tollgate(here.path(), &["diff", "tollgate.yaml", "new.yaml"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(
        ran.stdout,
        "- routes all
+ routes rest
~ routes user
    timeout: 7s -> 8s
~ workers: none -> 3
! workers cannot change while a gateway runs: restart it
"
    );
    let ran = tollgate(here.path(), &["diff", "tollgate.yaml", "tollgate.yaml"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "no differences\n"));
    std::fs::write(here.path().join("new.yaml"), "listeners: 5\n").unwrap();
    let ran = tollgate(here.path(), &["diff", "none.yaml", "new.yaml"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    let missing = "none.yaml: there is no such file; it was given as OLD\n";
    assert!(ran.stderr.contains(missing), "{ran:?}");
    assert!(ran.stderr.contains("new.yaml:1:12: listeners: must be a list"), "{ran:?}");
}
