//! What a plugin says of itself, and what of it an operator can be shown.

use std::sync::Arc;

use wasmtime::Store;

use super::super::{
    bindings::{PluginPre, exports::tollgate::plugin::filter::Need},
    engine::Engine,
    pool,
    settings::Settings,
    state::State,
};
use crate::printable;

/// What a plugin says of itself.
#[derive(Clone, Debug)]
pub struct Manifest {
    pub name: String,
    pub version: String,
    pub summary: String,
    /// JSON Schema of the configuration, as text.
    pub config_schema: String,
    /// `upstreams`, `request-body` and the like: what it will ask for.
    pub needs: Vec<&'static str>,
}

/// Bytes of a name or a version, of a summary, and of a schema.
const MAX_NAME: usize = 100;
const MAX_SUMMARY: usize = 1000;
const MAX_SCHEMA: usize = 1 << 20;

impl Manifest {
    /// Asks the plugin who it is, in an instance of its own with the default limits.
    pub(super) async fn ask(engine: &Engine, pre: &PluginPre<State>) -> wasmtime::Result<Self> {
        let mut store: Store<State> = pool::store(engine, Arc::new(Settings::for_describing()));
        let asking = async {
            let plugin = pre.instantiate_async(&mut store).await?;
            plugin.tollgate_plugin_filter().call_describe(&mut store).await
        };
        let manifest = tokio::time::timeout(pool::SETUP_TIMEOUT, asking).await??;
        Ok(Self {
            name: manifest.name,
            version: manifest.version,
            summary: manifest.summary,
            config_schema: manifest.config_schema,
            needs: manifest.needs.iter().map(need).collect(),
        })
    }

    /// Itself where operators can be shown it, else what they cannot.
    pub(super) fn checked(self) -> Result<Self, String> {
        let short = [
            ("name", &self.name, MAX_NAME),
            ("version", &self.version, MAX_NAME),
            ("summary", &self.summary, MAX_SUMMARY),
        ];
        for (what, text, most) in short {
            if text.len() > most {
                return Err(format!("its {what} has more than {most} bytes"));
            }
            if !printable::is_plain(text) {
                return Err(format!("its {what} has control characters"));
            }
        }
        match self.config_schema.len() > MAX_SCHEMA {
            true => Err(format!("its schema has more than {MAX_SCHEMA} bytes")),
            false => Ok(self),
        }
    }
}

fn need(need: &Need) -> &'static str {
    match need {
        Need::Upstreams => "upstreams",
        Need::Store => "store",
        Need::RequestBody => "request-body",
        Need::ResponseBody => "response-body",
        Need::Cache => "cache",
    }
}

#[cfg(test)]
mod tests {
    use super::Manifest;

    fn manifest(name: &str, summary: &str, schema: &str) -> Manifest {
        Manifest {
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            summary: summary.to_owned(),
            config_schema: schema.to_owned(),
            needs: Vec::new(),
        }
    }

    #[test]
    fn what_a_plugin_says_of_itself_is_short_and_plain() {
        assert!(manifest("a", "What it does", "{}").checked().is_ok());
        for refused in [
            manifest(&"a".repeat(101), "", "{}"),
            manifest("a\u{1b}[2J", "", "{}"),
            manifest("a", "two\nlines", "{}"),
            manifest("a", "", &" ".repeat((1 << 20) + 1)),
        ] {
            assert!(refused.checked().is_err());
        }
    }
}
