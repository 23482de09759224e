//! TLS handshakes that fail, told apart: a client authority that has expired shuts every client out,
//! and none of them gets as far as the access log.

use std::io;

use prometheus::IntCounter;
use rustls::Error;

use crate::telemetry::Metrics;

/// Why a handshake failed; the label in metrics.
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
        let reason = failure.map_or("timeout", reason);
        let at = REASONS.iter().position(|known| *known == reason);
        if let Some(counter) = at.and_then(|at| self.0.get(at)) {
            counter.inc();
        }
    }
}

fn reason(failure: &io::Error) -> &'static str {
    let Some(error) = failure.get_ref().and_then(|source| source.downcast_ref::<Error>()) else {
        return "closed";
    };
    match error {
        Error::InvalidCertificate(_) | Error::NoCertificatesPresented => "certificate",
        // What the client says: most often that it does not trust the gateway's certificate.
        Error::AlertReceived(_) => "alert",
        _ => "protocol",
    }
}
