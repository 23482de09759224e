//! The tables for people and the samples for programs.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::machine::Machine;
use crate::workloads::Workload;

/// One measurement of one row.
#[derive(Serialize)]
pub(crate) struct Sample {
    pub(crate) workload: &'static str,
    pub(crate) row: String,
    pub(crate) pass: u32,
    pub(crate) requests: usize,
    pub(crate) requests_per_second: f64,
    /// Of the proxy's processes.
    pub(crate) cpu_us_per_request: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) resident_mb: f64,
    /// Cores that were busy with something else meanwhile.
    pub(crate) foreign_cores: f64,
}

/// More than this on other programs, and a sample counts only if there is no better one.
const FOREIGN_LIMIT: f64 = 0.15;

/// The samples of one row in one workload.
struct Line<'a> {
    samples: Vec<&'a Sample>,
    is_clean: bool,
}

struct Range {
    median: f64,
    least: f64,
    most: f64,
}

pub(crate) fn table(workload: &Workload, samples: &[Sample]) -> Option<String> {
    let mut lines = lines_of(workload.name, samples);
    if lines.is_empty() {
        return None;
    }
    lines.sort_by(|left, right| left.cpu().median.total_cmp(&right.cpu().median));
    let base = lines.iter().find(|line| line.row() == workload.base).map(|line| line.cpu().median);
    let mut text = format!(
        "\n### {}: {}\n\n| row | CPU us/request | x {} | req/s | p50 ms | p99 ms | memory MB |\n\
         |---|---|---|---|---|---|---|\n",
        workload.name, workload.title, workload.base
    );
    for line in &lines {
        text.push_str(&line.to_markdown(base));
    }
    Some(text)
}

pub(crate) fn write_json(path: &Path, machine: &Machine, samples: &[Sample]) -> Result<()> {
    let document = serde_json::json!({ "machine": machine, "samples": samples });
    fs::write(path, format!("{document:#}\n"))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn lines_of<'a>(workload: &str, samples: &'a [Sample]) -> Vec<Line<'a>> {
    let mut rows: Vec<(&str, Vec<&Sample>)> = Vec::new();
    for sample in samples.iter().filter(|sample| sample.workload == workload) {
        match rows.iter_mut().find(|(row, _)| *row == sample.row) {
            Some((_, of_row)) => of_row.push(sample),
            None => rows.push((&sample.row, vec![sample])),
        }
    }
    rows.into_iter().map(|(_, samples)| Line::new(samples)).collect()
}

impl<'a> Line<'a> {
    fn new(samples: Vec<&'a Sample>) -> Self {
        let is_clean = |sample: &&&Sample| sample.foreign_cores <= FOREIGN_LIMIT;
        let clean: Vec<_> = samples.iter().filter(is_clean).copied().collect();
        match clean.is_empty() {
            true => Self { samples, is_clean: false },
            false => Self { samples: clean, is_clean: true },
        }
    }

    fn row(&self) -> &str {
        &self.samples[0].row
    }

    fn cpu(&self) -> Range {
        self.range(|sample| sample.cpu_us_per_request)
    }

    fn range(&self, of: impl Fn(&Sample) -> f64) -> Range {
        let mut values: Vec<f64> = self.samples.iter().map(|sample| of(sample)).collect();
        values.sort_by(f64::total_cmp);
        let (lower, upper) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
        Range {
            median: f64::midpoint(lower, upper),
            least: values[0],
            most: values[values.len() - 1],
        }
    }

    fn to_markdown(&self, base: Option<f64>) -> String {
        let cpu = self.cpu();
        let ratio = base.map_or("-".to_owned(), |base| format!("{:.2}", cpu.median / base));
        format!(
            "| {}{} | {:.1} ({:.1}..{:.1}) | {ratio} | {:.0} | {:.2} | {:.2} | {:.0} |\n",
            self.row(),
            if self.is_clean { "" } else { " !" },
            cpu.median,
            cpu.least,
            cpu.most,
            self.range(|sample| sample.requests_per_second).median,
            self.range(|sample| sample.p50_ms).median,
            self.range(|sample| sample.p99_ms).median,
            self.range(|sample| sample.resident_mb).median,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Sample, table};
    use crate::workloads;

    fn sample(row: &str, cpu: f64, foreign: f64) -> Sample {
        Sample {
            workload: "plain-1k",
            row: row.to_owned(),
            pass: 1,
            requests: 10,
            requests_per_second: 5.0,
            cpu_us_per_request: cpu,
            p50_ms: 1.0,
            p99_ms: 2.0,
            resident_mb: 3.0,
            foreign_cores: foreign,
        }
    }

    #[test]
    fn disturbed_samples_count_only_where_there_is_no_other() {
        let samples = [
            sample("nginx-plain", 10.0, 0.0),
            sample("nginx-plain", 90.0, 0.5),
            sample("hyper", 20.0, 0.5),
        ];
        let workloads = workloads::all();
        let plain = workloads.iter().find(|workload| workload.name == "plain-1k").unwrap();
        let text = table(plain, &samples).unwrap();
        assert!(text.contains("| nginx-plain | 10.0 (10.0..10.0) | 1.00 |"), "{text}");
        assert!(text.contains("| hyper ! | 20.0 (20.0..20.0) | 2.00 |"), "{text}");
    }
}
