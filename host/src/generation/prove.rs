//! Proves every use: its component loaded, its configuration accepted by it.

use std::{collections::HashMap, sync::Arc};

use super::{
    Builder, Failure,
    build::fault,
    components::{Fetches, Linkable, Loaded},
    refusal::{refusal, together},
};
use crate::{
    chain::Link,
    config::{self, Config, Fault, Source},
    plugin::{Component, Use},
};

impl Builder {
    /// Loads, links and configures every use; all their faults together.
    pub(super) async fn links(
        &self,
        config: &Config,
        fetches: &Fetches,
    ) -> Result<Vec<Link>, Failure> {
        let (links, faults) = self.prove_each(config, fetches, |_| true).await;
        if faults.is_empty() {
            Ok(links.into_iter().flatten().collect())
        } else {
            Err(Failure(faults))
        }
    }

    /// The uses that `wanted` says, each in its place, and the faults of the others.
    pub(super) async fn prove_each(
        &self,
        config: &Config,
        fetches: &Fetches,
        wanted: impl Fn(&config::Use) -> bool,
    ) -> (Vec<Option<Link>>, Vec<Fault>) {
        let mut faults = Vec::new();
        let mut links = Vec::new();
        links.resize_with(config.uses.len(), || None);
        let mut loaded: HashMap<&Source, Result<Linkable, Fault>> = HashMap::new();
        let places = config.uses.iter().zip(&mut links);
        for (plugin, place) in places.filter(|(plugin, _)| wanted(plugin)) {
            let source = &plugin.component;
            if !loaded.contains_key(source) {
                let at = [&plugin.at, &plugin.component_at];
                loaded.insert(source, self.load_link(config, fetches, source, at).await);
            }
            match &loaded[source] {
                // Named at one place, it may be used at several.
                Err(failed) if faults.contains(failed) => {}
                Err(failed) => faults.push(failed.clone()),
                Ok(component) => match self.prove_link(config, fetches, plugin, component).await {
                    Ok(proven) => *place = Some(proven),
                    Err(found) => faults.extend(found),
                },
            }
        }
        (links, faults)
    }

    async fn prove_link(
        &self,
        config: &Config,
        fetches: &Fetches,
        plugin: &config::Use,
        loaded: &Linkable,
    ) -> Result<Link, Vec<Fault>> {
        match loaded {
            Linkable::Plugin(loaded) => {
                let proven = self.prove(config, fetches, plugin, loaded).await?;
                Ok(Link::Plugin(Arc::new(proven)))
            }
            Linkable::Middleware(loaded) => {
                let proven = self.prove_middleware(config, plugin, loaded).await?;
                Ok(Link::Middleware(Arc::new(proven)))
            }
        }
    }

    async fn prove(
        &self,
        config: &Config,
        fetches: &Fetches,
        plugin: &config::Use,
        loaded: &Loaded<Component>,
    ) -> Result<Use, Vec<Fault>> {
        // The use of a canary's own component watches nobody.
        let shadowless =
            plugin.canary.as_ref().map(|_| config::Use { canary: None, ..plugin.clone() });
        let proven = self.prove_version(config, shadowless.as_ref().unwrap_or(plugin), loaded);
        let proven = proven.await?;
        self.with_canary(config, fetches, plugin, proven).await
    }

    /// One version of a use, without its canary.
    pub(super) async fn prove_version(
        &self,
        config: &Config,
        plugin: &config::Use,
        (component, origin): &Loaded<Component>,
    ) -> Result<Use, Vec<Fault>> {
        let schema = serde_json::from_str(&component.manifest.config_schema).map_err(|error| {
            let reason = format!("the plugin's config-schema is not JSON: {error}");
            vec![fault(config, &plugin.at, reason)]
        })?;
        let told = config::plugin_config_faults(config, &schema, plugin);
        let loaded = (Arc::clone(component), origin.clone());
        let (shared, metrics) = (&*self.shared, &*self.metrics);
        let plugin_of = (plugin, config);
        let proven =
            Use::new(plugin_of, loaded, &self.components, shared, metrics, self.workers).await;
        let proven = match proven {
            Ok(proven) if told.shape.is_empty() && told.names.is_empty() => proven,
            Ok(_) => return Err(together(config, told, Vec::new())),
            Err(error) => return Err(together(config, told, refusal(config, plugin, &error))),
        };
        let missing = proven.missing_grants();
        if missing.is_empty() {
            return Ok(proven);
        }
        let grants: Vec<_> = missing.iter().map(|grant| format!("{grant}: true")).collect();
        let reason = format!(
            "plugin `{}` wants the body in chunks: it needs `grants: {{ {} }}`",
            plugin.name,
            grants.join(", ")
        );
        Err(vec![fault(config, &plugin.at, reason)])
    }
}
