//! `tollgate plugin bench`.

use std::{iter, path::PathBuf};

use serde_json::{Value, json};

use super::{
    CacheArgument, Outcome, load,
    piped_file::{self, PipedFile},
    print,
};
use crate::{
    cases::{self, Costs, Spread, Subject},
    config::UseLimits,
    plugin::Component,
};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The component: a file, or `-` for standard input
    file: PathBuf,
    /// The plugin's configuration, a YAML or JSON file or `-` [default: an empty one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The request that the hooks see: method, path and query
    #[arg(long, value_name = "REQUEST", default_value = "GET /", value_parser = request)]
    request: (String, String),
    /// A header field of the request, as `name: value`; may be repeated
    #[arg(short = 'H', long = "header", value_name = "FIELD", value_parser = field)]
    headers: Vec<(String, String)>,
    /// The request's body, which its chunk hook is shown in one piece [default: none, and 16 KiB
    /// for the chunk hook]
    #[arg(long, value_name = "TEXT")]
    body: Option<String>,
    /// The same of the response
    #[arg(long, value_name = "TEXT")]
    response_body: Option<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Arguments {
    pub(super) fn run(self) -> Outcome {
        let (method, target) = self.request;
        let file = PipedFile::component(self.file)?;
        let config = self.config.map(PipedFile::config).transpose()?;
        let subject = Subject {
            component: file.path().to_owned(),
            config: config.as_ref().map(|config| config.path().to_owned()),
            method,
            target,
            headers: self.headers,
            body: self.body,
            response_body: self.response_body,
        };
        let as_given = |message| piped_file::as_given(message, iter::once(&file).chain(&config));
        let costs = cases::measure(&subject).map_err(as_given)?;
        let component = load(&subject.component, CacheArgument::none())?;
        let told = if self.json {
            format!("{:#}\n", as_json(&component, &costs))
        } else {
            as_text(&component, &costs)
        };
        print(&told)
    }
}

fn as_text(component: &Component, costs: &Costs) -> String {
    let mut text = format!(
        "{} {}: {} bytes, compiled in {} ms, {} KiB of memory in an instance\n\n",
        component.manifest.name,
        component.manifest.version,
        component.size,
        costs.compile.as_millis(),
        costs.memory / 1024,
    );
    text.push_str(&format!(
        "{:<18} {:>12} {:>12} {:>12} {:>12}\n",
        "hook, us", "warm p50", "warm p99", "fresh p50", "fresh p99"
    ));
    #[expect(clippy::cast_precision_loss, reason = "nanoseconds of one call, for people")]
    let us = |ns: u64| format!("{:.2}", ns as f64 / 1000.0);
    for cost in &costs.hooks {
        let columns = [cost.warm.p50, cost.warm.p99, cost.fresh.p50, cost.fresh.p99].map(us);
        let [warm50, warm99, fresh50, fresh99] = columns;
        text.push_str(&format!(
            "{:<18} {warm50:>12} {warm99:>12} {fresh50:>12} {fresh99:>12}\n",
            cost.hook
        ));
    }
    for cost in &costs.hooks {
        if let Some(bytes) = cost.chunk {
            text.push_str(&format!("{}: a chunk of {bytes} bytes\n", cost.hook));
        }
    }
    let cpu = UseLimits::default().cpu;
    for cost in costs.hooks.iter().filter(|cost| u128::from(cost.warm.p99) > cpu.as_nanos()) {
        text.push_str(&format!(
            "{}: now and then longer than {cpu:?}; a hook that works so long, and does not only wait, needs `limits: {{ cpu: .. }}` of its use\n",
            cost.hook
        ));
    }
    if costs.hooks.is_empty() {
        text.push_str("this configuration wants no hook\n");
    }
    text
}

fn as_json(component: &Component, costs: &Costs) -> Value {
    let spread = |spread: Spread| json!({ "calls": spread.calls, "p50_ns": spread.p50, "p99_ns": spread.p99 });
    let hooks = costs.hooks.iter().map(|cost| {
        let mut told =
            json!({ "hook": cost.hook, "warm": spread(cost.warm), "fresh": spread(cost.fresh) });
        if let Some(bytes) = cost.chunk {
            told["chunk_bytes"] = bytes.into();
        }
        told
    });
    json!({
        "name": component.manifest.name,
        "version": component.manifest.version,
        "digest": component.digest.to_string(),
        "bytes": component.size,
        "compile_ms": u64::try_from(costs.compile.as_millis()).unwrap_or(u64::MAX),
        "instance_memory_bytes": costs.memory,
        "hooks": hooks.collect::<Vec<_>>(),
    })
}

fn request(text: &str) -> Result<(String, String), String> {
    let (method, target) = text.split_once(' ').ok_or("a request is `GET /path`")?;
    Ok((method.to_owned(), target.trim().to_owned()))
}

fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("a header field is `name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
