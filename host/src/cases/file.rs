//! The file of cases as it is written, and its JSON Schema: the doc comments here are what editors
//! show. Unknown keys are refused by the schema, since serde cannot where it flattens.

mod expected;
mod inputs;

use std::{collections::BTreeMap, time::SystemTime};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

pub(super) use self::{
    expected::{CallOut, Expect, RequestOut, ResponseOut, VerdictOf, Wanted},
    inputs::{
        Answer, CodingIn, Content, Delivery, OutcomeIn, Peer, PeerTls, RequestIn, ResponseIn,
        StandIn, StandInFault, TlsVersion,
    },
};

/// Cases of a plugin's test: what goes in, and what is expected of it.
///
/// In every text, `${NAME}` and `${NAME:-default}` stand for an environment variable and
/// `${file:path}` for the contents of a file.
#[derive(Debug, JsonSchema)]
#[schemars(deny_unknown_fields, title = "Cases of a Tollgate plugin")]
pub(super) struct File {
    /// What every case has that does not say otherwise, key by key.
    #[schemars(default)]
    pub(super) defaults: Setting,
    // `None`: one that has faults.
    #[schemars(length(min = 1), with = "Vec<Case>")]
    pub(super) cases: Vec<Option<Case>>,
}

/// What the plugin finds around it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Setting {
    /// What the plugin is told; its own schema says what that may be.
    pub(super) config: Option<Value>,
    /// What it may reach, as in the gateway's configuration; nothing unless named.
    pub(super) grants: Option<Map<String, Value>>,
    /// What it may use up, as in the gateway's configuration.
    pub(super) limits: Option<Map<String, Value>>,
    /// Stand-ins for upstreams, by name.
    pub(super) upstreams: Option<BTreeMap<String, StandIn>>,
    /// What stores hold at first, by their names: a text for each key.
    pub(super) stores: Option<BTreeMap<String, BTreeMap<String, String>>>,
    /// Where all clocks stand, in UTC.
    #[schemars(extend("default" = "2026-01-01T00:00:00Z"))]
    pub(super) clock: Option<Moment>,
    pub(super) route: Option<RouteOf>,
    pub(super) client: Option<Peer>,
}

/// One case: a request, or several after each other, in a setting of their own.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Case {
    /// Says what is so; unique.
    #[schemars(length(min = 1))]
    pub(super) name: String,
    #[serde(flatten)]
    pub(super) setting: Setting,
    /// The plugin refuses its configuration, and says this among other things. Nothing else
    /// happens in such a case.
    pub(super) refused: Option<String>,
    #[serde(flatten)]
    pub(super) step: Step,
    /// Several requests after each other, in the place of this case's own.
    #[schemars(length(min = 1))]
    pub(super) steps: Option<Vec<Step>>,
}

/// One request, and what is expected of it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(super) struct Step {
    /// How far the clocks move before it.
    pub(super) advance: Option<Span>,
    pub(super) request: Option<RequestIn>,
    /// What earlier plugins have noted.
    pub(super) attributes: Option<BTreeMap<String, String>>,
    /// What the upstream answers, where the plugin lets the request through. Without it there is
    /// no response to show to the plugin.
    pub(super) response: Option<ResponseIn>,
    pub(super) outcome: Option<OutcomeIn>,
    pub(super) expect: Option<Expect>,
}

/// The route that the request takes.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Route")]
pub(super) struct RouteOf {
    #[schemars(extend("default" = "route"))]
    pub(super) name: Option<String>,
    /// Its pattern, whose parameters the plugin can ask for.
    #[schemars(extend("default" = "/{*rest}"))]
    pub(super) path: Option<String>,
}

/// Header fields by name.
pub(super) type Headers = BTreeMap<String, Lines>;

/// A field's value, or one for each of its lines.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("x-expected" = "a text, or a list of texts"))]
pub(super) enum Lines {
    One(String),
    Many(Vec<String>),
}

impl Lines {
    pub(super) fn as_slice(&self) -> &[String] {
        match self {
            Self::One(line) => std::slice::from_ref(line),
            Self::Many(lines) => lines,
        }
    }
}

/// A moment in RFC 3339, UTC.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(pub(super) SystemTime);

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Moment {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": MOMENT,
            "x-expected": "a moment in UTC such as `2026-01-01T12:00:00Z`",
        })
    }
}

const MOMENT: &str = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\
                      T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,9})?Z$";

/// A length of time such as `250ms` or `61s`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span(pub(super) std::time::Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        crate::config::other::duration(&text).map(Self).map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Span {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        crate::config::other::duration_schema(generator)
    }
}

/// So that `json: null` is the JSON value and not its absence.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}
