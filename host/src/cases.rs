//! `tollgate plugin test`: cases against a plugin, in this process, by the code that runs it in
//! production: the configuration's checks, the instance pool, the hooks and all that they call. Only
//! the ends are stand-ins: who asks, who is asked, and the clock.

mod alone;
mod check;
mod compare;
mod counted;
mod ended;
mod file;
mod junit;
mod lines;
mod message;
mod pieces;
mod read;
mod run;
mod sent;
mod setup;
mod standin;
mod stores;

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

pub(crate) use self::{
    alone::{Costs, Spread, Subject, hooks, measure},
    junit::junit,
};

use self::{
    compare::{Difference, compare},
    file::{Case, Expect, File, Setting, Step},
    lines::Lines,
    run::Scene,
    setup::{Origin, Unfit},
    standin::StandIns,
    stores::Kept,
};
use crate::{
    config::{self, Fault, fault_lines},
    disk::CacheFolder,
    generation::Builder,
    plugin::{Component, Shared, Stated, Time},
    server,
    telemetry::Metrics,
};

/// Where clocks stand that a case does not set: 2026-01-01T00:00:00Z.
const START: Duration = Duration::from_secs(1_767_225_600);

/// What to test, and how.
pub(crate) struct Options {
    /// The component.
    pub(crate) component: PathBuf,
    pub(crate) cases: PathBuf,
    /// Only cases whose name has this in it.
    pub(crate) filter: Option<String>,
    /// The folder for compiled plugins.
    pub(crate) cache: Option<CacheFolder>,
}

/// How a case ended.
pub(crate) struct Outcome {
    pub(crate) name: String,
    /// `file:line:column` of the case.
    pub(crate) place: String,
    pub(crate) took: Duration,
    /// None: it passed.
    pub(crate) differences: Vec<String>,
    /// What the plugin logged, for whoever looks for the reason.
    pub(crate) logs: Vec<String>,
}

impl Outcome {
    pub(crate) fn passed(&self) -> bool {
        self.differences.is_empty()
    }
}

/// JSON Schema of the file of cases.
pub(crate) fn schema() -> serde_json::Value {
    config::other::schema::<File>()
}

