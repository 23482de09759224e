//! What a plugin says of its configuration, told where it stands in the file.

use serde_json::Value;

use super::build::fault;
use crate::{
    config::{self, Config, Fault, PluginConfigFaults, Pointer, Step, written_key},
    plugin::HookError,
};

/// Lines of one plugin's refusal that are shown.
const MAX_REASONS: usize = 20;

/// A plugin that says several lines has found several faults.
pub(super) fn refusal(config: &Config, plugin: &config::Use, error: &HookError) -> Vec<Fault> {
    let name = &plugin.name;
    let limit = limit(error);
    let HookError::Failed(text) = error else {
        let error = config.document.hide(&error.to_string());
        let limit = limit.map(|key| plugin.at.key("limits").key(key));
        return vec![match limit.filter(|at| config.document.has(at)) {
            Some(at) => {
                fault(config, &at, format!("plugin `{name}` cannot be configured: {error}"))
            }
            None => {
                let reason = format!("plugin `{name}` refuses its configuration: {error}");
                fault(config, &plugin.config_at, reason)
            }
        }];
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let more = lines.clone().count().saturating_sub(MAX_REASONS);
    let mut lines: Vec<_> = lines.take(MAX_REASONS).collect();
    if lines.is_empty() {
        lines.push("it does not say why");
    }
    let mut faults: Vec<_> = lines.into_iter().map(|line| told(config, plugin, line)).collect();
    if more > 0 {
        let reason = format!("plugin `{name}` has {more} more reasons to refuse its configuration");
        faults.push(fault(config, &plugin.config_at, reason));
    }
    faults
}

/// The key of the limit that a plugin ran into, which the file may have set too low.
fn limit(error: &HookError) -> Option<&'static str> {
    match error {
        HookError::MemoryExceeded(_) => Some("memory"),
        HookError::TableExceeded(_) => Some("table"),
        _ => None,
    }
}

/// What a line says of one value needs no more words than what a schema says.
fn told(config: &Config, plugin: &config::Use, line: &str) -> Fault {
    let Way { at, reason } = placed(config, plugin, line);
    let whole = || format!("plugin `{}` refuses its configuration: {line}", plugin.name);
    let told = reason.map_or_else(whole, str::to_owned);
    fault(config, &at, config.document.hide(&told))
}

/// What the schema has told, and what the plugin says beside it: not of the same value again, nor of
/// the whole that it is in.
pub(super) fn together(
    config: &Config,
    told: PluginConfigFaults,
    refused: Vec<Fault>,
) -> Vec<Fault> {
    let PluginConfigFaults { mut shape, names } = told;
    let is_news = |fault: &Fault| {
        // A key that is too much is told at the key.
        let key = config.document.key_place(&fault.at);
        !shape.iter().any(|told| told.is_within(&fault.at) || told.place == key)
    };
    let mut faults: Vec<_> = refused.into_iter().filter(is_news).collect();
    faults.append(&mut shape);
    faults.extend(names);
    config::sort_faults(&mut faults);
    faults
}

/// Plugins write `limits[0].cost: must be at least 1`, or `/limits/0/cost` for the way. Where the
/// configuration has such a value, it is the place of the fault; `limits[0]` if only that is there.
fn placed<'l>(config: &Config, plugin: &config::Use, line: &'l str) -> Way<'l> {
    let at = plugin.config_at.clone();
    if at == plugin.at || !config.document.has(&at) {
        return Way { at, reason: None };
    }
    let value = config.document.value(&at);
    match line.strip_prefix('/') {
        Some(pointer) => Notation::Pointer.follow(&value, at, pointer),
        None => Notation::Dots.follow(&value, at, line),
    }
}

/// As far as the configuration goes along with a line.
struct Way<'l> {
    at: Pointer,
    /// What the line says of the value there; `None`: it speaks of another one.
    reason: Option<&'l str>,
}

/// How a way is written.
#[derive(Clone, Copy)]
enum Notation {
    /// `limits[0].cost`
    Dots,
    /// `limits/0/cost` (RFC 6901).
    Pointer,
}

