//! The configuration as it takes effect.

use super::*;

#[test]
fn the_effective_configuration_has_every_default_and_no_secret() {
    let text = r#"listeners: [{ address: "127.0.0.1:0" }]
admin: { token: hunter2 }
registries: { "a:5000": { username: hunter2, password: hunter2 } }
plugins: { a: { component: b, config: { word: hunter2, list: [{ x: hunter2, n: 5 }] }, canary: { component: c, percent: 5, config: { word: hunter2 } } } }
upstreams: { u: { endpoints: ["127.0.0.1:9"] } }
routes:
  - { match: { path: /a, headers: { x-api-key: hunter2 } }, plugins: [a, { use: a, on_error: skip, limits: { calls: 3 } }], upstream: u }
  - { match: { path: /b, query: { a: "${WORD:-hunter2}" } }, respond: { body: hunter2, headers: { X-A: "${WORD:-hunter2}", x-token: hunter2, x-b: shown } } }
  - { match: { path: /c, headers: { cookie: { regex: "hunter2|" } } }, respond: {} }
"#;
    let config = parse(text, Path::new("etc/t.yaml")).expect("a valid file");
    let none = Schemas::new();
    let value = effective(&config, Secrets::Masked(&none));
    assert!(!value.to_string().contains("hunter2"), "{value:#}");
    assert!(!format!("{:?}", config.document).contains("hunter2"));
    assert_eq!(value["upstreams"]["u"]["timeouts"]["first_byte"], "30s");
    assert_eq!(
        value["plugins"]["a"]["config"],
        json!({ "word": "***", "list": [{ "x": "***", "n": 5 }] })
    );
    assert_eq!(value["plugins"]["a"]["component"], "plugins/b.wasm");
    assert_eq!(
        value["routes"][0]["plugins"],
        json!(["a", { "use": "a", "on_error": "skip", "limits": { "calls": 3 } }])
    );
    assert_eq!(value["routes"][1]["respond"]["headers"]["x-b"], "shown");
    assert_eq!(value["limits"]["tunnel_idle"], "1h");
    assert_eq!(value["plugins"]["a"]["canary"]["percent"], 5.0);
    parse(&value.to_string(), Path::new("etc/t.yaml")).expect("it is a configuration");
    let plain = effective(&config, Secrets::Plain).to_string();
    assert_eq!(plain.matches("hunter2").count(), text.matches("hunter2").count());
}

#[test]
fn passwords_in_urls_and_credentials_in_conditions_are_masked() {
    let text = r#"listeners: [{ address: "127.0.0.1:0" }]
routes:
  - { match: { path: /a, headers: { x-a: Bearer hunter2, x-b: { prefix: basic hunter2 }, x-c: { regex: "^(?i)bearer hunter2$" } } }, respond: {} }
  - { match: { path: /b, query: { to: "https://u:hunter2@h/", re: { regex: "https://u:hunter2@h/" } } }, redirect: { location: "https://u:hunter2@h/{p}", status: 302 } }
  - { match: { path: /c }, respond: { headers: { x-to: "https://u:hunter2@h/" } } }
"#
    .replace("path: /b,", "path: \"/b/{p}\",");
    let config = parse(&text, Path::new("etc/t.yaml")).expect("a valid file");
    let none = Schemas::new();
    let value = effective(&config, Secrets::Masked(&none));
    assert!(!value.to_string().contains("hunter2"), "{value:#}");
    let url = "https://u:***@h/";
    assert_eq!(
        value["routes"][0]["match"]["headers"],
        json!({ "x-a": "***", "x-b": { "prefix": "***" }, "x-c": { "regex": r"\*{3}" } })
    );
    assert_eq!(
        value["routes"][1]["match"]["query"],
        json!({ "to": url, "re": { "regex": r"\*{3}" } })
    );
    assert_eq!(value["routes"][1]["redirect"]["location"], format!("{url}{{p}}"));
    assert_eq!(value["routes"][2]["respond"]["headers"]["x-to"], url);
    parse(&value.to_string(), Path::new("etc/t.yaml")).expect("it is a configuration");
}

#[test]
fn the_effective_configuration_is_a_configuration_that_says_the_same() {
    let more = "
plugins:
  a: { component: a, config: { x: 1, y: '$${z}' }, grants: { stores: [s] }, canary: { component: b, percent: 5, config: {} } }
upstreams: { u: { endpoints: [\"[::1]:9\"] } }
drain_delay: 5s
listeners: [{ address: 127.0.0.1:0, redirect_to_https: true }]
routes:
  - { match: { path: /a }, plugins: [a, { use: a, config: {}, quarantine: none, grants: {} }, { component: ./c.wasm }] }
  - { match: { path: /b }, component: { component: d, grants: { upstreams: [u] } } }
  - { match: { path: /c }, component: d }
";
    for text in [COMPLETE, more, "listeners: [{ address: 127.0.0.1:0 }]"] {
        let written = effective(&check_ok(text), Secrets::Plain);
        let again = effective(&check_ok(&written.to_string()), Secrets::Plain);
        assert_eq!(again, written);
    }
}

#[test]
fn masks_in_the_places_of_secrets_are_found() {
    let text = r#"listeners: [{ address: "127.0.0.1:0" }]
admin: { token: "***" }
plugins:
  a: { component: b, config: { replace: [word, "***"], url: "https://u:***@h/", tokens: [{ of: "***" }] }, canary: { component: c, percent: 5, config: { secret: "***" } } }
routes:
  - { match: { path: /a, headers: { x-key: "${WORD:-***}", x-b: { regex: '\*{3}' } } }, plugins: [a], respond: { body: "**" } }
"#;
    let config = parse(text, Path::new("etc/t.yaml")).expect("a valid file");
    let found: Vec<_> = masked(&config).iter().map(Pointer::to_string).collect();
    let expected = [
        "admin.token",
        "plugins.a.config.url",
        "plugins.a.config.tokens[0].of",
        "plugins.a.canary.config.secret",
        "routes[0].match.headers.x-b.regex",
    ];
    assert_eq!(found, expected);
}
