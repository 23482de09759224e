//! What of a request and response goes on, what ends at the gateway, what it adds.

mod fields;
mod identity;
mod messages;

use tollgate_tests::{Gateway, Upstream};

/// A gateway before an upstream, with more configuration.
async fn before(upstream: &Upstream, more: &str) -> Gateway {
    Gateway::start(&format!(
        "{more}
upstreams: {{ u: {{ endpoints: [\"{upstream}\"] }} }}
routes: [{{ name: all, match: {{ path: \"/{{*rest}}\" }}, upstream: u }}]
"
    ))
    .await
}
