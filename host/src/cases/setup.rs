//! From a case to a gateway that has the plugin on its only route: the very configuration that
//! `tollgate run` would read, with the case's values in it. What is wrong with it is told at its
//! place in the file of cases.

use std::{path::Path, sync::Arc};

use serde_json::{Map, Value, json};

use super::{file::Setting, standin::StandIns};
use crate::{
    config::{self, Document, Fault, Pointer, Step},
    generation::{Builder, Generation},
    reload::Stamps,
};

/// The upstream of the route. Nothing is ever sent there: the case says what it answers.
const ORIGIN: &str = "route-itself";

/// Where a case's values stand in the file.
pub(super) struct Origin<'a> {
    pub(super) document: &'a Document,
    pub(super) case: Pointer,
    /// The whole file is the plugin's configuration, and there is no case.
    pub(super) alone: bool,
}

impl Origin<'_> {
    /// Where `key` stands: in the case, else in the defaults.
    fn of(&self, key: &str) -> Pointer {
        if self.alone {
            return Pointer::default();
        }
        let defaults = Pointer::default().key("defaults").key(key);
        let own = self.case.key(key);
        if !self.document.has(&own) && self.document.has(&defaults) { defaults } else { own }
    }

    /// Whether what stands in the defaults is at fault only by what the case has beside it.
    fn is_made_here(&self, at: &Pointer) -> bool {
        let parts = ["config", "grants", "limits", "upstreams"];
        let defaults = Pointer::default().key("defaults");
        let is_of_defaults = at.steps().starts_with(defaults.steps());
        !self.alone
            && is_of_defaults
            && parts.iter().any(|part| self.document.has(&self.case.key(part)))
    }

    /// A fault in the configuration that was made of the case, at its place in the case.
    fn translate(&self, fault: &Fault, made: &Document, name: &str) -> Fault {
        let at = self.pointer(&fault.at, name);
        let mut message = fault.message.clone();
        if self.is_made_here(&at) {
            let case = self.document.place(&self.case);
            message = format!("{message} (with what the case at {case} has instead)");
        }
        let translated = self.document.fault(&at, &message);
        // A fault of a key rather than of what has it.
        match key_at(made, fault) {
            Some(key) => {
                let place = self.document.key_place(&at.key(&key));
                Fault { place, ..translated }
            }
            None => translated,
        }
    }

    fn pointer(&self, made: &Pointer, name: &str) -> Pointer {
        let key = |step: &Step| match step {
            Step::Key(key) => key.clone(),
            Step::Index(_) => String::new(),
        };
        let keys: Vec<String> = made.steps().iter().map(key).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let (from, known) = match keys.as_slice() {
            ["plugins", plugin, key, ..] if *plugin == name => (self.of(key), 3),
            ["upstreams", _, ..] => (self.of("upstreams"), 1),
            ["routes", _, "name", ..] => (self.of("route").key("name"), 3),
            ["routes", _, "match", "path", ..] => (self.of("route").key("path"), 4),
            _ => return self.case.clone(),
        };
        made.steps()[known..].iter().fold(from, |at, step| at.join(step.clone()))
    }
}

/// The key that `fault` stands at, in the document that it was found in.
fn key_at(made: &Document, fault: &Fault) -> Option<String> {
    if made.place(&fault.at) == fault.place {
        return None;
    }
    let Value::Object(members) = made.value(&fault.at) else { return None };
    members
        .into_iter()
        .map(|(key, _)| key)
        .find(|key| made.key_place(&fault.at.key(key)) == fault.place)
}

/// Why there is no gateway for a case.
pub(super) enum Unfit {
    /// The plugin's `configure` said no; with all that is told of it.
    Refused(Vec<Fault>),
    Faults(Vec<Fault>),
}

/// Builds the gateway of a case.
pub(super) async fn generation(
    builder: &Builder,
    component: &Path,
    setting: &Setting,
    stand_ins: &StandIns,
    origin: &Origin<'_>,
) -> Result<Arc<Generation>, Unfit> {
    let name = name_of(component);
    let text = configuration(component, &name, setting, stand_ins).to_string();
    let path = Path::new("case");
    let translate = |faults: Vec<Fault>| {
        let (made, _) = Document::parse(&text, path).expect("JSON is YAML");
        faults.iter().map(|fault| origin.translate(fault, &made, &name)).collect()
    };
    let config = match config::examine_text(&text, path) {
        (Some(config), faults) if faults.is_empty() => config,
        // With what the plugin says in spite of them.
        examined => {
            let told = builder.check_examined(examined).await.err();
            return Err(Unfit::Faults(translate(told.map_or_else(Vec::new, |failure| failure.0))));
        }
    };
    let built = builder.assemble(config, Stamps::default(), None).await;
    // What is of the configuration alone was found above: these come from the plugin.
    let generation = built.map_err(|failure| Unfit::Refused(translate(failure.0)))?;
    Ok(Arc::new(generation))
}

/// The name of the use: the file's, where it can be one.
fn name_of(component: &Path) -> String {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    let stem = component.file_stem().and_then(|stem| stem.to_str());
    let name = stem.filter(|stem| !stem.is_empty() && stem.bytes().all(is_allowed));
    name.unwrap_or("plugin").to_owned()
}

fn configuration(component: &Path, name: &str, setting: &Setting, stand_ins: &StandIns) -> Value {
    let mut plugin = Map::new();
    plugin.insert("component".into(), component.display().to_string().into());
    let parts = [
        ("config", setting.config.clone()),
        ("grants", setting.grants.clone().map(Value::Object)),
        ("limits", setting.limits.clone().map(Value::Object)),
    ];
    plugin.extend(parts.into_iter().filter_map(|(key, value)| Some((key.into(), value?))));
    let mut upstreams: Map<String, Value> = stand_ins
        .addresses()
        .map(|(name, address)| (name.to_owned(), json!({ "endpoints": [address.to_string()] })))
        .collect();
    upstreams.insert(ORIGIN.into(), json!({ "endpoints": ["127.0.0.1:9"] }));
    let route = setting.route.as_ref();
    let path = route.and_then(|route| route.path.as_deref()).unwrap_or("/{*rest}");
    let route = route.and_then(|route| route.name.as_deref()).unwrap_or("route");
    let mut configuration = json!({
        "listeners": [{ "address": "127.0.0.1:0" }],
        "plugins": { name: plugin },
        "upstreams": upstreams,
        "routes": [{ "name": route, "match": { "path": path }, "plugins": [name], "upstream": ORIGIN }],
    });
    // Variables have been replaced when the file of cases was read; what looks like one now is not.
    config::escape(&mut configuration);
    configuration
}