impl Notation {
    /// A key may have anything in it, a dot or a space too: what the configuration has tells where it
    /// ends.
    fn follow<'l>(self, value: &Value, at: Pointer, line: &'l str) -> Way<'l> {
        let mut furthest = Way { at: at.clone(), reason: None };
        for (step, child, rest) in self.steps(value, line) {
            let at = at.join(step);
            let way = match self.reason(rest) {
                Some(reason) => Way { at, reason: Some(reason) },
                None => match self.onward(rest) {
                    Some(onward) => self.follow(child, at, onward),
                    // `keys are missing` speaks of no key.
                    None => continue,
                },
            };
            if way.reason.is_some() {
                return way;
            }
            if way.at.steps().len() > furthest.at.steps().len() {
                furthest = way;
            }
        }
        furthest
    }

    /// The children that `line` may begin with, with what it says after each.
    fn steps<'v, 'l>(self, value: &'v Value, line: &'l str) -> Vec<(Step, &'v Value, &'l str)> {
        match value {
            Value::Object(members) => {
                let named = members.iter().filter(|(key, _)| !key.is_empty());
                let named = named.filter_map(|(key, member)| {
                    Some((Step::Key(key.clone()), member, self.after(key, line)?))
                });
                named.collect()
            }
            Value::Array(elements) => {
                let counted = self.index(line).and_then(|(index, rest)| {
                    Some((Step::Index(index), elements.get(index)?, rest))
                });
                counted.into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// What `line` says after the key that it begins with; ways with dots have some in quotes.
    fn after<'l>(self, key: &str, line: &'l str) -> Option<&'l str> {
        match self {
            Self::Dots => line.strip_prefix(&*written_key(key)).or_else(|| line.strip_prefix(key)),
            Self::Pointer => line.strip_prefix(&key.replace('~', "~0").replace('/', "~1")),
        }
    }

    fn index(self, line: &str) -> Option<(usize, &str)> {
        let (index, rest) = match self {
            Self::Dots => line.strip_prefix('[')?.split_once(']')?,
            Self::Pointer => {
                let end = line.find(|letter: char| !letter.is_ascii_digit());
                line.split_at(end.unwrap_or(line.len()))
            }
        };
        Some((index.parse().ok()?, rest))
    }

    /// What is said after a way.
    fn reason(self, rest: &str) -> Option<&str> {
        rest.strip_prefix(": ").or_else(|| match self {
            Self::Dots => None,
            Self::Pointer => rest.strip_prefix(' '),
        })
    }

    /// The next step of a way that goes on.
    fn onward(self, rest: &str) -> Option<&str> {
        match self {
            Self::Dots if rest.starts_with('[') => Some(rest),
            Self::Dots => rest.strip_prefix('.'),
            Self::Pointer => rest.strip_prefix('/'),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `at`: the keys and indices of the way.
    #[track_caller]
    fn check(line: &str, at: &Value, reason: Option<&str>) {
        let value = json!({
            "keys": [{ "kid": "a" }, { "kid": "b" }],
            "set": { "x y": "", "x.y": "", "x.y.z": { "a: b": "" }, "a/b~c": "", "": "" },
        });
        let root = Pointer::default();
        let way = match line.strip_prefix('/') {
            Some(pointer) => Notation::Pointer.follow(&value, root, pointer),
            None => Notation::Dots.follow(&value, root, line),
        };
        let steps = way.at.steps().iter().map(|step| match step {
            Step::Key(key) => json!(key),
            Step::Index(index) => json!(index),
        });
        assert_eq!((&steps.collect::<Value>(), way.reason), (at, reason), "{line:?}");
    }

    #[test]
    fn a_way_is_followed_by_what_the_configuration_has() {
        let bad = Some("is bad");
        check("keys: is bad", &json!(["keys"]), bad);
        check("keys[1].kid: is bad", &json!(["keys", 1, "kid"]), bad);
        check("set.x y: is bad", &json!(["set", "x y"]), bad);
        check("set.\"x y\": is bad", &json!(["set", "x y"]), bad);
        check("set.x.y.z.\"a: b\": is bad", &json!(["set", "x.y.z", "a: b"]), bad);
        check("set.x.y: is bad", &json!(["set", "x.y"]), bad);
        check("set.x.y.z.a: b: is bad", &json!(["set", "x.y.z", "a: b"]), bad);
        check("set.a/b~c: is bad", &json!(["set", "a/b~c"]), bad);
        check("/set/a~1b~0c is bad", &json!(["set", "a/b~c"]), bad);
        check("/keys/1/kid: is bad", &json!(["keys", 1, "kid"]), bad);
    }

    #[test]
    fn a_way_that_the_configuration_has_not_ends_early() {
        check("keys[2].kid: is bad", &json!(["keys"]), None);
        check("keys[1].none: is bad", &json!(["keys", 1]), None);
        check("set.x: is bad", &json!(["set"]), None);
        check("/keys/x: is bad", &json!(["keys"]), None);
        for prose in ["", "it said", "keys are bad", "keyset: is bad", "none: is bad", "/", "[0]"] {
            check(prose, &json!([]), None);
        }
    }
}
