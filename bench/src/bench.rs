//! One call: passes over workloads over rows.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context, Result, ensure};

use crate::Arguments;
use crate::check::Checker;
use crate::keys::Tokens;
use crate::machine::{self, Machine};
use crate::proxy::Running;
use crate::report::{self, Sample};
use crate::rows::{self, Program, Row, Work};
use crate::setting::Setting;
use crate::workloads::{self, Workload};
use crate::{load, usage};

/// What all measurements of a call share.
struct Bench {
    setting: Setting,
    tokens: Tokens,
    upstream: Running,
    seconds: u32,
    only_check: bool,
}

/// Measures what the arguments select; `false` if a row does not do its work.
pub(crate) fn run(arguments: &Arguments) -> Result<bool> {
    let mut bench = Bench::prepare(arguments)?;
    let workloads = select_workloads(&arguments.only)?;
    let rows = bench.available(select_rows(&arguments.rows, &workloads)?);
    let machine = Machine::describe(bench.setting.tools.versions());
    println!("{}\n", machine.headline());
    let (mut samples, mut failed) = (Vec::new(), BTreeSet::new());
    let passes = if arguments.check { 1 } else { arguments.passes };
    for pass in 1..=passes {
        for workload in &workloads {
            for row in rows.iter().filter(|row| row.workloads.contains(&workload.name)) {
                match bench.measure(row, workload, pass) {
                    Ok(sample) => samples.extend(sample),
                    Err(fault) => {
                        println!("{:<12} {:<18} FAILED {fault:#}", workload.name, row.name);
                        failed.insert(format!("{}/{}", workload.name, row.name));
                    }
                }
            }
        }
    }
    bench.report(&workloads, &machine, &samples)?;
    if !failed.is_empty() {
        let failed: Vec<_> = failed.into_iter().collect();
        println!("\nFailed: {}", failed.join(", "));
        return Ok(false);
    }
    Ok(true)
}

impl Bench {
    fn prepare(arguments: &Arguments) -> Result<Self> {
        ensure!(machine::cores() >= 2, "two cores are needed: one for the proxy, one for the rest");
        let setting = Setting::prepare(arguments.tollgate.clone())?;
        let tokens = Tokens::make(&setting.keys())?;
        let upstream = setting.start_upstream().context("the upstream")?;
        let (seconds, only_check) = (arguments.seconds, arguments.check);
        Ok(Self { setting, tokens, upstream, seconds, only_check })
    }

    /// Leaves out the rows whose program is not here, and says so once for each program.
    fn available(&mut self, rows: Vec<Row>) -> Vec<Row> {
        if rows.iter().any(|row| row.program == Program::Envoy) {
            let folder = self.setting.folder("envoy");
            if let Err(fault) = self.setting.tools.ensure_envoy(&folder) {
                println!("Envoy cannot be had: {fault:#}");
            }
        }
        let mut reasons = BTreeSet::new();
        let mut available = Vec::new();
        for row in rows {
            match self.setting.tools.missing(row.program) {
                Some(reason) => drop(reasons.insert(reason)),
                None => available.push(row),
            }
        }
        for reason in reasons {
            println!("Rows are left out: {reason}");
        }
        available
    }

    /// Starts, checks, warms and measures one row; no sample where only the check was wanted.
    fn measure(&self, row: &Row, workload: &Workload, pass: u32) -> Result<Option<Sample>> {
        let running = self.setting.start(row)?;
        let checker = Checker { tokens: &self.tokens, upstream_port: self.upstream.port };
        checker.check(running.port, row.work, workload)?;
        if self.only_check {
            println!("{:<12} {:<18} does its work", workload.name, row.name);
            return Ok(None);
        }
        self.load(&running, row, workload, 1)?;
        let (processor, others) = (usage::cpu_seconds(running.id()), self.foreign(&running));
        let start = Instant::now();
        let outcome = self.load(&running, row, workload, self.seconds)?;
        ensure!(outcome.requests > 0, "not one request was answered");
        let took = start.elapsed().as_secs_f64();
        let used = usage::cpu_seconds(running.id()) - processor;
        let sample = Sample {
            workload: workload.name,
            row: row.name.clone(),
            pass,
            requests: outcome.requests,
            requests_per_second: outcome.requests as f64 / outcome.seconds,
            cpu_us_per_request: used * 1e6 / outcome.requests as f64,
            p50_ms: outcome.p50_ms,
            p99_ms: outcome.p99_ms,
            resident_mb: usage::resident_megabytes(running.id()),
            foreign_cores: (self.foreign(&running) - others) / took,
        };
        print_sample(&sample);
        Ok(Some(sample))
    }

