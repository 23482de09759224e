//! TLS towards clients: its versions, client certificates, tickets, ALPN.

use std::sync::{Arc, OnceLock};

use rustls::{
    ProtocolVersion, ServerConfig, ServerConnection, SupportedProtocolVersion,
    crypto::aws_lc_rs::Ticketer,
    server::{ProducesTickets, WebPkiClientVerifier, danger::ClientCertVerifier},
    version::{TLS12, TLS13},
};

use super::{
    certificates::{Certificates, alternative_names},
    client::{Certificate, ClientTls},
};
use crate::{
    config::{ClientAuth, ListenerTls, TlsVersion},
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
