//! A route's plugins: requests pass them in list order, responses in reverse.

use std::sync::Arc;

use crate::{
    config::OnError,
    error::Error,
    exchange::Exchange,
    plugin::{HookError, Outcome, Use, Verdict},
};

/// The uses of one route, in the order that its configuration lists them.
pub(crate) struct Chain {
    uses: Vec<Arc<Use>>,
}

impl Chain {
    pub(crate) fn new(uses: Vec<Arc<Use>>) -> Self {
        Self { uses }
    }

    pub(crate) fn uses(&self) -> &[Arc<Use>] {
        &self.uses
    }

    /// Whether any plugin can ask for the request when it has been forwarded.
    pub(crate) fn looks_back(&self) -> bool {
        self.uses.iter().any(|plugin| plugin.wants_response() || plugin.wants_finish())
    }

    /// Whether anything is to be done when an exchange has ended.
    pub(crate) fn wants_finish(&self) -> bool {
        self.uses.iter().any(|plugin| plugin.wants_finish())
    }

    /// Asks each plugin in turn, until one answers or fails.
    ///
    /// A plugin that fails ends the exchange unless its use says `on_error: skip`: a broken
    /// authenticator must not open the route.
    pub(crate) async fn on_request(&self, mut exchange: Exchange) -> Exchange {
        for plugin in &self.uses {
            exchange.reached += 1;
            if !plugin.wants_request() {
                continue;
            }
            let verdict;
            (exchange, verdict) = plugin.on_request(exchange).await;
            match verdict {
                Ok(Verdict::Next) => {}
                Ok(Verdict::Respond(response)) => {
                    exchange.response = Some(response);
                    return exchange;
                }
                Err(error) => {
                    if failed(&mut exchange, plugin, "on-request", error) {
                        return exchange;
                    }
                }
            }
        }
        exchange
    }

    /// Shows the response, whoever made it, to every plugin that the request has reached.
    ///
    /// A plugin that fails here under `reject` replaces the response; the plugins before it see
    /// the replacement.
    pub(crate) async fn on_response(&self, mut exchange: Exchange) -> Exchange {
        let reached = exchange.reached;
        for plugin in self.uses[..reached].iter().rev() {
            if !plugin.wants_response() {
                continue;
            }
            let done;
            (exchange, done) = plugin.on_response(exchange).await;
            if let Err(error) = done {
                failed(&mut exchange, plugin, "on-response", error);
            }
        }
        exchange
    }

    /// Tells every plugin that the request has reached how it ended.
    pub(crate) async fn on_finish(&self, mut exchange: Exchange, outcome: &Outcome) -> Exchange {
        let reached = exchange.reached;
        for plugin in &self.uses[..reached] {
            if !plugin.wants_finish() {
                continue;
            }
            let done;
            (exchange, done) = plugin.on_finish(exchange, outcome.clone()).await;
            if let Err(error) = done {
                log(&exchange, plugin, "on-finish", &error);
            }
        }
        exchange
    }
}

/// Decides what a failure means; true: the exchange has its answer.
fn failed(exchange: &mut Exchange, plugin: &Use, hook: &'static str, error: HookError) -> bool {
    log(exchange, plugin, hook, &error);
    match plugin.on_error {
        OnError::Skip => false,
        OnError::Reject => {
            let plugin = plugin.name().to_owned();
            exchange.fail(Error::Plugin { plugin, hook, source: error });
            true
        }
    }
}

fn log(exchange: &Exchange, plugin: &Use, hook: &str, error: &HookError) {
    tracing::warn!(
        request_id = exchange.id(),
        route = exchange.route_name(),
        plugin = plugin.name(),
        hook,
        kind = error.kind(),
        %error,
        "a plugin failed"
    );
}
