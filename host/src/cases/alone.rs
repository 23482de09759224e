//! A plugin in a gateway of its own, with one configuration and one request: to ask which hooks it
//! wants and what they cost.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use serde_json::{Map, Value};

use super::{
    Bench, Options, ended,
    file::{Answer, RequestIn, ResponseIn, Setting, StandIn, Step},
    lines::Lines,
    run::{self, Scene},
    setup::{self, Origin, Unfit},
    standin::StandIns,
    stores::Kept,
};
use crate::{
    config::{self, Pointer, fault_lines},
    disk::{self, CacheFolder},
    exchange::{Exchange, View},
    plugin::{Side, Stated, Use, Verdict},
};

/// Calls that are measured of each hook; fewer where they take longer than [`PATIENCE`].
const CALLS: usize = 20_000;
const FRESH_CALLS: usize = 1_000;
const WARM_UP: usize = 200;
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of a chunk where no body is stated.
const CHUNK: usize = 16 << 10;

/// CPU time that a hook may take, so that one that needs more than it would have is measured too.
const CPU: &str = "1s";

/// What one hook costs.
pub(crate) struct Cost {
    pub(crate) hook: &'static str,
    /// Bytes that it is shown, of a chunk hook.
    pub(crate) chunk: Option<usize>,
    /// In an instance that has served before.
    pub(crate) warm: Spread,
    /// In one that is made and configured for it.
    pub(crate) fresh: Spread,
}

/// Of many calls, in nanoseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Spread {
    pub(crate) calls: usize,
    pub(crate) p50: u64,
    pub(crate) p99: u64,
}

/// What a plugin costs.
pub(crate) struct Costs {
    pub(crate) hooks: Vec<Cost>,
    /// Linear memory of one instance after its calls, in bytes.
    pub(crate) memory: usize,
    /// From the file to a component that can be used, nothing cached.
    pub(crate) compile: Duration,
}

/// What to measure.
pub(crate) struct Subject {
    pub(crate) component: PathBuf,
    /// The plugin's configuration; `None`: an empty one.
    pub(crate) config: Option<PathBuf>,
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<String>,
    /// Of the response.
    pub(crate) response_body: Option<String>,
}

/// The hooks that a configuration wants.
///
/// # Errors
///
/// The component or the configuration is at fault.
pub(crate) fn hooks(
    component: &Path,
    config: &Path,
    cache: Option<&CacheFolder>,
) -> Result<Vec<&'static str>, String> {
    let alone = Alone::new(component, Some(config), cache)?;
    alone.bench.runtime.block_on(async {
        let stand_ins = alone.stand_ins().await?;
        let lines = Lines::default();
        let scene = alone.scene(&stand_ins, &lines).await?;
        Ok(plugin(&scene)?.hooks())
    })
}

/// Measures each hook that the configuration wants.
///
/// # Errors
///
/// The component, the configuration or the request is at fault, or a hook fails.
pub(crate) fn measure(subject: &Subject) -> Result<Costs, String> {
    let started = Instant::now();
    let alone = Alone::new(&subject.component, subject.config.as_deref(), None)?;
    let compile = started.elapsed();
    let step = step(subject)?;
    // What the plugin logs goes nowhere, and the cost of writing it is not the plugin's.
    let (lines, _guard) = Lines::capture();
    alone.bench.runtime.block_on(async {
        let stand_ins = alone.stand_ins().await?;
        let scene = alone.scene(&stand_ins, &lines).await?;
        let plugin = Arc::clone(plugin(&scene)?);
        let mut hooks = Vec::new();
        for hook in plugin.hooks() {
            let chunk = chunk(subject, hook);
            let measured = Measured { scene: &scene, plugin: &plugin, step: &step, hook, chunk };
            hooks.push(Cost {
                hook,
                chunk: measured.chunk.as_ref().map(|(_, chunk)| chunk.len()),
                warm: measured.spread(CALLS, false).await?,
                fresh: measured.spread(FRESH_CALLS, true).await?,
            });
        }
        Ok(Costs { hooks, memory: plugin.discard_idle(), compile })
    })
}

