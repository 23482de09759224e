//! TLS towards clients: certificates chosen by server name, client certificates, ALPN.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
};

use aws_lc_rs::digest::{SHA256, digest};
use rustls::{
    ProtocolVersion, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion,
    crypto::aws_lc_rs::{Ticketer, sign::any_supported_type},
    server::{ClientHello, ProducesTickets, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use x509_parser::{extensions::GeneralName, prelude::X509Certificate};

use super::client::{Certificate, ClientTls};
use crate::{
    config::{CertificateFiles, ClientAuth, ListenerTls, TlsVersion},
    upstream::{TlsError, certificates, private_key, roots},
};

/// Tickets for each full TLS 1.3 handshake; clients that open several connections use up one
/// each.
const TICKETS: usize = 2;

/// Reads the certificates and keys and makes a server of them.
///
/// # Errors
///
/// A file that cannot be read, or a key that is not its certificate's.
pub(crate) fn server(config: &ListenerTls) -> Result<Arc<ServerConfig>, TlsError> {
    let versions: &[&SupportedProtocolVersion] = match config.min_version {
        TlsVersion::V1_2 => &[&TLS12, &TLS13],
        TlsVersion::V1_3 => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_protocol_versions(versions);
    let builder = match (&config.client_ca, config.client_auth) {
        (Some(ca), ClientAuth::Required) => {
            builder.with_client_cert_verifier(verifier(roots(Some(ca))?, false)?)
        }
        (Some(ca), ClientAuth::Optional) => {
            builder.with_client_cert_verifier(verifier(roots(Some(ca))?, true)?)
        }
        _ => builder.with_no_client_auth(),
    };
    let mut server =
        builder.with_cert_resolver(Arc::new(Certificates::load(&config.certificates)?));
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    server.ticketer = ticketer()?;
    server.send_tls13_tickets = TICKETS;
    Ok(Arc::new(server))
}

fn verifier(
    roots: RootCertStore,
    optional: bool,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsError> {
    let builder = WebPkiClientVerifier::builder(roots.into());
    let builder = if optional { builder.allow_unauthenticated() } else { builder };
    builder.build().map_err(|error| TlsError::Unusable(error.to_string()))
}

/// The key of session tickets; one for the process, so that sessions live over reloads.
fn ticketer() -> Result<Arc<dyn ProducesTickets>, TlsError> {
    static TICKETER: OnceLock<Arc<dyn ProducesTickets>> = OnceLock::new();
    if let Some(ticketer) = TICKETER.get() {
        return Ok(Arc::clone(ticketer));
    }
    let made = Ticketer::new().map_err(|error| TlsError::Unusable(error.to_string()))?;
    Ok(Arc::clone(TICKETER.get_or_init(|| made)))
}

/// Certificates by the names in them.
struct Certificates {
    /// Lower-case; `*.example.org` stands as it is.
    by_name: HashMap<String, Arc<CertifiedKey>>,
    /// For clients that send no name, or one that no certificate has.
    first: Arc<CertifiedKey>,
}

impl Certificates {
    fn load(files: &[CertificateFiles]) -> Result<Self, TlsError> {
        let mut by_name = HashMap::new();
        let mut first = None;
        for files in files {
            let (key, names) = load(files)?;
            first.get_or_insert_with(|| Arc::clone(&key));
            for name in names {
                by_name.entry(name).or_insert_with(|| Arc::clone(&key));
            }
        }
        let first = first.ok_or_else(|| TlsError::Unusable("no certificate is named".into()))?;
        Ok(Self { by_name, first })
    }

    fn find(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        self.by_name.get(&name).or_else(|| {
            let (_, parent) = name.split_once('.')?;
            self.by_name.get(&format!("*.{parent}"))
        })
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| self.find(name));
        Some(Arc::clone(named.unwrap_or(&self.first)))
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_name.keys()).finish()
    }
}

fn load(files: &CertificateFiles) -> Result<(Arc<CertifiedKey>, Vec<String>), TlsError> {
    let unusable =
        |reason: String| TlsError::Unusable(format!("`{}`: {reason}", files.certificate.display()));
    let chain = certificates(&files.certificate)?;
    let key = any_supported_type(&private_key(&files.key)?)
        .map_err(|error| TlsError::Unusable(format!("`{}`: {error}", files.key.display())))?;
    let (_, leaf) = x509_parser::parse_x509_certificate(&chain[0])
        .map_err(|error| unusable(error.to_string()))?;
    let names =
        alternative_names(&leaf).into_iter().map(|name| name.to_ascii_lowercase()).collect();
    let certified = CertifiedKey::new(chain, key);
    certified.keys_match().map_err(|_| {
        unusable(format!("it does not belong to the key in `{}`", files.key.display()))
    })?;
    Ok((Arc::new(certified), names))
}

/// What plugins and logs learn of a client's TLS.
pub(super) fn describe(session: &ServerConnection) -> ClientTls {
    let certificate = session.peer_certificates().and_then(|chain| chain.first());
    ClientTls {
        version: match session.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => "1.2",
            _ => "1.3",
        },
        server_name: session.server_name().map(str::to_owned),
        certificate: certificate.and_then(|der| {
            let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
            Some(Certificate {
                subject: parsed.subject().to_string(),
                alternative_names: alternative_names(&parsed),
                sha256: hex::encode(digest(&SHA256, der)),
            })
        }),
    }
}

/// DNS names, addresses and URIs, in the certificate's order.
fn alternative_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    names.value.general_names.iter().filter_map(text).collect()
}

fn text(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) | GeneralName::URI(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(std::net::Ipv4Addr::from(v4).to_string()),
            Err(_) => {
                let v6 = <[u8; 16]>::try_from(*bytes).ok()?;
                Some(std::net::Ipv6Addr::from(v6).to_string())
            }
        },
        _ => None,
    }
}