    fn load(
        &self,
        running: &Running,
        row: &Row,
        workload: &Workload,
        seconds: u32,
    ) -> Result<load::Outcome> {
        let token = match row.work {
            Work::Chain(algorithm) => Some(self.tokens.of(algorithm)),
            Work::Forward | Work::Headers(_) | Work::Aggregate => None,
        };
        let setting = &self.setting;
        load::run(workload, running.port, token, seconds, &setting.tools, &setting.run())
    }

    /// CPU seconds of all that is neither the proxy, nor the upstream, nor the load.
    fn foreign(&self, running: &Running) -> f64 {
        let ours = usage::cpu_seconds(running.id())
            + usage::cpu_seconds(self.upstream.id())
            + usage::ended_children_seconds();
        usage::busy_seconds() - ours
    }

    fn report(&self, workloads: &[Workload], machine: &Machine, samples: &[Sample]) -> Result<()> {
        if self.only_check {
            return Ok(());
        }
        println!("\n{}", machine.headline());
        for table in workloads.iter().filter_map(|workload| report::table(workload, samples)) {
            println!("{table}");
        }
        println!("Rows with ! were disturbed by other programs in every pass.");
        let path = self.setting.folder("results.json");
        report::write_json(&path, machine, samples)?;
        println!("All samples: {}", path.display());
        Ok(())
    }
}

fn print_sample(sample: &Sample) {
    println!(
        "{:<12} {:<18} pass {}  {:>7.1} us CPU/request  {:>7.0} req/s  p99 {:>7.2} ms  foreign {:.2}",
        sample.workload,
        sample.row,
        sample.pass,
        sample.cpu_us_per_request,
        sample.requests_per_second,
        sample.p99_ms,
        sample.foreign_cores,
    );
}

fn select_workloads(globs: &[String]) -> Result<Vec<Workload>> {
    let mut workloads = workloads::all();
    workloads.retain(|workload| selects(globs, workload.name));
    ensure!(!workloads.is_empty(), "no workload has such a name; --list names them");
    Ok(workloads)
}

fn select_rows(globs: &[String], workloads: &[Workload]) -> Result<Vec<Row>> {
    let mut rows = rows::all();
    rows.retain(|row| {
        let wanted = workloads.iter().any(|workload| row.workloads.contains(&workload.name));
        wanted && selects(globs, &row.name)
    });
    ensure!(!rows.is_empty(), "no row has such a name in these workloads; --list names them");
    Ok(rows)
}

/// Whether one of the patterns fits; no pattern at all fits everything.
fn selects(globs: &[String], name: &str) -> bool {
    globs.is_empty() || globs.iter().any(|glob| fits(glob, name))
}

fn fits(glob: &str, name: &str) -> bool {
    match glob.split_once('*') {
        None => glob == name,
        Some((start, rest)) => name.strip_prefix(start).is_some_and(|name| {
            (0..=name.len()).filter_map(|place| name.get(place..)).any(|name| fits(rest, name))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_anything() {
        for (glob, name, expected) in [
            ("nginx-plain", "nginx-plain", true),
            ("nginx", "nginx-plain", false),
            ("*", "hyper", true),
            ("tollgate-*", "tollgate-hdr-5", true),
            ("*-tls", "nginx-tls", true),
            ("n*x*", "nginx-h2c", true),
            ("*-tls", "nginx-tls-x", false),
        ] {
            assert_eq!(fits(glob, name), expected, "{glob} {name}");
        }
    }
}