/// The one plugin there is.
fn plugin<'s>(scene: &'s Scene<'_>) -> Result<&'s Arc<Use>, String> {
    scene.generation.uses.first().ok_or_else(|| "a `wasi:http` middleware has no hooks".to_owned())
}

struct Alone {
    bench: Bench,
    setting: Setting,
    document: config::Document,
}

impl Alone {
    fn new(
        component: &Path,
        config: Option<&Path>,
        cache: Option<&CacheFolder>,
    ) -> Result<Self, String> {
        let options = Options {
            component: component.to_owned(),
            cases: config.unwrap_or(Path::new("")).to_owned(),
            filter: None,
            cache: cache.cloned(),
        };
        let clock = Stated::default();
        clock.set(SystemTime::now());
        let bench = Bench::new(&options, clock)?;
        let (document, config) = read(config)?;
        let setting = everything(config, &bench.compiled.manifest.config_schema);
        Ok(Self { bench, setting, document })
    }

    async fn stand_ins(&self) -> Result<StandIns, String> {
        let wanted = self.setting.upstreams.as_ref();
        StandIns::start(wanted).await.map_err(|error| error.to_string())
    }

    async fn scene<'s>(
        &'s self,
        stand_ins: &'s StandIns,
        lines: &'s Lines,
    ) -> Result<Scene<'s>, String> {
        let Bench { builder, component, .. } = &self.bench;
        let origin = Origin { document: &self.document, case: Pointer::default(), alone: true };
        let built = setup::generation(builder, component, &self.setting, stand_ins, &origin).await;
        let generation = built.map_err(|unfit| match unfit {
            Unfit::Refused(faults) | Unfit::Faults(faults) => fault_lines(&faults),
        })?;
        let (client, stores) = (Arc::new(run::client(None)), Kept::default());
        let metrics = &self.bench.builder.metrics;
        Ok(Scene { generation, client, stand_ins, stores, lines, metrics })
    }
}

/// Nobody is there to grant anything: the plugin gets what its configuration names, upstreams that
/// answer 200 without a body among it, a store where it names none, bodies and the cache.
fn everything(config: Value, schema: &str) -> Setting {
    let named = config::names_in(schema, &config);
    let mut stores = named.stores;
    if stores.is_empty() {
        stores.insert("store".to_owned());
    }
    let yes = ["request_body", "response_body", "cache"].map(|key| (key.to_owned(), true.into()));
    let mut grants = Map::from_iter(yes);
    grants.insert("upstreams".to_owned(), named.upstreams.iter().cloned().collect());
    grants.insert("stores".to_owned(), stores.into_iter().collect());
    let answer = || StandIn::Answers(vec![Answer::default()]);
    Setting {
        config: Some(config),
        grants: Some(grants),
        limits: Some(Map::from_iter([("cpu".to_owned(), CPU.into())])),
        upstreams: Some(named.upstreams.into_iter().map(|name| (name, answer())).collect()),
        ..Setting::default()
    }
}

/// A plugin's configuration in a file of its own.
fn read(path: Option<&Path>) -> Result<(config::Document, Value), String> {
    let (text, path) = match path {
        Some(path) => {
            let text = disk::read_text(path);
            (text.map_err(|error| format!("{}: {error}", path.display()))?, path)
        }
        None => ("{}".to_owned(), Path::new("the empty configuration")),
    };
    let (document, faults) =
        config::Document::parse(&text, path).map_err(|fault| fault.to_string())?;
    if !faults.is_empty() {
        return Err(fault_lines(&faults));
    }
    let value = document.value(&Pointer::default());
    Ok((document, value))
}

fn step(subject: &Subject) -> Result<Step, String> {
    run::method(Some(&subject.method)).map_err(|reason| format!("the method {reason}"))?;
    run::target(Some(&subject.target)).map_err(|reason| format!("the target {reason}"))?;
    let headers = subject.headers.iter().cloned();
    let request = RequestIn {
        method: Some(subject.method.clone()),
        target: Some(subject.target.clone()),
        headers: headers.map(|(name, value)| (name, super::file::Lines::One(value))).collect(),
        content: super::file::Content { body: subject.body.clone(), ..Default::default() },
        ..RequestIn::default()
    };
    let content =
        super::file::Content { body: subject.response_body.clone(), ..Default::default() };
    let response = ResponseIn { content, ..ResponseIn::default() };
    Ok(Step { request: Some(request), response: Some(response), ..Step::default() })
}

