//! A guest that calls what it likes: an exchange between a client and an upstream, with the plugin
//! `chaos` in its way, which takes bodies for scripts of calls.

mod ends;
mod script;

use std::{path::Path, sync::Arc, time::Duration};

use tempfile::TempDir;
use tokio::runtime::Runtime;

use self::{ends::Upstreams, script::Script};
use crate::{
    config,
    exchange::Exchange,
    gateway::Gateway,
    generation::{Builder, Generation},
    listener::Client,
    plugin::{Shared, Time},
    reload::Stamps,
    server::{self, Options},
    telemetry::Metrics,
    worker,
};

/// More than any exchange may take, by the limits of the configuration.
const PATIENCE: Duration = Duration::from_secs(20);

/// Instances of each use; also in the configuration below.
const MAX_INSTANCES: usize = 4;

/// Attributes of an exchange, and bytes of all together; also in the configuration below.
const MAX_ATTRIBUTES: usize = 4;
const MAX_ATTRIBUTE_BYTES: usize = 64;

/// A gateway with two uses of the plugin `chaos`, and what stands around it.
pub struct Guest {
    runtime: Runtime,
    builder: Builder,
    upstreams: Upstreams,
    config: config::Config,
    client: Arc<Client>,
    /// Held, so that the component is compiled, and its snapshot taken, once.
    _first: Generation,
    _folder: TempDir,
}

impl Guest {
    /// `plugins`: the folder with `chaos.wasm`.
    ///
    /// # Panics
    ///
    /// The machine cannot run the engine, or the plugin is missing.
    pub fn new(plugins: &Path) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("tollgate.yaml");
        let options = Options { config: file.clone(), cache: None, offline: true, log: None };
        let runtime = server::runtime().expect("a runtime");
        let upstreams = runtime.block_on(Upstreams::start());
        let text = configuration(plugins, &upstreams);
        let config = config::parse(&text, &file).expect("a sound configuration");
        let builder = server::builder(&options).expect("the machine runs the engine");
        let first = builder.assemble(config.clone(), Stamps::default(), None);
        let first = runtime.block_on(first).expect("`cargo xtask fuzz` builds the plugin");
        let client = Client::new(([127, 0, 0, 1], 50_000).into(), None, None);
        let client = Arc::new(client);
        Self { runtime, builder, upstreams, config, client, _first: first, _folder: folder }
    }

    /// One exchange by the input's script. Nothing is left of those before: no instance, value,
    /// count or connection.
    ///
    /// # Panics
    ///
    /// The guest has got through with something.
    pub fn run(&mut self, input: &[u8]) {
        let script = Script::of(input);
        let metrics = Metrics::new().expect("no name is there twice");
        self.builder.shared = Arc::new(Shared::new(&metrics, &Time::System));
        self.builder.metrics = Arc::new(metrics);
        let ended = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, self.exchange(&script)).await });
        ended.expect("the exchange ends in time");
    }

    async fn exchange(&self, script: &Script<'_>) {
        let built = self.builder.assemble(self.config.clone(), Stamps::default(), None);
        let generation = built.await.expect("it was built before");
        self.builder.shared.resize(&generation.config);
        self.upstreams.answer(script);
        let gateway = Arc::new(Gateway::new(generation));
        let exchanges = ends::ask(&gateway, &self.client, script).await;
        worker::finish(tokio::time::sleep(PATIENCE)).await;
        let generation = gateway.current();
        let alive = || generation.uses.iter().map(|used| used.instances());
        let most = alive().max().unwrap_or_default();
        assert!(most <= MAX_INSTANCES, "{most} instances of one use");
        // With `isolation: request` an instance ends with its hook, once what the hook was for does.
        while alive().any(|alive| alive > 0) {
            tokio::task::yield_now().await;
        }
        exchanges.iter().for_each(check_attributes);
        self.upstreams.check();
    }
}

/// Those that all hooks have set, the last one included.
fn check_attributes(exchange: &Exchange) {
    let attributes = exchange.attributes();
    assert!(attributes.len() <= MAX_ATTRIBUTES, "{} attributes", attributes.len());
    let bytes: usize = attributes.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(bytes <= MAX_ATTRIBUTE_BYTES, "{bytes} bytes of attributes");
}

/// Small limits, so that a script reaches them.
fn configuration(plugins: &Path, upstreams: &Upstreams) -> String {
    let chaos = plugins.join("chaos.wasm");
    let (chaos, origin, other) = (chaos.display(), upstreams.origin(), upstreams.other());
    format!(
        r#"
listeners: [{{ address: "127.0.0.1:0" }}]
trusted_proxies: [127.0.0.1]
upstreams:
  origin: {{ endpoints: ["{origin}"] }}
  u: {{ endpoints: ["{other}"] }}
  closed: {{ endpoints: ["127.0.0.1:1"] }}
stores:
  s: {{ max_bytes: 4KiB, max_entries: 8 }}
cache: {{ max_bytes: 16KiB, max_entry: 4KiB }}
plugins:
  chaos:
    component: {chaos}
    isolation: request
    quarantine: none
    grants:
      upstreams: [u, closed]
      stores: [s]
      cache: true
      request_body: true
      response_body: true
    limits:
      cpu: 10ms
      timeout: 1s
      memory: 8MiB
      max_body: 8KiB
      max_instances: {MAX_INSTANCES}
      calls: 4
      attributes: {MAX_ATTRIBUTES}
      attribute_bytes: {MAX_ATTRIBUTE_BYTES}B
      series: 4
routes:
  - name: one
    match: {{ path: "/one/{{*rest}}" }}
    plugins: [chaos]
    upstream: origin
    timeout: 5s
  - name: two
    match: {{ path: "/two/{{*rest}}" }}
    plugins: [{{ use: chaos, on_error: skip }}, chaos]
    upstream: origin
    rewrite: {{ path: "/rewritten/{{rest}}" }}
    timeout: 5s
"#
    )
}
