//! TLS towards an upstream.

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::{
        Resumption,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{
        WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls12_signature, verify_tls13_signature,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    sign::SingleCertAndKey,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::cut::CutStream;
use crate::{
    config::{Protocol, UpstreamTls},
    tls::{TlsError, TlsFault, TlsFaults, in_plain_words, roots},
};

/// How to speak TLS with an upstream's endpoints.
pub(super) struct Tls {
    connector: TlsConnector,
    server_name: Option<ServerName<'static>>,
}

impl Tls {
    /// # Errors
    ///
    /// Every file and setting that cannot be used.
    pub(super) fn new(config: &UpstreamTls, protocol: Protocol) -> Result<Self, Vec<TlsFault>> {
        let mut faults = TlsFaults::default();
        let trust = match config.verify {
            true => faults.keep(&config.at.key("ca"), roots(config.ca.as_deref())).map(Trust::In),
            false => Some(Trust::Anybody),
        };
        let own = config.client_certificate.as_ref().map(|files| faults.certified(files));
        let server_name = config.server_name.clone().map(ServerName::try_from).transpose();
        let server_name = server_name.map_err(|error| TlsError::Setting(error.to_string()));
        let server_name = faults.keep(&config.at.key("server_name"), server_name);
        let (trust, server_name) = faults.or(trust.zip(server_name))?;
        let builder = ClientConfig::builder();
        let builder = match trust {
            Trust::In(roots) => builder.with_root_certificates(roots),
            Trust::Anybody => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified::new()))
            }
        };
        let mut client = match own.flatten() {
            None => builder.with_no_client_auth(),
            Some(own) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own))),
        };
        client.alpn_protocols = match protocol {
            Protocol::Http1 => vec![b"http/1.1".to_vec()],
            Protocol::Http2 => vec![b"h2".to_vec()],
            Protocol::Auto => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };
        client.resumption = Resumption::in_memory_sessions(256);
        Ok(Self { connector: TlsConnector::from(Arc::new(client)), server_name })
    }

    pub(super) async fn connect(
        &self,
        stream: CutStream,
        host: &str,
    ) -> io::Result<TlsStream<CutStream>> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(io::Error::other)?,
        };
        self.connector.connect(name, stream).await.map_err(told)
    }
}

/// What the library says of the other side, as people say it.
fn told(error: io::Error) -> io::Error {
    let source = error.get_ref().and_then(|source| source.downcast_ref::<rustls::Error>());
    let Some(source) = source else { return error };
    io::Error::new(error.kind(), in_plain_words(source))
}

/// Whose certificates will do.
enum Trust {
    In(RootCertStore),
    Anybody,
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
