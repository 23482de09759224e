//! A TLS client with a choice in everything, and a TLS server.

use std::{io, net::SocketAddr, sync::Arc};

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, HandshakeKind, ProtocolVersion, RootCertStore, ServerConfig,
        SupportedProtocolVersion,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
        version::{TLS12, TLS13},
    },
};

use crate::{
    Connection,
    certs::{Authority, Certificate},
};

const ANY: &[&SupportedProtocolVersion] = &[&TLS13, &TLS12];
const ONLY_1_2: &[&SupportedProtocolVersion] = &[&TLS12];
const ONLY_1_3: &[&SupportedProtocolVersion] = &[&TLS13];

/// How to connect.
pub struct Dial<'a> {
    pub authority: &'a Authority,
    /// The server name to ask for, and to check.
    pub name: &'a str,
    pub alpn: &'a [&'a str],
    pub versions: &'a [&'static SupportedProtocolVersion],
    /// What the client shows of itself.
    pub certificate: Option<&'a Certificate>,
}

impl<'a> Dial<'a> {
    /// Any version, no ALPN, no certificate.
    #[must_use]
    pub fn new(authority: &'a Authority, name: &'a str) -> Self {
        Self { authority, name, alpn: &[], versions: ANY, certificate: None }
    }

    /// Only TLS 1.2.
    #[must_use]
    pub fn only_1_2(self) -> Self {
        Self { versions: ONLY_1_2, ..self }
    }

    /// Only TLS 1.3.
    #[must_use]
    pub fn only_1_3(self) -> Self {
        Self { versions: ONLY_1_3, ..self }
    }

    /// Connects.
    ///
    /// # Errors
    ///
    /// The handshake failed. With TLS 1.3 a server refuses a client's certificate only after it.
    pub async fn connect(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        self.client().connect(address).await
    }

    /// A client whose connections resume each other's sessions.
    #[must_use]
    pub fn client(&self) -> Client {
        let mut roots = RootCertStore::empty();
        roots.add(chain(&self.authority.pem()).remove(0)).unwrap();
        let builder = ClientConfig::builder_with_protocol_versions(self.versions)
            .with_root_certificates(roots);
        let mut config = match self.certificate {
            None => builder.with_no_client_auth(),
            Some(own) => builder.with_client_auth_cert(chain(&own.pem), key(&own.key)).unwrap(),
        };
        config.alpn_protocols = self.alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from(self.name.to_owned()).expect("a name");
        Client { config: Arc::new(config), name }
    }

    /// Connects and speaks HTTP/1.1.
    pub async fn http1(&self, address: SocketAddr) -> Connection {
        Connection::http1(self.connect(address).await.expect("a handshake")).await
    }

    /// Connects and speaks HTTP/2.
    pub async fn http2(&self, address: SocketAddr) -> Connection {
        Connection::http2(self.connect(address).await.expect("a handshake")).await
    }
}

/// A client with the sessions that it has had.
pub struct Client {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Client {
    /// Connects, with a session from before where there is one.
    ///
    /// # Errors
    ///
    /// As [`Dial::connect`].
    pub async fn connect(&self, address: SocketAddr) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        TlsConnector::from(Arc::clone(&self.config)).connect(self.name.clone(), stream).await
    }
}

/// Whether a connection goes on with a session from before.
#[must_use]
pub fn is_resumed(stream: &TlsStream<TcpStream>) -> bool {
    stream.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed)
}

/// The version that a connection speaks.
#[must_use]
pub fn version(stream: &TlsStream<TcpStream>) -> ProtocolVersion {
    stream.get_ref().1.protocol_version().expect("the handshake is over")
}

/// The protocol that ALPN has chosen.
#[must_use]
pub fn alpn(stream: &TlsStream<TcpStream>) -> Option<String> {
    let chosen = stream.get_ref().1.alpn_protocol();
    chosen.map(|name| String::from_utf8_lossy(name).into_owned())
}

/// The certificate that the server has shown, DER.
#[must_use]
pub fn shown_certificate(stream: &TlsStream<TcpStream>) -> Vec<u8> {
    let chain = stream.get_ref().1.peer_certificates().expect("servers show one");
    chain[0].to_vec()
}

/// The first certificate in a PEM text, DER.
#[must_use]
pub fn der(pem: &str) -> Vec<u8> {
    chain(pem)[0].to_vec()
}

/// A server's configuration.
#[must_use]
pub fn server(certificate: &Certificate, alpn: &[&str]) -> Arc<ServerConfig> {
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain(&certificate.pem), key(&certificate.key))
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

fn chain(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem.as_bytes()).map(|der| der.unwrap()).collect()
}

fn key(pem: &str) -> PrivateKeyDer<'static> {
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// A TLS end before a server in cleartext; gives the address to connect to.
pub async fn terminate(server: SocketAddr, config: Arc<ServerConfig>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(config);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut onward = TcpStream::connect(server).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut onward).await;
            });
        }
    });
    address
}
