//! TLS towards an upstream.

use std::{io, path::Path, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{
        WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::TlsError;
use crate::config::{Protocol, UpstreamTls};

/// How to speak TLS with an upstream's endpoints.
pub(super) struct Tls {
    connector: TlsConnector,
    server_name: Option<ServerName<'static>>,
}

impl Tls {
    pub(super) fn new(config: &UpstreamTls, protocol: Protocol) -> Result<Self, TlsError> {
        let mut client = client_config(config)?;
        client.alpn_protocols = match protocol {
            Protocol::Http1 => vec![b"http/1.1".to_vec()],
            Protocol::Http2 => vec![b"h2".to_vec()],
            Protocol::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        client.resumption = Resumption::in_memory_sessions(256);
        let server_name = config.server_name.clone().map(ServerName::try_from).transpose();
        let server_name = server_name.map_err(|error| TlsError::Unusable(error.to_string()))?;
        Ok(Self { connector: TlsConnector::from(Arc::new(client)), server_name })
    }

    pub(super) async fn connect(
        &self,
        stream: TcpStream,
        host: &str,
    ) -> io::Result<TlsStream<TcpStream>> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(io::Error::other)?,
        };
        self.connector.connect(name, stream).await
    }
}

fn client_config(config: &UpstreamTls) -> Result<ClientConfig, TlsError> {
    let builder = ClientConfig::builder();
    let builder = if config.verify {
        builder.with_root_certificates(roots(config.ca.as_deref())?)
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified::new()))
    };
    match &config.client_certificate {
        None => Ok(builder.with_no_client_auth()),
        Some(files) => builder
            .with_client_auth_cert(certificates(&files.certificate)?, private_key(&files.key)?)
            .map_err(|error| TlsError::Unusable(error.to_string())),
    }
}

/// The authorities in `ca`, or else the system's.
pub(crate) fn roots(ca: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            for certificate in certificates(path)? {
                roots.add(certificate).map_err(|error| TlsError::Unusable(error.to_string()))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                let reason = "the system has no certificate authorities; name some with `ca`";
                return Err(TlsError::Unusable(reason.into()));
            }
        }
    }
    Ok(roots)
}

/// All certificates of a PEM file, in its order.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| TlsError::Read { path: path.to_owned(), reason: error.to_string() })?;
    if found.is_empty() {
        return Err(TlsError::Empty { path: path.to_owned(), what: "certificate" });
    }
    Ok(found)
}

pub(crate) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_file(path).map_err(|error| match error {
        rustls::pki_types::pem::Error::NoItemsFound => {
            TlsError::Empty { path: path.to_owned(), what: "private key" }
        }
        error => TlsError::Read { path: path.to_owned(), reason: error.to_string() },
    })
}

/// `verify: false`: any certificate will do; the handshake itself is still checked.
#[derive(Debug)]
struct Unverified(WebPkiSupportedAlgorithms);

impl Unverified {
    fn new() -> Self {
        Self(aws_lc_rs::default_provider().signature_verification_algorithms)
    }
}

impl ServerCertVerifier for Unverified {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
