//! The canary of a use: loaded, checked and configured like the use itself.

use super::{build::Builder, components::Fetches};
use crate::{
    config::{self, Config, Fault},
    plugin::{Canary, Use},
};

impl Builder {
    /// `proven` with the canary that the configuration gives it, if it does.
    pub(super) async fn with_canary(
        &self,
        config: &Config,
        fetches: &Fetches,
        plugin: &config::Use,
        proven: Use,
    ) -> Result<Use, Vec<Fault>> {
        let Some(canary) = &plugin.canary else { return Ok(proven) };
        let at = canary.at.key("component");
        let loaded = self.load(config, fetches, &canary.component, [&at, &at]).await;
        let loaded = loaded.map_err(|fault| vec![fault])?;
        let version = self.prove_version(config, &version(plugin, canary), &loaded).await?;
        let (components, metrics) = (&self.components, &self.metrics);
        Ok(proven.with_canary(Canary::new(plugin, canary, version, components, metrics)))
    }
}

/// The use as it is with the canary's component. Its series in metrics and its lines in the log
/// are its own: no plugin can be called so.
fn version(plugin: &config::Use, canary: &config::Canary) -> config::Use {
    let mut version = plugin.clone();
    version.name = format!("{}:canary", plugin.name);
    version.component.clone_from(&canary.component);
    version.at = canary.at.clone();
    version.component_at = canary.at.key("component");
    if let Some(own) = &canary.config {
        version.config.clone_from(own);
        version.config_at = canary.at.key("config");
    }
    version
}
