//! `GET /readyz`: a line for each thing that is degraded, which is not unready.

use crate::{
    generation::Generation, listener::Term, plugin::Quarantine, reload::LastReload,
    telemetry::AccessLog, upstream::Upstream,
};

pub(super) fn of(generation: &Generation, last_reload: Option<&LastReload>) -> String {
    let mut body = "ready\n".to_owned();
    let mut degraded = |what: String| body.push_str(&format!("degraded: {what}\n"));
    if let Some(faults) = last_reload.and_then(|last| last.outcome.as_ref().err()) {
        degraded(format!("the last reload was refused\n{faults}"));
    }
    if generation.access_log.as_ref().is_some_and(AccessLog::is_failing) {
        degraded("the access log cannot be written".to_owned());
    }
    for upstream in generation.upstreams.values() {
        if let Some(lack) = lack(upstream) {
            degraded(format!("upstream `{}` has {lack}", upstream.name));
        }
    }
    for warning in generation.terms.iter().filter_map(Term::warning) {
        degraded(warning);
    }
    for plugin in generation.uses.iter().flat_map(|plugin| plugin.versions()) {
        if plugin.quarantine().is_some_and(Quarantine::is_active) {
            degraded(format!("plugin `{}` is in quarantine", plugin.name()));
        }
    }
    body
}

fn lack(upstream: &Upstream) -> Option<&'static str> {
    match (upstream.addresses().len(), upstream.resting().len()) {
        (0, _) => Some("no address"),
        (known, resting) => (known == resting).then_some("no address that takes connections"),
    }
}
