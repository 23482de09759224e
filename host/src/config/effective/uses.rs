//! Uses of plugins: the entries of `plugins`, and what routes list.

use serde_json::{Map, Value, json};

use super::{
    Secrets, Writer, hundredths, object, percent, table,
    tables::{quarantine, use_limits},
};
use crate::config::{Canary, Pointer, Source, Step, Use, secrets, units::written_duration};

impl Writer<'_> {
    pub(super) fn plugins(&self) -> Value {
        let entries = self.entries.iter();
        object(entries.map(|(name, use_)| ((*name).to_owned(), self.use_(use_))))
    }

    /// As a route lists it: by its name, or with what it has otherwise than the entry of that name.
    pub(super) fn listed(&self, use_: &Use) -> Value {
        if is_entry(&use_.at) {
            return use_.name.clone().into();
        }
        let is_changed = self.config.document.has(&use_.at.key("use"));
        let entry = self.entries.get(&*use_.name).filter(|_| is_changed);
        let Some(entry) = entry else { return self.use_(use_) };
        let mut members = Map::from_iter([("use".to_owned(), json!(use_.name))]);
        let plain = Writer { secrets: Secrets::Plain, ..*self };
        let (own, entry) = (plain.use_(use_), plain.use_(entry));
        let mut shown = self.use_(use_);
        // Of `limits` alone single members can be changed.
        if let Some(limits) = shown["limits"].as_object_mut() {
            limits.retain(|key, _| own["limits"][key] != entry["limits"][key]);
        }
        let Value::Object(shown) = shown else { return shown };
        members.extend(shown.into_iter().filter(|(key, _)| own[key] != entry[key]));
        Value::Object(members)
    }

    fn use_(&self, use_: &Use) -> Value {
        let grants = &use_.grants;
        let mut value = table(json!({
            "component": self.source(&use_.component),
            "grants": table(json!({
                "upstreams": grants.upstreams,
                "stores": grants.stores,
                "request_body": grants.request_body,
                "response_body": grants.response_body,
                "cache": grants.cache,
            })),
            "on_error": use_.on_error.as_str(),
            "isolation": use_.isolation.as_str(),
            "quarantine": use_.quarantine.as_ref().map_or_else(|| "none".into(), quarantine),
            "canary": use_.canary.as_ref().map(|canary| self.canary(canary)),
            "limits": use_limits(&use_.limits),
        }));
        // Also where it is empty: what is absent is taken from the entry.
        value["config"] = self.plugin_config(&use_.config_at, &use_.config, &use_.component);
        value
    }

    fn canary(&self, canary: &Canary) -> Value {
        let mut value = json!({
            "component": self.source(&canary.component),
            "percent": hundredths(canary.share),
            "shadow": canary.shadow,
            "abort_on": {
                "errors": percent(canary.abort_on.errors),
                "window": written_duration(canary.abort_on.window),
                "min_calls": canary.abort_on.min_calls,
            },
        });
        if let Some(config) = &canary.config {
            let at = canary.at.key("config");
            value["config"] = self.plugin_config(&at, config, &canary.component);
        }
        value
    }

    fn plugin_config(&self, at: &Pointer, config: &Value, component: &Source) -> Value {
        match self.secrets {
            Secrets::Masked(schemas) => {
                let schema = schemas.get(component);
                secrets::plugin_config(&self.config.document, at, config, schema)
            }
            Secrets::Plain => config.clone(),
        }
    }
}

/// Whether a use stands in `plugins`, and not in a route.
pub(super) fn is_entry(at: &Pointer) -> bool {
    at.steps().first() == Some(&Step::Key("plugins".to_owned()))
}
