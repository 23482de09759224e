//! Secrets that are only masks: somebody took what the gateway shows of a configuration for one.

use std::collections::HashSet;

use serde_json::Value;

use super::{Schemas, Secrets, has_masked_password, is_masked_text};
use crate::config::{Config, Pointer, Source, Use};

/// Every value of the file that is a mask in the place of a secret. What of a plugin's configuration
/// is one only the plugin's schema tells.
pub(crate) fn masked(config: &Config, schemas: &Schemas) -> Vec<Pointer> {
    let mut found = Vec::new();
    config.document.each_text(&mut |at, text| {
        if is_masked_text(text) || has_masked_password(text) {
            found.push((at.clone(), is_masked_text(text)));
        }
    });
    // Nearly always.
    if found.is_empty() {
        return Vec::new();
    }
    let plugins = config.uses.iter().flat_map(plugin_configs).collect::<Vec<_>>();
    let of_plugins = masked_secrets(config, &plugins, schemas);
    let is_secret = |(at, is_whole): &(Pointer, bool)| {
        let is_plugins = plugins.iter().any(|(config_at, ..)| at.is_within(config_at));
        !is_whole || !is_plugins || of_plugins.contains(at)
    };
    found.into_iter().filter(is_secret).map(|(at, _)| at).collect()
}

/// A plugin's configuration, where the file has it, and whose it is.
type PluginConfig<'c> = (Pointer, &'c Value, &'c Source);

/// What the use tells its plugin and that of its canary.
fn plugin_configs(use_: &Use) -> impl Iterator<Item = PluginConfig<'_>> {
    // Without one of its own it has that of its entry, if any.
    let has_own = use_.config_at != use_.at;
    let own = has_own.then(|| (use_.config_at.clone(), &use_.config, &use_.component));
    let canary = use_.canary.as_ref().and_then(|canary| {
        Some((canary.at.key("config"), canary.config.as_ref()?, &canary.component))
    });
    own.into_iter().chain(canary)
}

/// Those of `plugins` whose schema is known.
fn masked_secrets(
    config: &Config,
    plugins: &[PluginConfig<'_>],
    schemas: &Schemas,
) -> HashSet<Pointer> {
    let mut found = HashSet::new();
    for (at, told, source) in plugins {
        let Some(schema) = schemas.get(source) else { continue };
        let secrets = Secrets { document: &config.document, schema: Some(schema) };
        secrets.each_in(at, &mut (*told).clone(), &mut |at, secret| {
            if secret.as_str().is_some_and(is_masked_text) {
                found.insert(at.clone());
            }
        });
    }
    found
}
