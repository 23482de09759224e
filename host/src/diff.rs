//! What another configuration would change, in words. Secrets are compared and never shown.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
};

use serde_json::Value;

use crate::{
    config::{Config, Schemas, Secrets, effective, may_be_same, written_key},
    reload,
};

/// Parts whose members have names, and where a list's elements have theirs.
const NAMED: [(&str, Option<&str>); 6] = [
    ("listeners", Some("address")),
    ("routes", Some("name")),
    ("upstreams", None),
    ("plugins", None),
    ("stores", None),
    ("registries", None),
];

/// A value as it is, to compare, and as it may be shown.
#[derive(Clone, Copy)]
struct Both<'v> {
    plain: &'v Value,
    shown: &'v Value,
}

/// What two configurations have otherwise.
#[derive(Default)]
pub(crate) struct Differences {
    /// A line for each; empty where they say the same.
    pub(crate) text: String,
    /// Where values are masked in either: whether they say the same nobody can tell.
    pub(crate) masked: Vec<String>,
}

/// What is found while two values are walked through side by side.
#[derive(Default)]
struct Found {
    lines: Vec<String>,
    masked: Vec<String>,
}

/// A configuration, and what is known of those of its plugins: what a schema does not tell of is not
/// shown.
pub(crate) type Known<'c> = (&'c Config, &'c Schemas);

/// Tells what is added, removed and changed from `old` to `new`, and what of it needs a restart.
pub(crate) fn diff((old, old_schemas): Known<'_>, (new, new_schemas): Known<'_>) -> Differences {
    let written = |config, schemas| {
        (effective(config, Secrets::Plain), effective(config, Secrets::Masked(schemas)))
    };
    let (old_plain, old_shown) = written(old, old_schemas);
    let (new_plain, new_shown) = written(new, new_schemas);
    let old_whole = Both { plain: &old_plain, shown: &old_shown };
    let new_whole = Both { plain: &new_plain, shown: &new_shown };
    let mut differences = Differences::default();
    for (part, key) in NAMED {
        let (old, new) = (old_whole.member(part), new_whole.member(part));
        tell_named(&mut differences, part, &named(old, key), &named(new, key));
    }
    let mut found = Found::default();
    for part in old_whole.keys().union(&new_whole.keys()) {
        if !NAMED.iter().any(|(named, _)| named == part) {
            let (old, new) = (old_whole.member(part), new_whole.member(part));
            found.changes((*part).to_owned(), old, new);
        }
    }
    let Differences { text, masked } = &mut differences;
    masked.append(&mut found.masked);
    for line in &found.lines {
        line_of(text, "~", line);
    }
    // Where nothing of it is told, it is the token that is masked.
    let is_told = |part: &str| part != "admin" || found.lines.iter().any(|l| l.starts_with(part));
    for at in reload::fixed_at_start(old, new).iter().map(ToString::to_string) {
        if is_told(&at) {
            line_of(text, "!", &format!("{at} cannot change while a gateway runs: restart it"));
        }
    }
    differences
}

fn tell_named(
    differences: &mut Differences,
    part: &str,
    old: &BTreeMap<&str, Both<'_>>,
    new: &BTreeMap<&str, Both<'_>>,
) {
    let names: BTreeSet<_> = old.keys().chain(new.keys()).collect();
    let Differences { text, masked } = differences;
    for name in names {
        match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) => {
                let mut found = Found::default();
                found.changes(String::new(), *old, *new);
                masked.extend(found.masked.iter().map(|at| format!("{part} {name}: {at}")));
                if !found.lines.is_empty() {
                    line_of(text, "~", &format!("{part} {name}"));
                }
                for line in found.lines {
                    line_of(text, " ", &format!("  {line}"));
                }
            }
            (None, Some(_)) => line_of(text, "+", &format!("{part} {name}")),
            (Some(_), None) => line_of(text, "-", &format!("{part} {name}")),
            (None, None) => (),
        }
    }
}

