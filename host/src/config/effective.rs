//! The configuration as it takes effect: every default written out, in the shape of the file. What is
//! absent is left out, as a file would.

mod tables;
mod uses;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    Action, Config, PathRewrite, Route, Use,
    secrets::{self, MASK, Schemas},
    substitute,
    units::{written_duration, written_size},
};
use crate::router::{Match, ValueCondition};

/// Whether secrets are written. Unmasked is for comparing, never for showing.
#[derive(Clone, Copy)]
pub(crate) enum Secrets<'s> {
    /// With what is known of the configurations of plugins: of others no text is shown.
    Masked(&'s Schemas),
    Plain,
}

/// The configuration with all that it has by default.
pub(crate) fn effective(config: &Config, secrets: Secrets<'_>) -> Value {
    let named = config.uses.iter().filter(|use_| uses::is_entry(&use_.at));
    let entries = named.map(|use_| (use_.name.as_str(), use_)).collect();
    let mut whole = Writer { config, secrets, entries: &entries }.whole();
    if let Secrets::Masked(_) = secrets {
        secrets::mask_passwords(&mut whole);
    }
    substitute::escape(&mut whole);
    whole
}

#[derive(Clone, Copy)]
struct Writer<'c> {
    config: &'c Config,
    secrets: Secrets<'c>,
    /// The entries of `plugins`, by name.
    entries: &'c BTreeMap<&'c str, &'c Use>,
}

impl Writer<'_> {
    fn whole(&self) -> Value {
        let config = self.config;
        table(json!({
            "listeners": config.listeners.iter().map(|l| self.listener(l)).collect::<Vec<_>>(),
            "admin": table(json!({
                "address": config.admin.address.to_string(),
                "token": config.admin.token.as_ref().map(|token| self.secret(&token.0)),
            })),
            "workers": config.workers,
            "trusted_proxies": texts(&config.trusted_proxies),
            "plugin_directory": self.path(&config.plugin_directory),
            "registries": self.registries(),
            "plugins": self.plugins(),
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
        }))
    }

    fn secret(&self, text: &str) -> Value {
        match self.secrets {
            Secrets::Masked(_) => MASK.into(),
            Secrets::Plain => text.into(),
        }
    }

    fn field(&self, route: &Route, name: &str, value: &[u8]) -> Value {
        let shown = match self.secrets {
            Secrets::Masked(_) => secrets::shown_field(&self.config.document, route, name, value),
            Secrets::Plain => String::from_utf8_lossy(value).into_owned(),
        };
        shown.into()
    }

    fn registries(&self) -> Value {
        object(self.config.registries.iter().map(|(host, registry)| {
            let credentials = registry.credentials.as_ref();
            let value = table(json!({
                "plain_http": registry.plain_http,
                "ca": registry.ca.as_deref().map(|ca| self.path(ca)),
                "username": credentials.map(|(name, _)| self.secret(name)),
                "password": credentials.map(|(_, password)| self.secret(&password.0)),
            }));
            (host.clone(), value)
        }))
    }

    fn route(&self, route: &Route) -> Value {
        let plugins = route.plugins.iter().map(|&index| self.listed(&self.config.uses[index]));
        let mut value = json!({
            "name": route.name,
            "match": self.matching(route),
            "plugins": plugins.collect::<Vec<_>>(),
            "timeout": route.timeout.map(written_duration),
        });
        if let (Value::Object(members), Value::Object(end)) = (&mut value, self.end(route)) {
            members.extend(end);
        }
        table(value)
    }

    fn matching(&self, route: &Route) -> Value {
        let shown = match self.secrets {
            Secrets::Masked(_) => &secrets::shown_match(&self.config.document, route),
            Secrets::Plain => &route.matching,
        };
        let Match { hosts, path, methods, headers, query } = shown;
        let headers = headers.iter().map(|h| (h.name.as_str().to_owned(), condition(&h.value)));
        let query = query.iter().map(|query| (query.name.clone(), condition(&query.value)));
        table(json!({
            "hosts": texts(hosts),
            "path": path.to_string(),
            "methods": texts(methods),
            "headers": object(headers),
            "query": object(query),
        }))
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
                table(json!({
                    "upstream": forward.upstream,
                    "rewrite": table(json!({ "path": path, "host": host })),
                    "strip_prefix": prefix,
                }))
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
                    (name.as_str().to_owned(), self.field(route, name.as_str(), value.as_bytes()))
                });
                let headers = object(headers);
                // Behind plugins it may be for some clients only.
                let body = (!body.is_empty()).then(|| self.secret(body));
                let status = status.as_u16();
                let respond = json!({ "status": status, "headers": headers, "body": body });
                json!({ "respond": table(respond) })
            }
        }
    }
}

fn condition(value: &ValueCondition) -> Value {
    match value {
        ValueCondition::Exact(exact) => json!(exact),
        ValueCondition::Prefix(prefix) => json!({ "prefix": prefix }),
        ValueCondition::Regex(regex) => json!({ "regex": regex.source() }),
        ValueCondition::Present(present) => json!({ "present": present }),
    }
}

/// Without what is absent: in the file an empty value is a fault.
fn table(mut members: Value) -> Value {
    if let Value::Object(members) = &mut members {
        members.retain(|_, value| match value {
            Value::Null => false,
            Value::Array(elements) => !elements.is_empty(),
            Value::Object(members) => !members.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        });
    }
    members
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
