//! What is expected of a case.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::Headers;

/// What must come of it. What is not named may be as it likes; but a hook that fails fails the
/// case, unless that is what is expected.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::cases) struct Expect {
    /// What the plugin decides: `next` lets the request through, `respond` answers it, `fail` is a
    /// hook that fails, whichever.
    pub(in crate::cases) verdict: Option<VerdictOf>,
    /// A part of what is told of the hook that fails, such as `on-request: it said: ..`.
    pub(in crate::cases) error: Option<String>,
    /// The request as it goes on.
    pub(in crate::cases) request: Option<RequestOut>,
    /// The response as the client gets it.
    pub(in crate::cases) response: Option<ResponseOut>,
    /// The plugin's own calls, all of them, in order.
    pub(in crate::cases) calls: Option<Vec<CallOut>>,
    /// What the plugin logs, all of it, in order: of each line `level: message name="value"` a part.
    pub(in crate::cases) logs: Option<Vec<String>>,
    /// What stores hold: a text for each key. Those that are not named may hold what they like.
    #[serde(default)]
    pub(in crate::cases) stores: BTreeMap<String, BTreeMap<String, String>>,
    /// What it has noted.
    #[serde(default)]
    pub(in crate::cases) attributes: BTreeMap<String, String>,
    /// What it has counted since the case began, and the sums of what it has observed, by name and
    /// labels: `refusals{reason="expired"}`, labels in the order of the alphabet.
    #[serde(default)]
    pub(in crate::cases) metrics: BTreeMap<String, f64>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::cases) enum VerdictOf {
    Next,
    Respond,
    Fail,
}

impl VerdictOf {
    pub(in crate::cases) fn as_str(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Respond => "respond",
            Self::Fail => "fail",
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "ExpectedRequest")]
pub(in crate::cases) struct RequestOut {
    pub(in crate::cases) method: Option<String>,
    /// Path and query.
    pub(in crate::cases) target: Option<String>,
    /// The upstream that the plugin has chosen in the place of the route's.
    pub(in crate::cases) upstream: Option<String>,
    /// The pieces of the body, as they go on.
    pub(in crate::cases) chunks: Option<Vec<String>>,
    #[serde(flatten)]
    pub(in crate::cases) wanted: Wanted,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "ExpectedResponse")]
pub(in crate::cases) struct ResponseOut {
    pub(in crate::cases) status: Option<u16>,
    /// The pieces of the body, as they go on.
    pub(in crate::cases) chunks: Option<Vec<String>>,
    #[serde(flatten)]
    pub(in crate::cases) wanted: Wanted,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "ExpectedCall")]
pub(in crate::cases) struct CallOut {
    pub(in crate::cases) upstream: Option<String>,
    pub(in crate::cases) method: Option<String>,
    /// Path and query.
    pub(in crate::cases) target: Option<String>,
    #[serde(flatten)]
    pub(in crate::cases) wanted: Wanted,
}

/// Fields and body of a message; the body without its content coding.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(in crate::cases) struct Wanted {
    /// Fields that have these lines and no others.
    #[serde(default)]
    pub(in crate::cases) headers: Headers,
    /// Fields that are not there.
    #[serde(default)]
    pub(in crate::cases) without: Vec<String>,
    /// The whole body as text.
    pub(in crate::cases) body: Option<String>,
    /// The whole body as JSON.
    #[serde(default, deserialize_with = "super::present")]
    pub(in crate::cases) json: Option<Value>,
    /// A part of the body.
    pub(in crate::cases) contains: Option<String>,
}
