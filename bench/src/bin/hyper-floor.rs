//! The floor for a gateway in Rust: a proxy of hyper and its pooled client on one thread, without
//! routes, limits, metrics or any care for header fields.

#![expect(clippy::print_stderr, reason = "a program for the command line")]

use std::process::ExitCode;
use std::sync::Arc;

use http::uri::{Authority, Scheme};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, Uri, Version};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Clone)]
struct Proxy {
    client: Client<HttpConnector, Incoming>,
    upstream: Authority,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.as_slice() {
        [listen, upstream] => serve(listen, upstream, None).await,
        [listen, upstream, certificate, key] => match acceptor(certificate, key) {
            Ok(acceptor) => serve(listen, upstream, Some(acceptor)).await,
            Err(fault) => Err(fault),
        },
        _ => Err("usage: hyper-floor LISTEN UPSTREAM [CERTIFICATE KEY]".into()),
    };
    let Err(fault) = outcome else { return ExitCode::SUCCESS };
    eprintln!("hyper-floor: {fault}");
    ExitCode::FAILURE
}

async fn serve(listen: &str, upstream: &str, tls: Option<TlsAcceptor>) -> Result<(), Failure> {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(512).build(connector);
    let proxy = Proxy { client, upstream: upstream.parse()? };
    let listener = TcpListener::bind(listen).await?;
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        stream.set_nodelay(true)?;
        tokio::spawn(connection(stream, tls.clone(), proxy.clone()));
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, proxy: Proxy) {
    let service = service_fn(move |request| {
        let proxy = proxy.clone();
        async move { proxy.forward(request).await }
    });
    let builder = Builder::new(TokioExecutor::new());
    // A client that goes away in the middle is no news here.
    if let Some(tls) = tls {
        if let Ok(stream) = tls.accept(stream).await {
            let _ = builder.serve_connection(TokioIo::new(stream), service).await;
        }
    } else {
        let _ = builder.serve_connection(TokioIo::new(stream), service).await;
    }
}

impl Proxy {
    async fn forward(&self, mut request: Request<Incoming>) -> Result<Response<Incoming>, Error> {
        let mut target = request.uri().clone().into_parts();
        target.scheme = Some(Scheme::HTTP);
        target.authority = Some(self.upstream.clone());
        *request.uri_mut() = Uri::from_parts(target).expect("scheme, authority and path are there");
        *request.version_mut() = Version::HTTP_11;
        request.headers_mut().remove("connection");
        self.client.request(request).await
    }
}

fn acceptor(certificate: &str, key: &str) -> Result<TlsAcceptor, Failure> {
    let certificates =
        CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let mut config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(certificates, PrivateKeyDer::from_pem_file(key)?)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(TlsAcceptor::from(Arc::new(config)))
}
