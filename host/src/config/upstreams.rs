//! Where requests are forwarded to.

use std::{path::PathBuf, time::Duration};

use super::{listeners::CertificateFiles, pointer::Pointer};

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Upstream {
    pub name: String,
    /// At least one.
    pub endpoints: Vec<Endpoint>,
    pub protocol: Protocol,
    pub tls: Option<UpstreamTls>,
    /// Until a connection is there, its TLS handshake included. Default 2 s.
    pub connect_timeout: Duration,
    /// From the request's last byte to the response head. Default 30 s.
    pub first_byte_timeout: Duration,
    /// Between two pieces of a body. Default 60 s.
    pub idle_timeout: Duration,
    /// Idle connections kept for each worker and endpoint. Default 128.
    pub keepalive_max_idle: usize,
    /// How long an idle connection is kept. Default 60 s.
    pub keepalive_idle: Duration,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// A name to resolve or an IP address (IPv6 without brackets).
    pub host: String,
    pub port: u16,
    /// At least 1; default 1.
    pub weight: u32,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Protocol {
    #[default]
    Http1,
    Http2,
    /// By ALPN; HTTP/1.1 without TLS.
    Auto,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UpstreamTls {
    /// Where it stands in the file.
    pub at: Pointer,
    /// Name to verify and to send; `None`: each endpoint's host.
    pub server_name: Option<String>,
    /// Authorities to trust; `None`: the system's.
    pub ca: Option<PathBuf>,
    pub client_certificate: Option<CertificateFiles>,
    pub verify: bool,
}
