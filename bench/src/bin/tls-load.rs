//! Opens TLS connections as fast as it can: connect, handshake, one request, close.
//!
//! Prints one line of JSON. Certificates are not verified, so that the client is cheap: it shares
//! its core with the upstream.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the command line")]

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, HandshakeKind, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const CLIENTS: usize = 16;
const REQUEST: &[u8] = b"GET /s HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[derive(Default)]
struct Tally {
    full: usize,
    resumed: usize,
    failed: usize,
    microseconds: Vec<u128>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, kind, seconds] = arguments.as_slice() else {
        eprintln!("usage: tls-load ADDRESS:PORT full|resumed SECONDS");
        return ExitCode::from(2);
    };
    let seconds = seconds.parse().unwrap_or(1.0);
    let start = Instant::now();
    let end = start + Duration::from_secs_f64(seconds);
    // One configuration, hence one store of tickets, for each: they do not take each other's.
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| tokio::spawn(client(address.clone(), connector(kind == "resumed"), end)))
        .collect();
    let mut total = Tally::default();
    for client in clients {
        if let Ok(tally) = client.await {
            total.add(tally);
        }
    }
    total.print(start.elapsed());
    ExitCode::SUCCESS
}

async fn client(address: String, connector: TlsConnector, end: Instant) -> Tally {
    let mut tally = Tally::default();
    while Instant::now() < end {
        let start = Instant::now();
        match exchange(&address, &connector).await {
            Ok(HandshakeKind::Resumed) => tally.resumed += 1,
            Ok(_) => tally.full += 1,
            Err(_) => {
                tally.failed += 1;
                tokio::time::sleep(Duration::from_millis(5)).await;
                continue;
            }
        }
        tally.microseconds.push(start.elapsed().as_micros());
    }
    tally
}

async fn exchange(address: &str, connector: &TlsConnector) -> io::Result<HandshakeKind> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
    let mut stream = connector.connect(name, stream).await?;
    stream.write_all(REQUEST).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    // Some servers close without the TLS farewell, which is an error after a whole answer.
    let _ = stream.read_to_end(&mut answer).await;
    if !answer.starts_with(b"HTTP/1.1 200") || !answer.ends_with(b"}") {
        return Err(io::Error::other("not the whole answer"));
    }
    let kind = stream.get_ref().1.handshake_kind();
    kind.ok_or_else(|| io::Error::other("no handshake"))
}

fn connector(resumes: bool) -> TlsConnector {
    let mut config = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS13])
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_no_client_auth();
    if !resumes {
        config.resumption = Resumption::disabled();
    }
    TlsConnector::from(Arc::new(config))
}

impl Tally {
    fn add(&mut self, other: Tally) {
        self.full += other.full;
        self.resumed += other.resumed;
        self.failed += other.failed;
        self.microseconds.extend(other.microseconds);
    }

    fn print(mut self, took: Duration) {
        self.microseconds.sort_unstable();
        let at = |share: usize| {
            let place =
                (self.microseconds.len() * share / 100).min(self.microseconds.len().max(1) - 1);
            self.microseconds.get(place).copied().unwrap_or(0)
        };
        println!(
            r#"{{"full":{},"resumed":{},"failed":{},"seconds":{},"p50_us":{},"p99_us":{}}}"#,
            self.full,
            self.resumed,
            self.failed,
            took.as_secs_f64(),
            at(50),
            at(99)
        );
    }
}

/// Takes every server for the right one.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::RSA_PSS_SHA256,
            SignatureScheme::RSA_PKCS1_SHA256,
        ]
    }
}
