//! Endpoints that refused to connect, of one request.

use std::{io, net::SocketAddr};

use super::{Upstream, UpstreamError};

/// Endpoints that are tried for one request where they refuse to connect.
const MAX_REFUSALS: usize = 3;

/// In the order in which they were tried.
#[derive(Default)]
pub(super) struct Refusals {
    addresses: Vec<SocketAddr>,
    /// Of those before the last.
    reasons: Vec<UpstreamError>,
}

impl Refusals {
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Takes note of one more.
    ///
    /// # Errors
    ///
    /// No other is tried: the upstream's failure.
    pub(super) fn add(
        &mut self,
        upstream: &Upstream,
        address: SocketAddr,
        error: UpstreamError,
    ) -> Result<(), UpstreamError> {
        self.addresses.push(address);
        if self.addresses.len() >= MAX_REFUSALS || !upstream.has_other_than(&self.addresses) {
            return Err(self.with(error));
        }
        self.reasons.push(error);
        Ok(())
    }

    /// The last error, with what the endpoints before it said: that may be what is wrong.
    fn with(&self, last: UpstreamError) -> UpstreamError {
        let UpstreamError::Unreachable { address, source } = last else { return last };
        let before = self.reasons.iter().filter_map(|error| match error {
            UpstreamError::Unreachable { address, source } => {
                Some(format!("; before that, no connection to {address}: {source}"))
            }
            _ => None,
        });
        let before: String = before.collect();
        let source = match before.as_str() {
            "" => source,
            before => io::Error::new(source.kind(), format!("{source}{before}")),
        };
        UpstreamError::Unreachable { address, source }
    }
}
