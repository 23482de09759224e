//! TLS handshakes that fail, told apart: a client authority that has expired shuts every client out,
//! and none of them gets as far as the access log.

use std::io;

use prometheus::IntCounter;
use rustls::Error;

use crate::telemetry::Metrics;

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
pub(crate) struct Handshakes([IntCounter; REASONS.len()]);

impl Handshakes {
    pub(crate) fn of(metrics: &Metrics, listener: &str) -> Self {
        Self(REASONS.map(|reason| metrics.handshakes.with_label_values(&[listener, reason])))
    }

    /// `None`: it took too long.
    pub(super) fn count(&self, failure: Option<&io::Error>) {
        let reason = failure.map_or(Reason::Timeout, reason);
        self.0[reason as usize].inc();
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
