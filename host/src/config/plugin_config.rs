//! A plugin's configuration against the schema that the plugin brings along.

use serde_json::Value;

use super::{
    Use,
    document::Document,
    fault::{Fault, Faults},
    structure,
};

/// Checks the configuration of `use_` against its plugin's JSON Schema (2020-12), and points at
/// each line that does not fit.
///
/// A schema that is none is one fault, at the use. References to other documents are such a
/// fault: nothing is ever fetched.
pub fn plugin_config_faults(document: &Document, schema: &Value, use_: &Use) -> Vec<Fault> {
    let faults = Faults::new(document);
    match structure::validator(schema) {
        Ok(validator) => {
            for misfit in structure::misfits(schema, &validator, &use_.config, &use_.config_at) {
                match &misfit.key {
                    Some(key) => {
                        faults.push_key(&misfit.at.key(key), &misfit.at, &misfit.message);
                    }
                    None => faults.push(&misfit.at, &misfit.message),
                }
            }
        }
        Err(error) => faults.push(
            &use_.at,
            format!("the configuration schema of plugin `{}` is invalid: {error}", use_.name),
        ),
    }
    faults.into_vec()
}
