//! The configuration as it takes effect: every default written out, named uses put where routes list
//! them, in the shape of the file.
//!
//! Masked, it has no secret in it: of plugins' configurations no text is shown, since nobody but the
//! plugin knows which of them is one.

mod tables;

use serde_json::{Map, Value, json};

use self::tables::{quarantine, use_limits};
use super::{
    Action, Canary, Config, PathRewrite, Pointer, Route, Step, Use,
    document::is_secret_name,
    units::{written_duration, written_size},
};
use crate::router::{Match, ValueCondition};

/// What stands where a secret was.
const MASK: &str = "***";

/// Whether secrets are written. Unmasked is for comparing, never for showing.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(crate) enum Secrets {
    Masked,
    Plain,
}

/// The configuration with all that it has by default.
pub(crate) fn effective(config: &Config, secrets: Secrets) -> Value {
    Writer { config, secrets }.whole()
}

struct Writer<'c> {
    config: &'c Config,
    secrets: Secrets,
}

impl Writer<'_> {
    fn whole(&self) -> Value {
        let config = self.config;
        let named = config.uses.iter().filter(|use_| is_entry(&use_.at));
        json!({
            "listeners": config.listeners.iter().map(|l| self.listener(l)).collect::<Vec<_>>(),
            "admin": { "address": config.admin.address.to_string(),
                "token": config.admin.token.as_ref().map(|token| self.secret(&token.0)) },
            "workers": config.workers,
            "trusted_proxies": texts(&config.trusted_proxies),
            "plugin_directory": self.path(&config.plugin_directory),
            "registries": self.registries(),
            "plugins": object(named.map(|use_| (use_.name.clone(), self.use_(use_)))),
            "stores": object(config.stores.iter().map(|(name, store)| (name.clone(), json!({
                "max_bytes": written_size(store.max_bytes as u64),
                "max_entries": store.max_entries,
                "max_value": written_size(store.max_value as u64),
            })))),
            "cache": { "max_bytes": written_size(config.cache.max_bytes as u64),
                "max_entry": written_size(config.cache.max_entry as u64) },
            "upstreams": object(config.upstreams.iter().map(|(name, up)| (name.clone(), self.upstream(up)))),
            "routes": config.routes.iter().map(|route| self.route(route)).collect::<Vec<_>>(),
            "limits": self.limits(),
            "drain_delay": config.drain_delay.map_or("none".into(), written_duration),
            "drain": written_duration(config.drain),
            "telemetry": self.telemetry(),
        })
    }

    fn secret(&self, text: &str) -> Value {
        match self.secrets {
            Secrets::Masked => MASK.into(),
            Secrets::Plain => text.into(),
        }
    }

    fn registries(&self) -> Value {
        object(self.config.registries.iter().map(|(host, registry)| {
            let credentials = registry.credentials.as_ref();
            let value = json!({
                "plain_http": registry.plain_http,
                "ca": registry.ca.as_deref().map(|ca| self.path(ca)),
                "username": credentials.map(|(name, _)| self.secret(name)),
                "password": credentials.map(|(_, password)| self.secret(&password.0)),
            });
            (host.clone(), value)
        }))
    }

    fn use_(&self, use_: &Use) -> Value {
        let grants = &use_.grants;
        json!({
            "component": self.source(&use_.component),
            "config": self.plugin_config(&use_.config),
            "grants": {
                "upstreams": grants.upstreams,
                "stores": grants.stores,
                "request_body": grants.request_body,
                "response_body": grants.response_body,
                "cache": grants.cache,
            },
            "on_error": use_.on_error.as_str(),
            "isolation": use_.isolation.as_str(),
            "quarantine": use_.quarantine.as_ref().map_or_else(|| "none".into(), quarantine),
            "canary": use_.canary.as_ref().map(|canary| self.canary(canary)),
            "limits": use_limits(&use_.limits),
        })
    }

    /// Keys, numbers and truth values, but no text.
    fn plugin_config(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => self.secret(text),
            Value::Array(values) => values.iter().map(|value| self.plugin_config(value)).collect(),
            Value::Object(members) => {
                object(members.iter().map(|(key, value)| (key.clone(), self.plugin_config(value))))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn canary(&self, canary: &Canary) -> Value {
        json!({
            "component": self.source(&canary.component),
            "config": canary.config.as_ref().map(|config| self.plugin_config(config)),
            "percent": hundredths(canary.share),
            "shadow": canary.shadow,
            "abort_on": {
                "errors": percent(canary.abort_on.errors),
                "window": written_duration(canary.abort_on.window),
                "min_calls": canary.abort_on.min_calls,
            },
        })
    }

    fn route(&self, route: &Route) -> Value {
        let plugins = route.plugins.iter().map(|&index| {
            let use_ = &self.config.uses[index];
            let mut value = Map::from_iter([("name".to_owned(), json!(use_.name))]);
            if let Value::Object(members) = self.use_(use_) {
                value.extend(members);
            }
            Value::Object(value)
        });
        let mut value = Map::from_iter([
            ("name".to_owned(), json!(route.name)),
            ("match".to_owned(), self.matching(route)),
            ("plugins".to_owned(), plugins.collect()),
            ("timeout".to_owned(), json!(route.timeout.map(written_duration))),
        ]);
        if let Value::Object(members) = self.end(route) {
            value.extend(members);
        }
        Value::Object(value)
    }

    fn matching(&self, route: &Route) -> Value {
        let Match { hosts, path, methods, headers, query } = &route.matching;
        let at = route.at.key("match");
        let headers = headers.iter().map(|condition| {
            let name = condition.name.as_str();
            (name.to_owned(), self.condition(&at.key("headers"), name, &condition.value))
        });
        let query = query.iter().map(|condition| {
            let name = &condition.name;
            (name.clone(), self.condition(&at.key("query"), name, &condition.value))
        });
        json!({
            "hosts": texts(hosts),
            "path": path.to_string(),
            "methods": texts(methods),
            "headers": object(headers),
            "query": object(query),
        })
    }

    /// A route may be opened by a word that only some know.
    fn condition(&self, at: &Pointer, name: &str, value: &ValueCondition) -> Value {
        let document = &self.config.document;
        let is_secret = is_secret_name(name) || document.has_substituted(&at.key(name));
        let text = |text: &str| if is_secret { self.secret(text) } else { text.into() };
        match value {
            ValueCondition::Exact(exact) => text(exact),
            ValueCondition::Prefix(prefix) => json!({ "prefix": text(prefix) }),
            ValueCondition::Regex(regex) => json!({ "regex": text(regex.source()) }),
            ValueCondition::Present(present) => json!({ "present": present }),
        }
    }

    fn end(&self, route: &Route) -> Value {
        match &route.action {
            Action::Forward(forward) => {
                let (path, prefix) = match &forward.path {
                    PathRewrite::Keep => (None, None),
                    PathRewrite::Replace(path) => (Some(path.to_string()), None),
                    PathRewrite::StripPrefix(prefix) => (None, Some(prefix)),
                };
                let host = forward.host.as_ref().map(|host| host.as_str());
                json!({
                    "upstream": forward.upstream,
                    "rewrite": { "path": path, "host": host },
                    "strip_prefix": prefix,
                })
            }
            Action::Component(index) => {
                json!({ "component": self.service(&self.config.services[*index]) })
            }
            Action::Nothing => json!({}),
            Action::Redirect { status, location } => {
                let location = location.to_string();
                json!({ "redirect": { "status": status.as_u16(), "location": location } })
            }
            Action::Respond { status, headers, body } => {
                let headers = headers.iter().map(|(name, value)| {
                    let text = String::from_utf8_lossy(value.as_bytes());
                    (name.as_str().to_owned(), self.secret(&text))
                });
                let (headers, body) = (object(headers), self.secret(body));
                json!({ "respond": { "status": status.as_u16(), "headers": headers, "body": body } })
            }
        }
    }
}

/// Whether a use stands in `plugins`, and not in a route.
fn is_entry(at: &Pointer) -> bool {
    at.steps().first() == Some(&Step::Key("plugins".to_owned()))
}

fn object(members: impl Iterator<Item = (String, Value)>) -> Value {
    Value::Object(members.collect())
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}

/// Of a share from 0.0 to 1.0, in percent.
fn hundredths(share: f64) -> f64 {
    (share * 1e6).round() / 1e4
}

fn percent(share: f64) -> String {
    format!("{}%", hundredths(share))
}
