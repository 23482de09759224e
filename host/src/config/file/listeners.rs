//! Listeners and the administration server as the file writes them.

use schemars::JsonSchema;
use serde::Deserialize;

use super::List;

/// An address to accept connections on; HTTP/1.1 and HTTP/2 are both on.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Listener")]
pub(in crate::config) struct ListenerFile {
    /// IP address and port, such as `0.0.0.0:8080` or `[::]:8080`.
    #[schemars(required)]
    pub(in crate::config) address: Option<String>,
    /// Without it the listener is cleartext.
    pub(in crate::config) tls: Option<ListenerTlsFile>,
    /// Answers every request with a redirect to the same host, path and query by https. `true`, or
    /// a table.
    pub(in crate::config) redirect_to_https: Option<RedirectToHttpsFile>,
    /// Whether an HTTP/1.1 client that ends its sending side after its request gets its answer.
    /// Otherwise it counts as gone, and its exchange ends. With it, a client that has closed its
    /// connection is noticed only once something is written to it.
    #[schemars(extend("default" = false))]
    pub(in crate::config) half_close: Option<bool>,
}

/// `true`, or what is not usual.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "RedirectToHttps")]
#[schemars(extend("x-expected" = "`true`, `false` or `{ port: 443, status: 308 }`"))]
pub(in crate::config) enum RedirectToHttpsFile {
    On(bool),
    Table(RedirectToHttpsTableFile),
}

/// Where clients are sent, and how.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RedirectToHttpsTable")]
pub(in crate::config) struct RedirectToHttpsTableFile {
    /// The port that clients reach https at.
    #[schemars(range(min = 1, max = 65535), extend("default" = 443))]
    pub(in crate::config) port: Option<u16>,
    /// 301, 302, 303, 307 or 308.
    #[schemars(extend("default" = 308, "enum" = [301, 302, 303, 307, 308]))]
    pub(in crate::config) status: Option<u16>,
}

/// TLS of a listener.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ListenerTls")]
pub(in crate::config) struct ListenerTlsFile {
    /// Chosen by the server name that a client asks for; the first is for all other clients.
    #[schemars(required, length(min = 1))]
    pub(in crate::config) certificates: Option<List<CertificateFile>>,
    /// PEM file of the authorities that client certificates must come from.
    pub(in crate::config) client_ca: Option<String>,
    /// Whether a client must show a certificate. Default: required where `client_ca` is set.
    pub(in crate::config) client_auth: Option<ClientAuthFile>,
    /// The oldest version that is spoken.
    #[schemars(extend("default" = "1.2"))]
    pub(in crate::config) min_version: Option<TlsVersionFile>,
}

/// A certificate chain and its key, both PEM.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Certificate")]
pub(in crate::config) struct CertificateFile {
    #[schemars(required)]
    pub(in crate::config) certificate: Option<String>,
    #[schemars(required)]
    pub(in crate::config) key: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(inline)]
pub(in crate::config) enum ClientAuthFile {
    Optional,
    Required,
}

#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[schemars(inline)]
pub(in crate::config) enum TlsVersionFile {
    #[serde(rename = "1.2")]
    V1_2,
    #[serde(rename = "1.3")]
    V1_3,
}

/// The administration server.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Admin")]
pub(in crate::config) struct AdminFile {
    /// IP address and port. Any but a loopback address needs `token`.
    #[schemars(extend("default" = "127.0.0.1:9901"))]
    pub(in crate::config) address: Option<String>,
    /// Bearer token for everything that changes state.
    pub(in crate::config) token: Option<String>,
}
