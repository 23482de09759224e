//! What a plugin says of its configuration, told where it stands in the file.

use super::build::fault;
use crate::{
    config::{self, Config, Fault, PluginConfigFaults, Pointer, Step},
    plugin::HookError,
};

/// Lines of one plugin's refusal that are shown.
const MAX_REASONS: usize = 20;

/// A plugin that says several lines has found several faults.
pub(super) fn refusal(config: &Config, plugin: &config::Use, error: &HookError) -> Vec<Fault> {
    let name = &plugin.name;
    let HookError::Failed(text) = error else {
        let reason = format!("plugin `{name}` refuses its configuration: {error}");
        return vec![fault(config, &plugin.config_at, reason)];
    };
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut lines: Vec<_> = lines.take(MAX_REASONS).collect();
    if lines.is_empty() {
        lines.push("it does not say why");
    }
    let told = lines.into_iter().map(|line| {
        let (at, line) = placed(config, plugin, line);
        fault(config, &at, format!("plugin `{name}` refuses its configuration: it said: {line}"))
    });
    told.collect()
}

/// What the schema has told, and what the plugin says beside it: not of the same value again, nor of
/// the whole that it is in.
pub(super) fn together(
    config: &Config,
    told: PluginConfigFaults,
    refused: Vec<Fault>,
) -> Vec<Fault> {
    let PluginConfigFaults { mut shape, names } = told;
    let is_news = |fault: &Fault| {
        // A key that is too much is told at the key.
        let key = config.document.key_place(&fault.at);
        !shape.iter().any(|told| told.is_within(&fault.at) || told.place == key)
    };
    let mut faults: Vec<_> = refused.into_iter().filter(is_news).collect();
    faults.append(&mut shape);
    faults.extend(names);
    config::sort_faults(&mut faults);
    faults
}

/// Plugins write `limits[0].cost: must be at least 1`. Where the configuration has such a value, it
/// is the place of the fault; `limits[0]` if only that is there.
fn placed<'l>(config: &Config, plugin: &config::Use, line: &'l str) -> (Pointer, &'l str) {
    let whole = || (plugin.config_at.clone(), line);
    if !config.document.has(&plugin.config_at) || plugin.config_at == plugin.at {
        return whole();
    }
    let Some((path, reason)) = line.split_once(": ") else { return whole() };
    let Some(steps) = steps(path) else { return whole() };
    let mut at = plugin.config_at.clone();
    for (position, step) in steps.iter().enumerate() {
        let next = at.join(step.clone());
        if !config.document.has(&next) {
            // The line keeps its words where they say more than the place does.
            return if position == 0 { whole() } else { (at, line) };
        }
        at = next;
    }
    (at, reason)
}

/// The way that `limits[0].cost` is; `None` for what is none.
fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let (key, indices) = part.split_once('[').map_or((part, None), |(k, i)| (k, Some(i)));
        if key.is_empty() || key.contains(char::is_whitespace) {
            return None;
        }
        steps.push(Step::Key(key.to_owned()));
        let Some(indices) = indices else { continue };
        for index in indices.strip_suffix(']')?.split("][") {
            steps.push(Step::Index(index.parse().ok()?));
        }
    }
    Some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: Option<&str>) {
        let pointer = steps(path).map(|steps| steps.into_iter().collect::<Pointer>().to_string());
        assert_eq!(pointer.as_deref(), expected, "{path:?}");
    }

    #[test]
    fn a_way_is_read_as_plugins_write_it() {
        for way in ["keys", "limits[0].cost", "a.b-c[1][2].d_e"] {
            check(way, Some(way));
        }
        for none in ["", "a b", "it said", "a[", "a[x]", "a[1", ".a"] {
            check(none, None);
        }
    }
}
