//! TLS towards clients: certificates chosen by server name, client certificates, ALPN.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, OnceLock},
};

use rustls::{
    ProtocolVersion, ServerConfig, ServerConnection, SupportedProtocolVersion,
    crypto::aws_lc_rs::Ticketer,
    server::{
        ClientHello, ProducesTickets, ResolvesServerCert, WebPkiClientVerifier,
        danger::ClientCertVerifier,
    },
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use x509_parser::{extensions::GeneralName, prelude::X509Certificate};

use super::client::{Certificate, ClientTls};
use crate::{
    config::{CertificateFiles, ClientAuth, ListenerTls, TlsVersion},
    digest::Digest,
    tls::{TlsError, TlsFault, TlsFaults, roots, unusable},
};

/// Tickets for each full TLS 1.3 handshake; clients that open several connections use up one
/// each.
const TICKETS: usize = 2;

/// Reads the certificates and keys and makes a server of them.
///
/// # Errors
///
/// Every file that cannot be read or used, and every key that is not its certificate's.
pub(crate) fn server(config: &ListenerTls) -> Result<Arc<ServerConfig>, Vec<TlsFault>> {
    let mut faults = TlsFaults::default();
    let verifier = verifier(config, &mut faults);
    let certificates = Certificates::load(config, &mut faults);
    let ticketer = faults.keep(&config.at, ticketer(asks_for_certificates(config)));
    let made = verifier.zip(certificates).zip(ticketer);
    let ((verifier, certificates), ticketer) = faults.or(made)?;
    let versions: &[&SupportedProtocolVersion] = match config.min_version {
        TlsVersion::V1_2 => &[&TLS12, &TLS13],
        TlsVersion::V1_3 => &[&TLS13],
    };
    let builder = ServerConfig::builder_with_protocol_versions(versions);
    let mut server =
        builder.with_client_cert_verifier(verifier).with_cert_resolver(Arc::new(certificates));
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    server.ticketer = ticketer;
    server.send_tls13_tickets = TICKETS;
    Ok(Arc::new(server))
}

fn verifier(config: &ListenerTls, faults: &mut TlsFaults) -> Option<Arc<dyn ClientCertVerifier>> {
    let (ca, is_optional) = match (&config.client_ca, config.client_auth) {
        (Some(ca), ClientAuth::Required) => (ca, false),
        (Some(ca), ClientAuth::Optional) => (ca, true),
        (_, ClientAuth::Off) | (None, _) => return Some(WebPkiClientVerifier::no_client_auth()),
    };
    let at = config.at.key("client_ca");
    let roots = faults.keep(&at, roots(Some(ca)))?;
    let builder = WebPkiClientVerifier::builder(roots.into());
    let builder = if is_optional { builder.allow_unauthenticated() } else { builder };
    faults.keep(&at, builder.build().map_err(|error| unusable(ca, error)))
}

fn asks_for_certificates(config: &ListenerTls) -> bool {
    config.client_ca.is_some() && config.client_auth != ClientAuth::Off
}

/// The key of session tickets; one for the process, so that sessions live over reloads.
///
/// But who resumes a session shows no certificate again: where clients are asked for one, a session is
/// good for no other listener, and for no longer than the configuration by which it began.
fn ticketer(is_own: bool) -> Result<Arc<dyn ProducesTickets>, TlsError> {
    static TICKETER: OnceLock<Arc<dyn ProducesTickets>> = OnceLock::new();
    if let Some(ticketer) = TICKETER.get().filter(|_| !is_own) {
        return Ok(Arc::clone(ticketer));
    }
    let made = Ticketer::new().map_err(|error| TlsError::Setting(error.to_string()))?;
    if is_own {
        return Ok(made);
    }
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
    /// `None` where there are faults.
    fn load(config: &ListenerTls, faults: &mut TlsFaults) -> Option<Self> {
        let mut by_name = HashMap::new();
        let mut first = None;
        for files in &config.certificates {
            let Some((key, names)) = load(files, faults) else { continue };
            first.get_or_insert_with(|| Arc::clone(&key));
            for name in names {
                by_name.entry(name).or_insert_with(|| Arc::clone(&key));
            }
        }
        Some(Self { by_name, first: first? })
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

/// A certificate with its key, and the names in it.
fn load(
    files: &CertificateFiles,
    faults: &mut TlsFaults,
) -> Option<(Arc<CertifiedKey>, Vec<String>)> {
    let certified = faults.certified(files)?;
    let leaf = x509_parser::parse_x509_certificate(&certified.cert[0]);
    let leaf = leaf.map_err(|error| unusable(&files.certificate, error));
    let (_, leaf) = faults.keep(&files.at.key("certificate"), leaf)?;
    let names =
        alternative_names(&leaf).into_iter().map(|name| name.to_ascii_lowercase()).collect();
    Some((Arc::new(certified), names))
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
                sha256: Digest::of(der).into_hex(),
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
