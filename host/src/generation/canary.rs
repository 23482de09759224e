//! The canary of a use: loaded, checked and configured like the use itself.

use super::build::{Builder, fault};
use crate::{
    config::{self, Config, Fault},
    plugin::{Canary, Use},
};

impl Builder {
    /// `proven` with the canary that the configuration gives it, if it does.
    pub(super) async fn with_canary(
        &self,
        config: &Config,
        plugin: &config::Use,
        proven: Use,
    ) -> Result<Use, Vec<Fault>> {
        let Some(canary) = &plugin.canary else { return Ok(proven) };
        let component = self.load(&canary.component, config).await;
        let component =
            component.map_err(|reason| vec![fault(config, &canary.at.key("component"), reason)])?;
        let version = self.prove_version(config, &version(plugin, canary), &component).await?;
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
    if let Some(own) = &canary.config {
        version.config.clone_from(own);
        version.config_at = canary.at.key("config");
    }
    version
}