impl Found {
    /// One line for each value that is not the same, with the way to it.
    fn changes(&mut self, at: String, old: Both<'_>, new: Both<'_>) {
        let way = |key: &str| {
            let key = written_key(key);
            if at.is_empty() { key.into_owned() } else { format!("{at}.{key}") }
        };
        match (old.plain, new.plain) {
            // What is absent is as good as empty.
            (Value::Object(_) | Value::Null, Value::Object(_))
            | (Value::Object(_), Value::Null) => {
                for key in old.keys().union(&new.keys()) {
                    self.changes(way(key), old.member(key), new.member(key));
                }
            }
            (Value::Array(_) | Value::Null, Value::Array(_)) | (Value::Array(_), Value::Null) => {
                for index in 0..old.len().max(new.len()) {
                    self.changes(format!("{at}[{index}]"), old.element(index), new.element(index));
                }
            }
            (old, new) if may_be_same(old, new) => self.masked.push(at),
            (old, new) if old == new => (),
            _ if old.shown == new.shown => {
                self.lines.push(format!("{at}: another {}", shown(new.shown)));
            }
            _ => self.lines.push(format!("{at}: {} -> {}", shown(old.shown), shown(new.shown))),
        }
    }
}

impl<'v> Both<'v> {
    fn keys(self) -> BTreeSet<&'v str> {
        let members = self.plain.as_object();
        members.into_iter().flat_map(|members| members.keys().map(String::as_str)).collect()
    }

    /// Null where there is none.
    fn member(self, key: &str) -> Self {
        let of = |value: &'v Value| value.get(key).unwrap_or(&Value::Null);
        Self { plain: of(self.plain), shown: of(self.shown) }
    }

    /// How many elements it has.
    fn len(self) -> usize {
        self.plain.as_array().map_or(0, Vec::len)
    }

    fn element(self, index: usize) -> Self {
        let of = |value: &'v Value| value.get(index).unwrap_or(&Value::Null);
        Self { plain: of(self.plain), shown: of(self.shown) }
    }
}

