//! From the JSON of a use to a plugin, and from a plugin to its manifest.

use schemars::generate::SchemaSettings;

use crate::error::Error;
use crate::plugin::Plugin;

/// The JSON Schema (2020-12) of a plugin's configuration.
pub(crate) fn schema<P: Plugin>() -> String {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let schema = generator.into_root_schema_for::<P::Config>();
    serde_json::to_string_pretty(&schema).expect("a schema is JSON")
}

/// Makes a plugin from the configuration of its use.
pub(crate) fn configure<P: Plugin>(json: &str) -> Result<P, Error> {
    let mut json = serde_json::Deserializer::from_str(json);
    let config = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let reason = error.into_inner().to_string();
        // The operator wrote YAML and never saw the JSON whose lines and columns these are.
        let reason = reason.split(" at line ").next().unwrap_or_default();
        match path.as_str() {
            "." => Error::new(reason),
            path => Error::new(format!("{path}: {reason}")),
        }
    })?;
    P::new(config)
}
