//! A plugin's configuration against the schema that the plugin brings along.

use std::{collections::BTreeSet, sync::Arc};

use jsonschema::{Keyword, ValidationError, paths::Location};
use parking_lot::Mutex;
use serde_json::{Map, Value};

use super::{
    Config, Fault, Grants, Use,
    check::did_you_mean,
    fault::Faults,
    pointer::Step,
    structure::{self, Misfit},
};

/// In a plugin's schema: the value is the name of an `upstream` or a `store`.
const NAME_KEYWORD: &str = "x-tollgate-name";

/// What is wrong with a plugin's configuration, as far as its schema tells.
#[derive(Debug, Default)]
pub struct PluginConfigFaults {
    /// What does not fit the schema.
    pub shape: Vec<Fault>,
    /// Names of upstreams and stores that the use is not granted, or that nobody defines.
    pub names: Vec<Fault>,
}

/// Checks the configuration of `use_` against its plugin's JSON Schema (2020-12), and points at
/// each line that does not fit.
///
/// A schema that is none is one fault, at the use. References to other documents are such a
/// fault: nothing is ever fetched.
pub fn plugin_config_faults(config: &Config, schema: &Value, use_: &Use) -> PluginConfigFaults {
    let document = &config.document;
    let (shape, names) = (Faults::new(document), Faults::new(document));
    match structure::build(named(config, use_), schema) {
        Ok(validator) => {
            for misfit in structure::misfits(schema, &validator, &use_.config, &use_.config_at) {
                report(if misfit.is_name() { &names } else { &shape }, &misfit);
            }
        }
        Err(error) => shape.push(
            &use_.at,
            format!("the configuration schema of plugin `{}` is invalid: {error}", use_.name),
        ),
    }
    PluginConfigFaults { shape: shape.into_vec(), names: names.into_vec() }
}

fn report(faults: &Faults<'_>, misfit: &Misfit) {
    match &misfit.key {
        Some(key) => faults.push_key(&misfit.at.key(key), &misfit.at, &misfit.message),
        None => faults.push(&misfit.at, &misfit.message),
    }
}

/// With the names that the use may say.
fn named(config: &Config, use_: &Use) -> jsonschema::ValidationOptions<'static> {
    let known: Vec<_> = config.upstreams.keys().cloned().collect();
    let Grants { upstreams, stores, .. } = use_.grants.clone();
    // An entry of `plugins` may leave its grants to the routes that list it.
    let (upstreams, stores) = config.lists(use_).then_some((upstreams, stores)).unzip();
    structure::options().with_keyword(NAME_KEYWORD, move |_: &Map<_, _>, kind, _: Location| {
        let names = match kind.as_str() {
            Some("upstream") => {
                Names::Upstreams { known: known.clone(), granted: upstreams.clone() }
            }
            Some("store") => Names::Stores { granted: stores.clone() },
            // Of a plugin for a later gateway.
            _ => Names::Any,
        };
        Ok(Box::new(names))
    })
}

/// Whether a plugin's schema says of any value that it names an `upstream` or a `store`: then all that
/// a configuration names is known.
pub(crate) fn names_any(schema: &str, kind: &str) -> bool {
    fn has(schema: &Value, kind: &str) -> bool {
        match schema {
            Value::Array(schemas) => schemas.iter().any(|schema| has(schema, kind)),
            Value::Object(members) => {
                members.get(NAME_KEYWORD).is_some_and(|named| named == kind)
                    || members.values().any(|schema| has(schema, kind))
            }
            _ => false,
        }
    }
    serde_json::from_str(schema).is_ok_and(|schema: Value| has(&schema, kind))
}

/// # Errors
///
/// Why no configuration can be checked against the schema, with the place in it.
pub(crate) fn check_schema(schema: &str) -> Result<(), String> {
    let schema: Value = serde_json::from_str(schema).map_err(|error| error.to_string())?;
    structure::validator(&schema).map(drop)
}

/// The names of upstreams and stores that a plugin's configuration has, as its schema tells.
#[derive(Clone, Debug, Default)]
pub(crate) struct Named {
    pub(crate) upstreams: BTreeSet<String>,
    pub(crate) stores: BTreeSet<String>,
}

/// Nothing where the schema is none.
pub(crate) fn names_in(schema: &str, value: &Value) -> Named {
    let found = Arc::<Mutex<Named>>::default();
    let noted = Arc::clone(&found);
    let options =
        structure::options().with_keyword(NAME_KEYWORD, move |_: &Map<_, _>, kind, _: Location| {
            let kind = kind.as_str().unwrap_or_default().to_owned();
            Ok(Box::new(Noted { kind, found: Arc::clone(&noted) }))
        });
    let schema: Value = serde_json::from_str(schema).unwrap_or_default();
    if let Ok(validator) = structure::build(options, &schema) {
        // All of it is looked at, whatever is wrong with some.
        validator.iter_errors(value).for_each(drop);
    }
    found.lock().clone()
}

/// Notes the names that it is shown.
struct Noted {
    kind: String,
    found: Arc<Mutex<Named>>,
}

impl<'i> Keyword<'i> for Noted {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        let mut found = self.found.lock();
        match (self.kind.as_str(), instance.as_str()) {
            ("upstream", Some(name)) => drop(found.upstreams.insert(name.to_owned())),
            ("store", Some(name)) => drop(found.stores.insert(name.to_owned())),
            _ => (),
        }
        Ok(())
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        self.validate(instance).is_ok()
    }
}

impl Config {
    /// Whether a route has the use, or that whose canary it is.
    pub(crate) fn lists(&self, use_: &Use) -> bool {
        // A route lists what it defines; there may be thousands of those.
        if matches!(use_.at.steps(), [Step::Key(first), ..] if first == "routes") {
            return true;
        }
        let listed = self.routes.iter().flat_map(|route| &route.plugins);
        let mut listed = listed.map(|&index| &self.uses[index].at);
        listed.any(|at| use_.at.steps().starts_with(at.steps()))
    }
}

/// The names that a value may be; `granted`: `None` where that is not known.
enum Names {
    Upstreams { known: Vec<String>, granted: Option<Vec<String>> },
    Stores { granted: Option<Vec<String>> },
    Any,
}

impl Names {
    /// What is wrong with a name; what is no text has a type that the schema tells of.
    fn fault(&self, value: &Value) -> Option<String> {
        let name = value.as_str()?;
        let has = |names: &[String]| names.iter().any(|known| known == name);
        let hint = |names: &[String]| did_you_mean(name, names.iter().map(String::as_str));
        match self {
            Self::Upstreams { known, .. } if !has(known) => {
                Some(format!("no upstream is called \"{name}\"{}", hint(known)))
            }
            Self::Upstreams { granted: Some(granted), .. } if !has(granted) => Some(format!(
                "the use is not granted upstream \"{name}\"; add it to its `grants.upstreams`"
            )),
            Self::Stores { granted: Some(granted) } if !has(granted) => {
                let hint = Some(hint(granted)).filter(|hint| !hint.is_empty());
                let hint = hint.unwrap_or_else(|| "; add it to its `grants.stores`".to_owned());
                Some(format!("the use is not granted store \"{name}\"{hint}"))
            }
            Self::Upstreams { .. } | Self::Stores { .. } | Self::Any => None,
        }
    }
}

impl<'i> Keyword<'i> for Names {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        self.fault(instance).map_or(Ok(()), |fault| Err(ValidationError::custom(fault)))
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        self.fault(instance).is_none()
    }
}