/// The members of a table, or the elements of a list by what `key` says.
fn named<'v>(part: Both<'v>, key: Option<&str>) -> BTreeMap<&'v str, Both<'v>> {
    let Some(key) = key else {
        return part.keys().into_iter().map(|name| (name, part.member(name))).collect();
    };
    let elements = (0..part.len()).map(|index| part.element(index));
    elements.filter_map(|element| Some((element.plain.get(key)?.as_str()?, element))).collect()
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn line_of(text: &mut String, sign: &str, line: &str) {
    // Writing to a string cannot fail.
    _ = writeln!(text, "{sign} {line}");
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const OLD: &str = r#"listeners: [{ address: 127.0.0.1:8080 }]
plugins:
  auth: { component: api-key, config: { word: one, keys: 3 } }
  gone: { component: headers }
upstreams:
  orders: { endpoints: ["127.0.0.1:9001"] }
routes:
  - { name: a, match: { path: /a, headers: { x-api-key: alpha } }, plugins: [auth], upstream: orders }
  - { name: b, match: { path: /b }, respond: { body: secret } }
"#;

    /// Nothing is known of the plugins.
    fn unknown(old: &Config, new: &Config) -> Differences {
        let none = Schemas::new();
        diff((old, &none), (new, &none))
    }

    #[track_caller]
    fn check(new: &str, expected: Option<&str>) {
        let parse = |text: &str, path: &str| {
            crate::config::parse(text, Path::new(path)).expect("a valid file")
        };
        let told = unknown(&parse(OLD, "old/t.yaml"), &parse(new, "new/t.yaml"));
        assert_eq!(told.text, expected.unwrap_or_default(), "\n{}", told.text);
        assert_eq!(told.masked, Vec::<String>::new());
    }

    #[test]
    fn what_says_the_same_is_no_difference() {
        let other_order = OLD.replace("127.0.0.1:9001\"]", "127.0.0.1:9001\"], protocol: http1");
        check(&other_order, None);
    }

    #[test]
    fn what_is_added_removed_and_changed_is_told() {
        let new = OLD
            .replace("  gone: { component: headers }\n", "  new: { component: headers }\n")
            .replace("127.0.0.1:9001", "127.0.0.1:9002")
            .replace("name: b, match: { path: /b }", "name: c, match: { path: /b }")
            .replace("upstream: orders }", "upstream: orders, timeout: 5s }")
            + "limits: { body_idle: 5s }\n";
        check(
            &new,
            Some(
                "~ routes a
    timeout: none -> 5s
- routes b
+ routes c
~ upstreams orders
    endpoints[0].address: 127.0.0.1:9001 -> 127.0.0.1:9002
- plugins gone
+ plugins new
~ limits.body_idle: 30s -> 5s
",
            ),
        );
    }

    #[test]
    fn a_secret_that_changes_is_told_and_not_shown() {
        let new = OLD
            .replace("word: one", "word: two")
            .replace("alpha", "beta")
            .replace("body: secret", "body: other");
        check(
            &new,
            Some(
                "~ routes a
    match.headers.x-api-key: another ***
~ routes b
    respond.body: another ***
~ plugins auth
    config.word: another ***
",
            ),
        );
    }

    #[test]
    fn what_is_masked_is_not_compared_and_told() {
        let old = OLD.replace(
            "{ body: secret }",
            "{ body: secret, headers: { x-a: 'https://u:secret@h/' } }",
        ) + "admin: { address: 127.0.0.1:9901, token: hunter2 }\n";
        let parse =
            |text: &str| crate::config::parse(text, Path::new("etc/t.yaml")).expect("a valid file");
        let old = parse(&old);
        let shown = effective(&old, Secrets::Masked(&Schemas::new())).to_string();
        assert!(!shown.contains("secret"), "{shown}");
        for (one, other) in [(&old, &parse(&shown)), (&parse(&shown), &old)] {
            let told = unknown(one, other);
            assert_eq!(told.text, "");
            let masked = [
                "routes a: match.headers.x-api-key",
                "routes b: respond.body",
                "routes b: respond.headers.x-a",
                "plugins auth: config.keys",
                "plugins auth: config.word",
                "admin.token",
            ];
            assert_eq!(told.masked, masked);
        }
        let told =
            unknown(&old, &parse(&shown.replace("u:***@h", "u:***@i").replace("9901", "9902")));
        assert_eq!(told.masked.len(), 5);
        let expected = "~ routes b
    respond.headers.x-a: https://u:***@h/ -> https://u:***@i/
~ admin.address: 127.0.0.1:9901 -> 127.0.0.1:9902
! admin cannot change while a gateway runs: restart it
";
        assert_eq!(told.text, expected);
        let without = parse(&shown.replace(",\"token\":\"***\"", ""));
        let told = unknown(&without, &old).text;
        assert!(told.starts_with("~ admin.token: none -> ***\n! admin"), "{told}");
    }

    #[test]
    fn a_use_that_changes_is_told_once() {
        let changed = OLD.replace("component: api-key,", "component: api-key, on_error: skip,");
        check(&changed, Some("~ plugins auth\n    on_error: reject -> skip\n"));
        let own = OLD.replace("plugins: [auth]", "plugins: [{ use: auth, on_error: skip }]");
        let told = "plugins[0]: auth -> {\"on_error\":\"skip\",\"use\":\"auth\"}";
        check(&own, Some(&format!("~ routes a\n    {told}\n")));
    }

    #[test]
    fn what_is_absent_is_compared_member_by_member() {
        let new = OLD.replace("match: { path: /b }", "match: { path: /b, query: { a: b } }");
        check(&new, Some("~ routes b\n    match.query.a: none -> b\n"));
    }

    #[test]
    fn what_needs_a_restart_is_told() {
        check(
            &OLD.replace("8080", "8081"),
            Some(
                "- listeners 127.0.0.1:8080
+ listeners 127.0.0.1:8081
! listeners cannot change while a gateway runs: restart it
",
            ),
        );
    }
}
