//! Names to addresses, again and again, as their records' time to live says.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, stream};
use hickory_resolver::TokioResolver;
use tokio::time::{sleep_until, timeout};

use super::Upstream;
use crate::config::Endpoint;

/// Bounds of the time between two look-ups, whatever the records say.
const MIN_TTL: Duration = Duration::from_secs(1);
const MAX_TTL: Duration = Duration::from_secs(300);

/// After a look-up that failed.
const RETRY: Duration = Duration::from_secs(2);

/// How often a name that does not resolve is told.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Names of one upstream that are looked up at one time.
const AT_ONCE: usize = 16;

/// How long a new generation waits for its names' first addresses.
const FIRST_LOOKUP: Duration = Duration::from_secs(3);

/// The system's resolver (`/etc/resolv.conf`, `/etc/hosts`).
#[derive(Clone)]
pub(crate) struct Resolver {
    resolver: Option<Arc<TokioResolver>>,
}

/// What has been found for the endpoints of an upstream, in their order.
struct Known {
    addresses: Vec<Vec<SocketAddr>>,
    /// When it was told that a name did not resolve; `None`: it does.
    told: Vec<Option<Instant>>,
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

    /// Gives `upstream` its first addresses and keeps them fresh for as long as it lives. What
    /// `previous` knows of endpoints that stayed counts until they have been looked up.
    pub(crate) async fn watch(&self, upstream: &Arc<Upstream>, previous: Option<&Upstream>) {
        let endpoints = &upstream.config.endpoints;
        let all_fixed: Option<Vec<_>> = endpoints.iter().map(fixed).collect();
        if let Some(addresses) = all_fixed {
            return upstream.set_addresses(&addresses);
        }
        let before = |endpoint| {
            let known = || previous.map(|previous| previous.addresses_of(endpoint));
            fixed(endpoint).or_else(known).unwrap_or_default()
        };
        let addresses: Vec<_> = endpoints.iter().map(before).collect();
        upstream.set_addresses(&addresses);
        let mut known = Known { told: vec![None; addresses.len()], addresses };
        let next = if known.addresses.iter().all(|addresses| !addresses.is_empty()) {
            // Nothing to wait for; the look-ups follow at once.
            Instant::now()
        } else {
            let first = timeout(FIRST_LOOKUP, self.refresh(upstream, &mut known)).await;
            first.unwrap_or_else(|_| {
                tracing::warn!(upstream = &*upstream.name, "names took too long to resolve");
                Instant::now() + RETRY
            })
        };
        let (resolver, upstream) = (self.clone(), Arc::downgrade(upstream));
        tokio::spawn(async move { resolver.keep_fresh(upstream, known, next).await });
    }

    async fn keep_fresh(self, upstream: Weak<Upstream>, mut known: Known, mut next: Instant) {
        loop {
            sleep_until(next.into()).await;
            let Some(upstream) = upstream.upgrade() else { return };
            next = self.refresh(&upstream, &mut known).await;
        }
    }

    /// Looks every name up, some at a time; each counts as soon as it is known. A name that fails
    /// keeps the addresses that it had.
    async fn refresh(&self, upstream: &Upstream, known: &mut Known) -> Instant {
        let mut next = Instant::now() + MAX_TTL;
        let endpoints = &upstream.config.endpoints;
        let look_up = |index: usize| async move { (index, self.look_up(&endpoints[index]).await) };
        let mut found = stream::iter((0..endpoints.len()).map(look_up)).buffer_unordered(AT_ONCE);
        while let Some((index, found)) = found.next().await {
            match found {
                Ok((addresses, until)) => {
                    next = next.min(until);
                    known.told[index] = None;
                    if known.addresses[index] != addresses {
                        known.addresses[index] = addresses;
                        upstream.set_addresses(&known.addresses);
                    }
                }
                Err(error) => {
                    let told = &mut known.told[index];
                    if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
                        *told = Some(Instant::now());
                        tracing::warn!(
                            upstream = &*upstream.name,
                            host = endpoints[index].host,
                            error,
                            kept = known.addresses[index].len(),
                            "a name does not resolve; it is tried again every two seconds"
                        );
                    }
                    next = next.min(Instant::now() + RETRY);
                }
            }
        }
        next.max(Instant::now() + MIN_TTL)
    }

    async fn look_up(&self, endpoint: &Endpoint) -> Result<(Vec<SocketAddr>, Instant), String> {
        if let Some(fixed) = fixed(endpoint) {
            return Ok((fixed, Instant::now() + MAX_TTL));
        }
        let resolver = self.resolver.as_ref().ok_or("the system has no resolver")?;
        let found = resolver.lookup_ip(&endpoint.host).await.map_err(|error| {
            // The library says which question had no answer, as its code has it.
            let none = error.is_no_records_found();
            if none {
                "there is no such name, or it has no address".into()
            } else {
                error.to_string()
            }
        })?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config, telemetry::Metrics};

    fn upstream(endpoints: &str) -> Arc<Upstream> {
        let text = format!(
            "listeners: [{{ address: 127.0.0.1:0 }}]\nupstreams: {{ u: {{ endpoints: {endpoints} }} }}"
        );
        let config = config::parse(&text, std::path::Path::new("t.yaml")).unwrap();
        Arc::new(Upstream::new(&config.upstreams["u"], &Metrics::new().unwrap(), 1).unwrap())
    }

    /// Names that a resolver which resolves nothing leaves the upstream with.
    async fn watched(upstream: &Arc<Upstream>, previous: Option<&Upstream>) -> Vec<SocketAddr> {
        Resolver { resolver: None }.watch(upstream, previous).await;
        upstream.addresses()
    }

    #[tokio::test]
    async fn endpoints_that_stayed_begin_with_the_addresses_that_they_had() {
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let before = upstream("[\"a.test:1\", \"b.test:1\", \"c.test:1\"]");
        before.set_addresses(&[
            vec![at("10.0.0.1:1")],
            vec![at("10.0.0.2:1"), at("10.0.0.3:1")],
            vec![],
        ]);
        let after = upstream(
            "[{ address: \"b.test:1\", weight: 3 }, \"a.test:2\", \"c.test:1\", \"10.0.0.9:1\"]",
        );
        let expected = [at("10.0.0.2:1"), at("10.0.0.3:1"), at("10.0.0.9:1")];
        assert_eq!(watched(&after, Some(&before)).await, expected);
    }

    #[tokio::test]
    async fn an_upstream_without_a_predecessor_begins_with_what_needs_no_look_up() {
        let new = upstream("[\"a.test:1\", \"10.0.0.9:1\"]");
        assert_eq!(watched(&new, None).await, ["10.0.0.9:1".parse().unwrap()]);
    }

    #[tokio::test]
    async fn to_ask_for_another_address_takes_no_turn() {
        let upstream = upstream("[\"10.0.0.1:1\", \"10.0.0.2:1\"]");
        let all = watched(&upstream, None).await;
        assert!(upstream.has_other_than(&all[..1]));
        assert!(!upstream.has_other_than(&all));
        let picked: Vec<_> = (0..2).filter_map(|_| upstream.pick(&[])).map(|t| t.address).collect();
        assert_eq!(picked, all);
    }
}