/// What a chunk hook is shown: the body as its only piece.
fn chunk(subject: &Subject, hook: &str) -> Option<(Side, Bytes)> {
    let side = [Side::Request, Side::Response].into_iter().find(|side| side.hook() == hook)?;
    let body = match side {
        Side::Request => &subject.body,
        Side::Response => &subject.response_body,
    };
    let body = body.clone().map_or_else(|| vec![b'x'; CHUNK].into(), Bytes::from);
    Some((side, body))
}

/// One hook, called again and again.
struct Measured<'a> {
    scene: &'a Scene<'a>,
    plugin: &'a Use,
    step: &'a Step,
    hook: &'static str,
    chunk: Option<(Side, Bytes)>,
}

impl Measured<'_> {
    async fn spread(&self, most: usize, fresh: bool) -> Result<Spread, String> {
        let warm_up = if fresh { 1 } else { WARM_UP };
        let started = Instant::now();
        let mut times = Vec::with_capacity(most);
        for call in 0..warm_up + most {
            if fresh {
                self.plugin.discard_idle();
            }
            let exchange = self.prepared();
            let before = Instant::now();
            let mut exchange = self.call(exchange).await?;
            let took = before.elapsed();
            // So that its end calls no hook.
            exchange.reached = 0;
            drop(exchange);
            self.scene.lines.take();
            if call >= warm_up {
                times.push(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
            }
            if !times.is_empty() && started.elapsed() > PATIENCE {
                break;
            }
        }
        Ok(Spread::of(times))
    }

    /// As the hook meets it; a chunk hook meets a view.
    fn prepared(&self) -> Exchange {
        let mut exchange = self.scene.prepared(self.step);
        if self.chunk.is_none() {
            return exchange;
        }
        let mut view = exchange.view();
        view.view = Some(View { last: true, held: Bytes::new() });
        exchange.reached = 0;
        view
    }

    async fn call(&self, exchange: Exchange) -> Result<Exchange, String> {
        if let Some((side, chunk)) = &self.chunk {
            let (exchange, made) = self.plugin.on_chunk(exchange, *side, chunk.clone(), true).await;
            return made.map(|_| exchange).map_err(|failure| format!("{}: {failure}", self.hook));
        }
        let (exchange, failure) = match self.hook {
            "on-request" => {
                let (exchange, verdict) = self.plugin.on_request(exchange).await;
                (exchange, verdict.map(|_: Verdict| ()).err())
            }
            "on-response" => {
                let (exchange, done) = self.plugin.on_response(exchange).await;
                (exchange, done.err())
            }
            "on-finish" => {
                let (exchange, done) = self.plugin.on_finish(exchange, ended::unknown()).await;
                (exchange, done.err())
            }
            hook => return Err(format!("{hook} cannot be measured in this version")),
        };
        match failure {
            None => Ok(exchange),
            Some(failure) => Err(format!("{}: {failure}", self.hook)),
        }
    }
}

impl Spread {
    fn of(mut times: Vec<u64>) -> Self {
        times.sort_unstable();
        let at = |percent: usize| {
            times.get((times.len().saturating_sub(1)) * percent / 100).copied().unwrap_or_default()
        };
        Self { calls: times.len(), p50: at(50), p99: at(99) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_of_what_was_measured() {
        let spread = Spread::of((1..=101).rev().collect());
        assert_eq!(spread, Spread { calls: 101, p50: 51, p99: 100 });
        assert_eq!(Spread::of(vec![7]), Spread { calls: 1, p50: 7, p99: 7 });
        assert_eq!(Spread::of(vec![]), Spread { calls: 0, p50: 0, p99: 0 });
    }
}
