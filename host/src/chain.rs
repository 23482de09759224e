//! A route's plugins: requests pass them in list order, responses in reverse.

mod chunks;

use std::{sync::Arc, time::Instant};

use crate::{
    config::OnError,
    error::Error,
    exchange::Exchange,
    plugin::{HookError, Outcome, Seen, Side, Use, Verdict},
};

pub(crate) use self::chunks::Hooked;

/// The uses of one route, in the order that its configuration lists them.
pub(crate) struct Chain {
    uses: Vec<Arc<Use>>,
    /// Whether any of them wants request chunks, and response chunks.
    wants_chunks: [bool; 2],
}

/// A use and its place in the chain, which says whether an exchange has its canary.
pub(crate) struct Placed {
    plugin: Arc<Use>,
    place: usize,
}

impl Placed {
    fn version(&self, exchange: &Exchange) -> &Use {
        self.plugin.chosen(self.place, exchange)
    }
}

impl Chain {
    pub(crate) fn new(uses: Vec<Arc<Use>>) -> Self {
        let versions = || uses.iter().flat_map(|plugin| plugin.versions());
        let wants = |side| versions().any(|plugin| plugin.wants_chunks(side));
        Self { wants_chunks: [wants(Side::Request), wants(Side::Response)], uses }
    }

    pub(crate) fn uses(&self) -> &[Arc<Use>] {
        &self.uses
    }

    /// Whether any plugin can ask for the request when it has been forwarded.
    pub(crate) fn looks_back(&self) -> bool {
        let mut versions = self.uses.iter().flat_map(|plugin| plugin.versions());
        let hooks = versions.any(|plugin| plugin.wants_response() || plugin.wants_finish());
        hooks || self.wants_chunks.contains(&true)
    }

    /// Whether anything is to be done when an exchange has ended.
    pub(crate) fn wants_finish(&self) -> bool {
        self.uses.iter().flat_map(|plugin| plugin.versions()).any(Use::wants_finish)
    }

    /// Whether a body that goes this way passes chunk hooks.
    pub(crate) fn wants_chunks(&self, side: Side) -> bool {
        self.wants_chunks[side as usize]
    }

    /// Whose chunk hooks a body passes, in order: those that the request has reached.
    pub(crate) fn chunk_uses(&self, side: Side, exchange: &Exchange) -> Vec<Placed> {
        let reached = self.uses[..exchange.reached].iter().enumerate();
        let mut uses: Vec<_> = reached
            .map(|(place, plugin)| Placed { plugin: Arc::clone(plugin), place })
            .filter(|placed| placed.version(exchange).wants_chunks(side))
            .collect();
        if side == Side::Response {
            uses.reverse();
        }
        uses
    }

    /// Leaves out `uses` for a body that they cannot be shown.
    ///
    /// # Errors
    ///
    /// The failure of one that must not be passed by.
    pub(crate) fn pass_by(exchange: &Exchange, side: Side, uses: &[Placed]) -> Result<(), Error> {
        for placed in uses {
            let plugin = placed.version(exchange);
            let error = plugin.cannot_be_shown();
            log(exchange, plugin, side.hook(), &error);
            if plugin.on_error == OnError::Reject {
                let (plugin, hook) = (plugin.name().to_owned(), side.hook());
                return Err(Error::Plugin { plugin, hook, source: error });
            }
        }
        Ok(())
    }

    /// Asks each plugin in turn, until one answers or fails.
    ///
    /// A plugin that fails ends the exchange unless its use says `on_error: skip`: a broken
    /// authenticator must not open the route.
    pub(crate) async fn on_request(&self, mut exchange: Exchange) -> Exchange {
        for (place, listed) in self.uses.iter().enumerate() {
            exchange.reached += 1;
            let shadow = listed.shadow(&exchange);
            let plugin = listed.choose(place, &mut exchange);
            let mut verdict = Ok(Verdict::Next);
            if plugin.wants_request() {
                (exchange, verdict) = plugin.on_request(exchange).await;
                listed.note(plugin, verdict.as_ref().err());
            }
            if let Some(shadow) = shadow {
                shadow.compare(Seen::of(&exchange, &verdict));
            }
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
        for (place, listed) in self.uses[..reached].iter().enumerate().rev() {
            let plugin = listed.chosen(place, &exchange);
            if !plugin.wants_response() {
                continue;
            }
            let done;
            (exchange, done) = plugin.on_response(exchange).await;
            listed.note(plugin, done.as_ref().err());
            if let Err(error) = done {
                failed(&mut exchange, plugin, "on-response", error);
            }
        }
        exchange
    }

    /// Tells every plugin that the request has reached how it ended.
    pub(crate) async fn on_finish(&self, mut exchange: Exchange, outcome: &Outcome) -> Exchange {
        exchange.clock = Instant::now();
        let reached = exchange.reached;
        for (place, listed) in self.uses[..reached].iter().enumerate() {
            let plugin = listed.chosen(place, &exchange);
            if !plugin.wants_finish() {
                continue;
            }
            let done;
            (exchange, done) = plugin.on_finish(exchange, outcome.clone()).await;
            listed.note(plugin, done.as_ref().err());
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
    // Its beginning and its end are in the log; between them it is every exchange.
    if let HookError::Quarantined { .. } = error {
        return;
    }
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
