//! What goes into a case: the request, the response, the client, and stand-ins for upstreams.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Headers, Span};

/// A request as the client sends it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Request")]
pub(in crate::cases) struct RequestIn {
    #[schemars(extend("default" = "GET"))]
    pub(in crate::cases) method: Option<String>,
    /// Path and query.
    #[schemars(extend("default" = "/"))]
    pub(in crate::cases) target: Option<String>,
    #[schemars(extend("default" = "localhost"))]
    pub(in crate::cases) host: Option<String>,
    #[serde(default)]
    pub(in crate::cases) headers: Headers,
    #[serde(flatten)]
    pub(in crate::cases) content: Content,
    #[serde(flatten)]
    pub(in crate::cases) delivery: Delivery,
}

/// A response as an upstream gives it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Response")]
pub(in crate::cases) struct ResponseIn {
    #[schemars(range(min = 200, max = 599), extend("default" = 200))]
    pub(in crate::cases) status: Option<u16>,
    #[serde(default)]
    pub(in crate::cases) headers: Headers,
    #[serde(flatten)]
    pub(in crate::cases) content: Content,
    #[serde(flatten)]
    pub(in crate::cases) delivery: Delivery,
}

/// How the exchange ends, as the hook for the end is told it. What is not named is as it came.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Outcome")]
pub(in crate::cases) struct OutcomeIn {
    #[schemars(range(min = 100, max = 599))]
    pub(in crate::cases) status: Option<u16>,
    /// How long the exchange took; unless stated, no time.
    pub(in crate::cases) duration: Option<Span>,
    pub(in crate::cases) request_bytes: Option<u64>,
    pub(in crate::cases) response_bytes: Option<u64>,
    /// Who answered; unless stated, the upstream that the plugin chose.
    pub(in crate::cases) upstream: Option<String>,
    /// Why there was no good end; unless stated, how a hook failed.
    pub(in crate::cases) error: Option<String>,
}

/// A body, in one of three ways.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(in crate::cases) struct Content {
    /// The body as text.
    pub(in crate::cases) body: Option<String>,
    /// The body as JSON; its content type is set.
    #[serde(default, deserialize_with = "super::present")]
    pub(in crate::cases) json: Option<Value>,
    /// The body as bytes in base64.
    pub(in crate::cases) base64: Option<String>,
}

/// How a body comes; unless stated, in one piece and plainly.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
pub(in crate::cases) struct Delivery {
    /// The body as its pieces, each a text that comes alone. After an empty one at the end, the
    /// end comes alone too.
    pub(in crate::cases) chunks: Option<Vec<String>>,
    /// Cuts the body into pieces of so many bytes.
    #[schemars(range(min = 1))]
    pub(in crate::cases) chunk_bytes: Option<usize>,
    /// The content coding in which the body comes; `content-encoding` is set.
    pub(in crate::cases) coding: Option<CodingIn>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub(in crate::cases) enum CodingIn {
    Gzip,
    Br,
    Zstd,
    Deflate,
}

/// Who sends the request.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "Client")]
pub(in crate::cases) struct Peer {
    #[schemars(with = "Option<String>", extend("default" = "127.0.0.1"))]
    pub(in crate::cases) address: Option<IpAddr>,
    /// Without it the request came in cleartext.
    pub(in crate::cases) tls: Option<PeerTls>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "ClientTls")]
pub(in crate::cases) struct PeerTls {
    #[schemars(extend("default" = "1.3"))]
    pub(in crate::cases) version: Option<TlsVersion>,
    pub(in crate::cases) server_name: Option<String>,
    pub(in crate::cases) certificate: Option<PeerCertificate>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(in crate::cases) enum TlsVersion {
    #[serde(rename = "1.2")]
    V1_2,
    #[serde(rename = "1.3")]
    V1_3,
}

/// A client certificate that was verified.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields, rename = "ClientCertificate")]
pub(in crate::cases) struct PeerCertificate {
    pub(in crate::cases) subject: String,
    #[serde(default)]
    pub(in crate::cases) alternative_names: Vec<String>,
    /// Hex digest of its DER form.
    #[serde(default)]
    pub(in crate::cases) sha256: String,
}

/// A stand-in for an upstream: its answers, or how it fails.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(extend("x-expected" = "a list of answers, `unreachable`, `silent` or `closes`"))]
pub(in crate::cases) enum StandIn {
    /// The first that fits a call is given. A call that none fits fails the case.
    Answers(Vec<Answer>),
    Fault(StandInFault),
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::cases) enum StandInFault {
    /// Nobody listens.
    Unreachable,
    /// It takes the request and says nothing, until the plugin's patience ends.
    Silent,
    /// It takes the request and closes the connection.
    Closes,
}

/// What a stand-in answers, and to what.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(in crate::cases) struct Answer {
    /// Only calls with this method.
    pub(in crate::cases) method: Option<String>,
    /// Only calls with this path and query.
    pub(in crate::cases) target: Option<String>,
    /// How often it is given; then the next answer that fits is.
    #[schemars(range(min = 1))]
    pub(in crate::cases) times: Option<usize>,
    #[schemars(range(min = 200, max = 599), extend("default" = 200))]
    pub(in crate::cases) status: Option<u16>,
    #[serde(default)]
    pub(in crate::cases) headers: Headers,
    #[serde(flatten)]
    pub(in crate::cases) content: Content,
}
