//! Where clients and operators connect, and what only they may know.

use std::{fmt, net::SocketAddr, path::PathBuf};

use http::StatusCode;

use super::pointer::Pointer;

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listener {
    /// Where it stands in the file.
    pub at: Pointer,
    pub address: SocketAddr,
    pub tls: Option<ListenerTls>,
    /// Every request is sent to https; of cleartext listeners only.
    pub redirect_to_https: Option<RedirectToHttps>,
    /// An HTTP/1.1 client that has ended its sending side gets its answer; default: it has left.
    pub half_close: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RedirectToHttps {
    /// Default 443, which is not written out.
    pub port: u16,
    /// A redirection; default 308.
    pub status: StatusCode,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ListenerTls {
    /// Where it stands in the file.
    pub at: Pointer,
    /// At least one; the first is for clients whose server name fits none.
    pub certificates: Vec<CertificateFiles>,
    pub client_ca: Option<PathBuf>,
    pub client_auth: ClientAuth,
    pub min_version: TlsVersion,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateFiles {
    /// Where the table with both stands in the file.
    pub at: Pointer,
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ClientAuth {
    /// No client certificate is asked for.
    Off,
    Optional,
    Required,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TlsVersion {
    V1_2,
    V1_3,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Admin {
    pub address: SocketAddr,
    /// Bearer token for what changes state. Present wherever `address` is not loopback.
    pub token: Option<Secret>,
}

/// A string that `Debug` does not show.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
