//! A route's plugins: requests pass them in list order, responses in reverse.

mod chunks;

use std::{sync::Arc, time::Instant};

use crate::{
    config::OnError,
    error::Error,
    exchange::Exchange,
    plugin::{
        HANDLE, HookError, Middleware, MiddlewareFailed as Failed, Outcome, Seen, Service, Side,
        Use, Verdict,
    },
};

pub(crate) use self::chunks::Hooked;

/// The uses of one route, in the order that its configuration lists them.
pub(crate) struct Chain {
    links: Vec<Link>,
    /// Whether any of them wants request chunks, and response chunks.
    wants_chunks: [bool; 2],
}

/// What a chain is made of.
#[derive(Clone)]
pub(crate) enum Link {
    Plugin(Arc<Use>),
    Middleware(Arc<Middleware>),
}

impl Link {
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Plugin(plugin) => plugin.name(),
            Self::Middleware(middleware) => middleware.name(),
        }
    }

    /// The name of the version that the exchange has at this place.
    fn name_in(&self, place: usize, exchange: &Exchange) -> &str {
        match self {
            Self::Plugin(plugin) => plugin.chosen(place, exchange).name(),
            Self::Middleware(middleware) => middleware.name(),
        }
    }

    /// The component behind a middleware.
    pub(crate) fn service(&self) -> Option<Arc<Service>> {
        match self {
            Self::Plugin(_) => None,
            Self::Middleware(middleware) => Some(Arc::clone(middleware.service())),
        }
    }

    pub(crate) fn plugin(&self) -> Option<&Arc<Use>> {
        match self {
            Self::Plugin(plugin) => Some(plugin),
            Self::Middleware(_) => None,
        }
    }
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
    pub(crate) fn new(links: Vec<Link>) -> Self {
        let wants = |side| versions(&links).any(|plugin| plugin.wants_chunks(side));
        Self { wants_chunks: [wants(Side::Request), wants(Side::Response)], links }
    }

    pub(crate) fn links(&self) -> &[Link] {
        &self.links
    }

    /// Whether any plugin can ask for the request when it has been forwarded.
    pub(crate) fn looks_back(&self) -> bool {
        let hooks =
            versions(&self.links).any(|plugin| plugin.wants_response() || plugin.wants_finish());
        hooks || self.wants_chunks.contains(&true)
    }

    /// Whether anything is to be done when an exchange has ended.
    pub(crate) fn wants_finish(&self) -> bool {
        versions(&self.links).any(Use::wants_finish)
    }

    /// Whether a body that goes this way passes chunk hooks.
    pub(crate) fn wants_chunks(&self, side: Side) -> bool {
        self.wants_chunks[side as usize]
    }

    /// Whose chunk hooks a body passes, in order: those that the request has reached.
    pub(crate) fn chunk_uses(&self, side: Side, exchange: &Exchange) -> Vec<Placed> {
        let reached = self.links[..exchange.reached].iter().enumerate();
        let mut uses: Vec<_> = reached
            .filter_map(|(place, link)| Some((place, link.plugin()?)))
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
            tell(exchange, plugin, side.hook(), &error);
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
        for (place, link) in self.links.iter().enumerate() {
            exchange.reached += 1;
            let answered;
            (exchange, answered) = match link {
                Link::Plugin(listed) => ask_plugin(listed, place, exchange).await,
                Link::Middleware(middleware) => ask_middleware(middleware, place, exchange).await,
            };
            if answered {
                exchange.answered_by_plugin = Some(link.name_in(place, &exchange).to_owned());
                return exchange;
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
        for (place, link) in self.links[..reached].iter().enumerate().rev() {
            let listed = match link {
                Link::Plugin(plugin) => plugin,
                Link::Middleware(middleware) => {
                    show_middleware(middleware, place, &mut exchange).await;
                    continue;
                }
            };
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
        for (place, link) in self.links[..reached].iter().enumerate() {
            let Some(listed) = link.plugin() else { continue };
            let plugin = listed.chosen(place, &exchange);
            if !plugin.wants_finish() {
                continue;
            }
            let done;
            (exchange, done) = plugin.on_finish(exchange, outcome.clone()).await;
            listed.note(plugin, done.as_ref().err());
            if let Err(error) = done {
                tell(&exchange, plugin, "on-finish", &error);
            }
        }
        exchange
    }
}

/// Every version of every plugin.
fn versions(links: &[Link]) -> impl Iterator<Item = &Use> {
    links.iter().filter_map(Link::plugin).flat_map(|plugin| plugin.versions())
}

/// The request hook of one plugin; true: the exchange has its answer.
async fn ask_plugin(listed: &Arc<Use>, place: usize, mut exchange: Exchange) -> (Exchange, bool) {
    let shadow = listed.shadow(&exchange);
    let plugin = listed.choose(place, &mut exchange);
    let mut verdict = Ok(Verdict::Next);
    if plugin.wants_request() {
        (exchange, verdict) = plugin.on_request(exchange).await;
        listed.note_verdict(plugin, &verdict);
    }
    if let Some(shadow) = shadow {
        shadow.compare(Seen::of(&exchange, &verdict));
    }
    let answered = match verdict {
        Ok(verdict) => follow(&mut exchange, verdict),
        Err(error) => failed(&mut exchange, plugin, "on-request", error),
    };
    (exchange, answered)
}

/// The way in through a middleware; true: the exchange has its answer.
async fn ask_middleware(
    middleware: &Middleware,
    place: usize,
    mut exchange: Exchange,
) -> (Exchange, bool) {
    let answered = match middleware.on_request(&mut exchange, place).await {
        Ok(verdict) => follow(&mut exchange, verdict),
        Err(failed) => passed_by(&mut exchange, middleware, failed),
    };
    (exchange, answered)
}

/// Does as a verdict says; true: the exchange has its answer.
fn follow(exchange: &mut Exchange, verdict: Verdict) -> bool {
    match verdict {
        Verdict::Next => false,
        Verdict::Respond(response) => {
            exchange.response = Some(response);
            true
        }
    }
}

/// The way out through a middleware.
async fn show_middleware(middleware: &Middleware, place: usize, exchange: &mut Exchange) {
    if let Err(failed) = middleware.on_response(exchange, place).await {
        passed_by(exchange, middleware, failed);
    }
}

/// Decides what a failure means; true: the exchange has its answer. There is no passing by a
/// middleware that has begun to read the body.
fn passed_by(exchange: &mut Exchange, middleware: &Middleware, failed: Failed) -> bool {
    let Failed { error, is_whole } = failed;
    if middleware.service().may_tell_failure() {
        log(exchange, middleware.name(), HANDLE, &error);
    }
    if !is_whole {
        let plugin = middleware.name().to_owned();
        exchange.fail_untold(Error::Plugin { plugin, hook: HANDLE, source: error });
    }
    !is_whole
}

/// Decides what a failure means; true: the exchange has its answer.
fn failed(exchange: &mut Exchange, plugin: &Use, hook: &'static str, error: HookError) -> bool {
    tell(exchange, plugin, hook, &error);
    match plugin.on_error {
        OnError::Skip => false,
        OnError::Reject => {
            let plugin = plugin.name().to_owned();
            exchange.fail(Error::Plugin { plugin, hook, source: error });
            true
        }
    }
}

fn tell(exchange: &Exchange, plugin: &Use, hook: &str, error: &HookError) {
    // Its beginning and its end are in the log; between them it is every exchange.
    if !matches!(error, HookError::Quarantined { .. }) && plugin.may_tell_failure() {
        log(exchange, plugin.name(), hook, error);
    }
}

fn log(exchange: &Exchange, plugin: &str, hook: &str, error: &HookError) {
    tracing::warn!(
        request_id = exchange.id(),
        route = exchange.route_name(),
        plugin,
        hook,
        kind = error.kind(),
        %error,
        "a plugin failed"
    );
}