/// Runs the cases, each in a setting of its own, and tells of each as soon as it has ended.
///
/// Where there is a fault in the file none is run: all that is wrong with it is found before.
///
/// # Errors
///
/// A file that cannot be read, every fault of one that can, a component that is none.
pub(crate) fn test(
    options: &Options,
    mut tell: impl FnMut(&Outcome),
) -> Result<Vec<Outcome>, String> {
    let cases = read::read(&options.cases).map_err(|fault| fault.to_string())?;
    let mut faults = cases.faults.clone();
    let (lines, _guard) = Lines::capture();
    let bench = Bench::new(options, Stated::default());
    let mut bench = bench.map_err(|error| beside(&faults, &error))?;
    let sound = cases.sound();
    let wanted = sound.into_iter().filter(|(_, case)| options.wants(case));
    let wanted: Vec<_> = wanted
        .map(|(case_at, case)| {
            (Origin { document: &cases.document, case: case_at, alone: false }, case)
        })
        .collect();
    let defaults = &cases.file.defaults;
    for (origin, case) in &wanted {
        match bench.case(defaults, case, origin, &lines, false) {
            Ok(_) => (),
            Err(Stop::Faults(found)) => faults.extend(found),
            Err(Stop::Failure(error)) => return Err(beside(&faults, &error)),
        }
    }
    config::sort_faults(&mut faults);
    if !faults.is_empty() {
        return Err(fault_lines(&faults));
    }
    let mut outcomes = Vec::new();
    for (origin, case) in &wanted {
        let outcome =
            bench.case(defaults, case, origin, &lines, true).map_err(|stop| match stop {
                Stop::Faults(found) => fault_lines(&found),
                Stop::Failure(error) => error,
            })?;
        tell(&outcome);
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// A failure, after the faults so far.
fn beside(faults: &[Fault], failure: &str) -> String {
    let faults = faults.iter().map(Fault::to_string);
    faults.chain([failure.to_owned()]).collect::<Vec<_>>().join("\n")
}

/// Why a case did not come to its end.
enum Stop {
    /// In the file of cases.
    Faults(Vec<Fault>),
    Failure(String),
}

impl Options {
    fn wants(&self, case: &Case) -> bool {
        self.filter.as_ref().is_none_or(|part| case.name.contains(part))
    }
}

/// What all cases share: the engine, the compiled plugin, the clock.
struct Bench {
    component: PathBuf,
    /// Held, so that it is compiled once.
    compiled: Arc<Component>,
    runtime: tokio::runtime::Runtime,
    builder: Builder,
    clock: Stated,
}

impl Bench {
    fn new(options: &Options, clock: Stated) -> Result<Self, String> {
        let server = server::Options {
            config: options.cases.clone(),
            cache: options.cache.clone(),
            offline: true,
            log: None,
        };
        let time = Time::Stated(clock.clone());
        let builder = server::builder_with(&server, time).map_err(|failed| failed.to_string())?;
        let runtime = server::runtime().map_err(|failed| failed.to_string())?;
        let component = std::path::absolute(&options.component)
            .map_err(|error| format!("{}: {error}", options.component.display()))?;
        let compiled = runtime.block_on(builder.components.load(&options.component));
        let compiled = compiled.map_err(|error| error.to_string())?;
        Ok(Self { component, compiled, runtime, builder, clock })
    }

    /// `is_run`: whether its steps are, or only what they need is made.
    fn case(
        &mut self,
        defaults: &Setting,
        case: &Case,
        origin: &Origin<'_>,
        lines: &Lines,
        is_run: bool,
    ) -> Result<Outcome, Stop> {
        let started = Instant::now();
        let setting = merged(defaults, &case.setting);
        let stated = setting.clock.map_or(SystemTime::UNIX_EPOCH + START, |moment| moment.0);
        self.clock.set(stated);
        // No case sees what another has counted or kept.
        let metrics = Metrics::new().map_err(|error| Stop::Failure(error.to_string()))?;
        self.builder.metrics = Arc::new(metrics);
        let shared = Shared::new(&self.builder.metrics, &Time::Stated(self.clock.clone()));
        self.builder.shared = Arc::new(shared);
        lines.take();
        let alone = std::slice::from_ref(&case.step);
        let place = origin.document.place(&origin.case);
        let mut outcome = Outcome {
            name: case.name.clone(),
            place: format!("{}:{place}", origin.document.file()),
            took: Duration::ZERO,
            differences: Vec::new(),
            logs: Vec::new(),
        };
        let steps = if is_run { case.steps.as_deref().unwrap_or(alone) } else { &[] };
        self.runtime.block_on(self.steps(&setting, case, steps, origin, lines, &mut outcome))?;
        outcome.took = started.elapsed();
        Ok(outcome)
    }

    async fn steps(
        &self,
        setting: &Setting,
        case: &Case,
        steps: &[Step],
        origin: &Origin<'_>,
        lines: &Lines,
        outcome: &mut Outcome,
    ) -> Result<(), Stop> {
        let stand_ins = StandIns::start(setting.upstreams.as_ref())
            .await
            .map_err(|error| Stop::Failure(format!("cannot start a stand-in: {error}")))?;
        let built =
            setup::generation(&self.builder, &self.component, setting, &stand_ins, origin).await;
        let generation = match (built, &case.refused) {
            (Ok(generation), None) => generation,
            (Ok(_), Some(part)) => {
                outcome.add(None, &refused(part, "the configuration is accepted"));
                return Ok(());
            }
            (Err(Unfit::Refused(faults)), Some(part)) => {
                let told = fault_lines(&faults);
                if !told.contains(part.as_str()) {
                    outcome.add(None, &refused(part, &told));
                }
                return Ok(());
            }
            (Err(Unfit::Refused(faults) | Unfit::Faults(faults)), _) => {
                return Err(Stop::Faults(faults));
            }
        };
        let client = Arc::new(run::client(setting.client.as_ref()));
        let stores = Kept::open(&self.builder.shared, &generation, setting.stores.as_ref()).await;
        let metrics = &self.builder.metrics;
        let scene = Scene { generation, client, stand_ins: &stand_ins, stores, lines, metrics };
        for (index, step) in steps.iter().enumerate() {
            let number = case.steps.as_ref().map(|_| index);
            self.step(&scene, step, number, outcome).await;
        }
        Ok(())
    }

    async fn step(
        &self,
        scene: &Scene<'_>,
        step: &Step,
        number: Option<usize>,
        outcome: &mut Outcome,
    ) {
        if let Some(advance) = step.advance {
            self.clock.advance(advance.0);
        }
        let mut observed = scene.run(step).await;
        let nothing = Expect::default();
        for difference in compare(step.expect.as_ref().unwrap_or(&nothing), &observed) {
            outcome.add(number, &difference);
        }
        outcome.logs.append(&mut observed.logs);
    }
}

impl Outcome {
    fn add(&mut self, step: Option<usize>, difference: &Difference) {
        let step = step.map(|step| format!("steps[{step}].")).unwrap_or_default();
        self.differences.push(format!("{step}{}", difference.what));
        self.differences.extend(difference.lines().into_iter().map(|line| format!("  {line}")));
    }
}

fn refused(expected: &str, actual: &str) -> Difference {
    Difference {
        what: "refused".to_owned(),
        expected: expected.to_owned(),
        actual: actual.to_owned(),
    }
}

/// The case's own values, and the defaults where it has none.
fn merged(defaults: &Setting, own: &Setting) -> Setting {
    let (own, defaults) = (own.clone(), defaults.clone());
    Setting {
        config: own.config.or(defaults.config),
        grants: own.grants.or(defaults.grants),
        limits: own.limits.or(defaults.limits),
        upstreams: own.upstreams.or(defaults.upstreams),
        stores: own.stores.or(defaults.stores),
        clock: own.clock.or(defaults.clock),
        route: own.route.or(defaults.route),
        client: own.client.or(defaults.client),
    }
}
