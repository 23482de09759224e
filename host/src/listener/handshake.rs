//! TLS handshakes that fail, told apart: a client authority that has expired shuts every client out,
//! and none of them gets as far as the access log. Who speaks cleartext HTTP is told that it is TLS here.

use std::{future::poll_fn, io, net::IpAddr, time::Duration};

use http::StatusCode;
use prometheus::IntCounter;
use rustls::Error;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::linger::Linger;
use crate::{exchange, gateway::Gateway, problem, telemetry::Metrics};

/// Why a handshake failed.
#[derive(Clone, Copy)]
enum Reason {
    Certificate,
    /// What the client says: most often that it does not trust the gateway's certificate.
    Alert,
    Protocol,
    Closed,
    Timeout,
}

/// The labels in metrics, in the order of [`Reason`].
const REASONS: [&str; 5] = ["certificate", "alert", "protocol", "closed", "timeout"];

/// The failed handshakes of one listener, by reason.
#[derive(Clone)]
pub(crate) struct Handshakes(Option<[IntCounter; REASONS.len()]>);

impl Handshakes {
    /// Of the listener at this address; `None`: one without TLS, which has none to count.
    pub(crate) fn of(metrics: &Metrics, listener: Option<&str>) -> Self {
        let counter = |listener, reason| metrics.handshakes.with_label_values(&[listener, reason]);
        Self(listener.map(|listener| REASONS.map(|reason| counter(listener, reason))))
    }

    /// `None`: it took too long.
    pub(super) fn count(&self, failure: Option<&io::Error>) {
        let reason = failure.map_or(Reason::Timeout, reason);
        if let Some(counters) = &self.0 {
            counters[reason as usize].inc();
        }
    }
}

fn reason(failure: &io::Error) -> Reason {
    match failure.get_ref().and_then(|source| source.downcast_ref::<Error>()) {
        None => Reason::Closed,
        Some(Error::InvalidCertificate(_) | Error::NoCertificatesPresented) => Reason::Certificate,
        Some(Error::AlertReceived(_)) => Reason::Alert,
        Some(_) => Reason::Protocol,
    }
}

/// Whether the first byte is of a method and not of a TLS record, whose types are below 32 (RFC 8446
/// §5.1). Waits for it.
pub(super) async fn is_cleartext(stream: &TcpStream) -> io::Result<bool> {
    let mut first = [0];
    let length = stream.peek(&mut first).await?;
    Ok(length == 1 && first[0].is_ascii_uppercase())
}

/// Answers a request in cleartext, in cleartext.
pub(super) async fn refuse_cleartext(mut stream: TcpStream, gateway: &Gateway, client: IpAddr) {
    let (answer, length) = problem::cleartext();
    exchange::refused(&gateway.current(), client, StatusCode::BAD_REQUEST, length, Duration::ZERO);
    let told = async {
        stream.write_all(&answer).await?;
        stream.shutdown().await
    };
    if told.await.is_ok() {
        // A reset could overtake the answer.
        let mut linger = Linger::begin();
        poll_fn(|cx| linger.poll(&stream, cx)).await;
    }
}

/// The failure that it counts as.
pub(super) fn cleartext() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Error::General("the client speaks no TLS".into()))
}
