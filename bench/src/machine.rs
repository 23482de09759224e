//! The machine and the day, without which figures mean nothing.

use std::fs;
use std::process::Command;

use serde::Serialize;

#[derive(Serialize)]
pub(crate) struct Machine {
    date: String,
    processor: String,
    cores: usize,
    kernel: String,
    system: String,
    versions: Vec<String>,
}

impl Machine {
    pub(crate) fn describe(versions: Vec<String>) -> Self {
        Self {
            date: output_of("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
            processor: processor(),
            cores: cores(),
            kernel: output_of("uname", &["-sr"]),
            system: system(),
            versions,
        }
    }

    pub(crate) fn headline(&self) -> String {
        let Self { date, processor, cores, kernel, system, versions } = self;
        let versions = versions.join("; ");
        format!("{date}; {processor}, {cores} cores; {kernel}, {system}\n{versions}")
    }
}

pub(crate) fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find(|line| line.starts_with("model name"));
    let model = model.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim().to_owned());
    model.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn system() -> String {
    let text = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    name.map_or("Linux".to_owned(), |name| name.trim_matches('"').to_owned())
}

fn output_of(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_default()
}
