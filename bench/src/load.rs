//! The load generators, and what they say.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::proxy::LOAD_CORE;
use crate::tools::Tools;
use crate::workloads::{Load, Workload};

/// What came of some seconds of load.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    pub(crate) requests: usize,
    pub(crate) seconds: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
}

/// # Errors
/// If one request failed: a proxy that drops requests has no figure.
pub(crate) fn run(
    workload: &Workload,
    port: u16,
    token: Option<&str>,
    seconds: u32,
    tools: &Tools,
    folder: &Path,
) -> Result<Outcome> {
    let address = format!("127.0.0.1:{port}");
    let header = token.map(|token| format!("authorization: Bearer {token}"));
    let path = workload.path;
    match workload.load {
        Load::Http1 => wrk(&format!("http://{address}{path}"), header, seconds),
        Load::Https => wrk(&format!("https://{address}{path}"), header, seconds),
        Load::Rate => {
            let rate = ["--h1", "-c16", "-m1", "--rps", "250"];
            h2load(&rate, &format!("http://{address}{path}"), header, seconds, folder)
        }
        Load::Http2 => {
            h2load(&["-c8", "-m16"], &format!("http://{address}{path}"), header, seconds, folder)
        }
        Load::Handshakes { resumed } => handshakes(&address, resumed, seconds, tools),
    }
}

fn wrk(url: &str, header: Option<String>, seconds: u32) -> Result<Outcome> {
    let mut command = pinned("wrk");
    command.args(["-t1", "-c32", "--latency", &format!("-d{seconds}s")]);
    if let Some(header) = header {
        command.args(["-H", &header]);
    }
    parse_wrk(&output_of(command.arg(url))?)
}

fn parse_wrk(said: &str) -> Result<Outcome> {
    for fault in ["Non-2xx or 3xx responses", "Socket errors"] {
        if let Some(line) = said.lines().find(|line| line.trim().starts_with(fault)) {
            bail!("wrk: {}", line.trim());
        }
    }
    let totals = said.lines().find(|line| line.contains(" requests in "));
    let (requests, rest) = totals
        .and_then(|line| line.trim().split_once(" requests in "))
        .with_context(|| format!("wrk says nothing of requests: {said}"))?;
    let seconds = rest.split(',').next().and_then(milliseconds).context("wrk says no time")?;
    let percentile = |name: &str| {
        let line = said.lines().find_map(|line| line.trim().strip_prefix(name));
        line.and_then(milliseconds).with_context(|| format!("wrk says no {name}"))
    };
    Ok(Outcome {
        requests: requests.parse().context("wrk says no number of requests")?,
        seconds: seconds / 1e3,
        p50_ms: percentile("50%")?,
        p99_ms: percentile("99%")?,
    })
}

/// `385.00us`, `1.23ms`, `2.00s`, `1.00m` in milliseconds.
fn milliseconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let unit = text.find(|c: char| c.is_ascii_alphabetic())?;
    let factor = match &text[unit..] {
        "us" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "m" => 6e4,
        _ => return None,
    };
    Some(text[..unit].parse::<f64>().ok()? * factor)
}

fn h2load(
    shape: &[&str],
    url: &str,
    header: Option<String>,
    seconds: u32,
    folder: &Path,
) -> Result<Outcome> {
    let log = folder.join("h2load.log");
    // It appends to what an earlier run has left.
    let _ = fs::remove_file(&log);
    let mut command = pinned("h2load");
    command.arg("-t1").args(shape).args(["-D", &seconds.to_string(), "--log-file"]).arg(&log);
    if let Some(header) = header {
        command.args(["-H", &header]);
    }
    output_of(command.arg(url))?;
    let lines = fs::read_to_string(&log).context("h2load has written no log")?;
    parse_h2load(&lines, f64::from(seconds))
}

/// A line for each request: when it began, its status, its microseconds.
fn parse_h2load(log: &str, seconds: f64) -> Result<Outcome> {
    let mut microseconds = Vec::new();
    for line in log.lines() {
        let mut columns = line.split_whitespace().skip(1);
        let (status, took) = (columns.next(), columns.next());
        ensure!(status == Some("200"), "h2load got {}", status.unwrap_or("nothing"));
        microseconds.push(took.and_then(|took| took.parse::<u64>().ok()).unwrap_or(0));
    }
    ensure!(!microseconds.is_empty(), "h2load got no answer");
    microseconds.sort_unstable();
    let at = |share: usize| microseconds[microseconds.len() * share / 100] as f64 / 1e3;
    Ok(Outcome { requests: microseconds.len(), seconds, p50_ms: at(50), p99_ms: at(99) })
}

fn handshakes(address: &str, resumed: bool, seconds: u32, tools: &Tools) -> Result<Outcome> {
    let mut command = pinned(tools.helper("tls-load"));
    let kind = if resumed { "resumed" } else { "full" };
    command.args([address, kind, &seconds.to_string()]);
    let said = output_of(&mut command)?;
    let said: Value = serde_json::from_str(&said).context("tls-load says no JSON")?;
    let number = |name: &str| said[name].as_f64().unwrap_or(0.0);
    let (full, again) = (number("full"), number("resumed"));
    ensure!(number("failed") == 0.0, "{} connections failed", number("failed"));
    // The first connection of each client cannot be a resumed one.
    ensure!(!resumed || again > full, "tickets are not taken: {again} resumed, {full} full");
    Ok(Outcome {
        requests: (full + again) as usize,
        seconds: number("seconds"),
        p50_ms: number("p50_us") / 1e3,
        p99_ms: number("p99_us") / 1e3,
    })
}

fn pinned(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", LOAD_CORE]).arg(program);
    command
}

fn output_of(command: &mut Command) -> Result<String> {
    let output = command.output().context("cannot start taskset")?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {}", complaint.trim());
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::{Outcome, parse_h2load, parse_wrk};

    const WRK: &str = "Running 2s test @ http://127.0.0.1:1/k
  Latency Distribution
     50%  385.00us
     75%  500.00us
     99%    1.25ms
  12345 requests in 2.00s, 3.40MB read
Requests/sec:   6172.50";

    #[test]
    fn wrk_is_understood() {
        let outcome = Outcome { requests: 12345, seconds: 2.0, p50_ms: 0.385, p99_ms: 1.25 };
        assert_eq!(parse_wrk(WRK).unwrap(), outcome);
    }

    #[test]
    fn refused_requests_are_no_figure() {
        let said = format!("{WRK}\n  Non-2xx or 3xx responses: 7");
        assert_eq!(parse_wrk(&said).unwrap_err().to_string(), "wrk: Non-2xx or 3xx responses: 7");
    }

    #[test]
    fn h2load_is_understood() {
        let outcome = Outcome { requests: 2, seconds: 1.0, p50_ms: 3.0, p99_ms: 3.0 };
        assert_eq!(parse_h2load("1 200 1000\n2 200 3000\n", 1.0).unwrap(), outcome);
        assert!(parse_h2load("1 503 1000\n", 1.0).is_err());
    }
}
