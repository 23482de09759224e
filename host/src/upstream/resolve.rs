//! Names to addresses, again and again, as their records' time to live says.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use hickory_resolver::TokioResolver;
use tokio::time::{sleep_until, timeout};

use super::Upstream;
use crate::config::Endpoint;

/// Bounds of the time between two look-ups, whatever the records say.
const MIN_TTL: Duration = Duration::from_secs(1);
const MAX_TTL: Duration = Duration::from_secs(300);

/// After a look-up that failed.
const RETRY: Duration = Duration::from_secs(2);

/// How long a new generation waits for its names' first addresses.
const FIRST_LOOKUP: Duration = Duration::from_secs(3);

/// The system's resolver (`/etc/resolv.conf`, `/etc/hosts`).
#[derive(Clone)]
pub(crate) struct Resolver {
    resolver: Option<Arc<TokioResolver>>,
}

impl Resolver {
    pub(crate) fn new() -> Self {
        let resolver = TokioResolver::builder_tokio().and_then(|builder| builder.build());
        match resolver {
            Ok(resolver) => Self { resolver: Some(Arc::new(resolver)) },
            Err(error) => {
                tracing::warn!(%error, "names cannot be resolved on this machine");
                Self { resolver: None }
            }
        }
    }

    /// Gives `upstream` its first addresses and keeps them fresh for as long as it lives.
    pub(crate) async fn watch(&self, upstream: &Arc<Upstream>) {
        let endpoints = &upstream.config.endpoints;
        let fixed: Option<Vec<_>> = endpoints.iter().map(fixed).collect();
        if let Some(fixed) = fixed {
            return upstream.set_addresses(&fixed);
        }
        let mut known = vec![Vec::new(); endpoints.len()];
        let first = timeout(FIRST_LOOKUP, self.refresh(upstream, &mut known)).await;
        let next = first.unwrap_or_else(|_| {
            tracing::warn!(upstream = &*upstream.name, "names took too long to resolve");
            Instant::now() + RETRY
        });
        let (resolver, upstream) = (self.clone(), Arc::downgrade(upstream));
        tokio::spawn(async move { resolver.keep_fresh(upstream, known, next).await });
    }

    async fn keep_fresh(
        self,
        upstream: Weak<Upstream>,
        mut known: Vec<Vec<SocketAddr>>,
        mut next: Instant,
    ) {
        loop {
            sleep_until(next.into()).await;
            let Some(upstream) = upstream.upgrade() else { return };
            next = self.refresh(&upstream, &mut known).await;
        }
    }

    /// Looks every name up. A name that fails keeps the addresses that it had.
    async fn refresh(&self, upstream: &Upstream, known: &mut [Vec<SocketAddr>]) -> Instant {
        let mut next = Instant::now() + MAX_TTL;
        for (endpoint, known) in upstream.config.endpoints.iter().zip(known.iter_mut()) {
            match self.look_up(endpoint).await {
                Ok((addresses, until)) => {
                    *known = addresses;
                    next = next.min(until);
                }
                Err(error) => {
                    tracing::warn!(
                        upstream = &*upstream.name,
                        host = endpoint.host,
                        error,
                        kept = known.len(),
                        "a name did not resolve"
                    );
                    next = next.min(Instant::now() + RETRY);
                }
            }
        }
        upstream.set_addresses(known);
        next.max(Instant::now() + MIN_TTL)
    }

    async fn look_up(&self, endpoint: &Endpoint) -> Result<(Vec<SocketAddr>, Instant), String> {
        if let Some(fixed) = fixed(endpoint) {
            return Ok((fixed, Instant::now() + MAX_TTL));
        }
        let resolver = self.resolver.as_ref().ok_or("the system has no resolver")?;
        let found = resolver.lookup_ip(&endpoint.host).await.map_err(|error| error.to_string())?;
        let mut addresses: Vec<_> =
            found.iter().map(|ip| SocketAddr::new(ip, endpoint.port)).collect();
        // Answers come in any order; a stable one keeps the turns fair.
        addresses.sort_unstable();
        Ok((addresses, found.valid_until()))
    }
}

/// An endpoint that is an address needs no look-up.
fn fixed(endpoint: &Endpoint) -> Option<Vec<SocketAddr>> {
    let ip: IpAddr = endpoint.host.parse().ok()?;
    Some(vec![SocketAddr::new(ip, endpoint.port)])
}
