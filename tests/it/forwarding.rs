//! What of a request and response goes on, what ends at the gateway, what it adds.

mod bodyless;
mod fields;
mod identity;
mod messages;

use std::fmt::Display;

use tollgate_tests::Gateway;

/// A gateway before an upstream, with more configuration.
async fn before(upstream: &impl Display, more: &str) -> Gateway {
    Gateway::start(&config(upstream, more)).await
}

fn config(upstream: &impl Display, more: &str) -> String {
    format!(
        "{more}
upstreams: {{ u: {{ endpoints: [\"{upstream}\"] }} }}
routes: [{{ name: all, match: {{ path: \"/{{*rest}}\" }}, upstream: u }}]
"
    )
}
