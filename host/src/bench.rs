//! What the micro-benches in `benches/` reach of the inside. Not part of the library.

use std::{path::Path, sync::Arc};

use http::{HeaderValue, Request};
use tokio::runtime::Runtime;

use crate::{
    body::Body,
    exchange::Exchange,
    generation::{Builder, Draft, Generation},
    listener::Client,
    plugin::{Use, Verdict},
    server::{self, Options},
};

/// A generation, and what it takes to use its plugins and to build the next one.
pub struct Bench {
    runtime: Runtime,
    builder: Builder,
    current: Arc<Generation>,
    client: Arc<Client>,
}

/// An exchange on its way from hook to hook.
pub struct Travelling(Option<Exchange>);

impl Bench {
    /// # Panics
    ///
    /// The configuration is faulty.
    pub fn new(config: &Path) -> Self {
        let options = Options { config: config.to_owned(), cache: None, offline: true, log: None };
        let builder = server::builder(&options).expect("the machine runs the engine");
        let runtime = server::runtime().expect("a runtime");
        let current = runtime
            .block_on(builder.build(Draft::read(config), None))
            .expect("a sound configuration");
        let peer = "127.0.0.1:1".parse().expect("an address");
        let client = Arc::new(Client::new(peer, None, None));
        Self { runtime, builder, current: Arc::new(current), client }
    }

    pub fn exchange(&self) -> Travelling {
        let (request, ()) = Request::builder()
            .uri("/orders/7?page=2")
            .header("host", "api.example.com")
            .header("user-agent", "bench")
            .header("accept", "*/*")
            .body(())
            .expect("a request")
            .into_parts();
        let id = HeaderValue::from_static("4bf92f3577b34da6a3ce929d0e0e4736");
        let generation = Arc::clone(&self.current);
        let client = Arc::clone(&self.client);
        let exchange = Exchange::new(generation, client, request, (Body::Empty, None), id);
        Travelling(Some(exchange))
    }

    /// Calls the request hook of the first use `times` times.
    ///
    /// # Panics
    ///
    /// The hook fails or answers.
    pub fn call(&self, travelling: &mut Travelling, times: usize) {
        let plugin = Arc::clone(&self.current.uses[0]);
        let mut exchange = travelling.0.take().expect("it comes back after each call");
        let back = self.runtime.block_on(async {
            for _ in 0..times {
                let (back, verdict) = plugin.on_request(exchange).await;
                assert!(
                    matches!(verdict, Ok(Verdict::Next)),
                    "the bench measures a hook that goes on"
                );
                exchange = back;
            }
            exchange
        });
        travelling.0 = Some(back);
    }

    /// Makes an instance of the first use, configures it, and drops it.
    ///
    /// # Panics
    ///
    /// The plugin refuses its configuration.
    pub fn instantiate(&self) {
        let plugin: &Use = &self.current.uses[0];
        self.runtime.block_on(plugin.instantiate_once()).expect("it was accepted before");
    }

    /// Builds the generation after the current one, and drops it.
    ///
    /// # Panics
    ///
    /// The configuration has become faulty.
    pub fn reload(&self, config: &Path) {
        let next =
            self.runtime.block_on(self.builder.build(Draft::read(config), Some(&self.current)));
        next.expect("a sound configuration");
    }
}
