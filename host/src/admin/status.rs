//! `GET /status`: what runs, as JSON.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};

use crate::{
    chain::Link,
    config::Isolation,
    generation::{End, Generation, Route},
    plugin::{Canary, Quarantine, Service, Use},
    reload::LastReload,
    upstream::Upstream,
};

pub(super) fn of(
    generation: &Generation,
    last_reload: Option<&LastReload>,
    draining: bool,
    uptime: Duration,
) -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": uptime.as_secs(),
        "draining": draining,
        "generation": generation.number,
        "generation_since": seconds(generation.since),
        "last_reload": last_reload.map(reload),
        "routes": generation.router.iter().map(|(_, r)| route(r)).collect::<Vec<_>>(),
        "plugins": generation.uses.iter().map(|p| plugin(p)).collect::<Vec<_>>(),
        "components": generation.services.iter().map(|s| service(s)).collect::<Vec<_>>(),
        "upstreams": by_name(generation).map(upstream).collect::<Vec<_>>(),
    })
}

fn reload(last: &LastReload) -> Value {
    let result = if last.outcome.is_ok() { "success" } else { "failure" };
    let faults = last.outcome.as_ref().err();
    json!({
        "at": seconds(last.at),
        "by": last.by,
        "result": result,
        "faults": faults.map(|faults| faults.lines().collect::<Vec<_>>()),
    })
}

fn route(route: &Route) -> Value {
    let plugins: Vec<_> = route.chain.links().iter().map(Link::name).collect();
    let end = match &route.end {
        End::Forward { upstream, .. } => json!({ "upstream": &*upstream.name }),
        End::Component(service) => json!({ "component": service.name() }),
        End::Nothing => json!("plugins"),
        End::Redirect { status, .. } => json!({ "redirect": status.as_u16() }),
        End::Respond { status, .. } => json!({ "respond": status.as_u16() }),
    };
    json!({ "name": route.name, "plugins": plugins, "end": end })
}

fn plugin(plugin: &Use) -> Value {
    let manifest = &plugin.component.manifest;
    let errors = plugin.errors();
    json!({
        "name": plugin.name(),
        "plugin": manifest.name,
        "version": manifest.version,
        "source": plugin.origin.source.to_string(),
        "artifact": plugin.origin.artifact,
        "digest": plugin.component.digest.to_string(),
        "bytes": plugin.component.size,
        "on_error": plugin.on_error.as_str(),
        "isolation": isolation(plugin),
        "quarantine": plugin.quarantine().map(quarantine),
        "canary": plugin.canary().map(canary),
        "instances": plugin.instances(),
        "errors": errors.iter().map(|(_, count)| count).sum::<u64>(),
        "errors_by_kind": errors.into_iter().collect::<BTreeMap<_, _>>(),
    })
}

fn service(service: &Service) -> Value {
    json!({
        "name": service.name(),
        "world": service.component.world.to_string(),
        "source": service.origin.source.to_string(),
        "artifact": service.origin.artifact,
        "digest": service.component.digest.to_string(),
        "bytes": service.component.size,
        "instances": service.instances(),
        "errors": service.errors(),
    })
}

/// With `request`: where fresh instances come from, and why not from a snapshot.
fn isolation(plugin: &Use) -> Value {
    match plugin.isolation() {
        (Isolation::Shared, _) => json!({ "mode": Isolation::Shared.as_str() }),
        (mode, None) => json!({ "mode": mode.as_str(), "from": "snapshot" }),
        (mode, Some(reason)) => json!({
            "mode": mode.as_str(),
            "from": "configure",
            "reason": reason.to_string(),
        }),
    }
}

fn canary(canary: &Canary) -> Value {
    let (hooks, errors, aborted) = canary.record().figures();
    let mut status = plugin(&canary.version);
    status["percent"] = json!(canary.config().share * 100.0);
    status["shadow"] = json!(canary.config().shadow);
    status["hooks"] = json!(hooks);
    status["failed_hooks"] = json!(errors);
    status["aborted"] = json!(aborted.map(|aborted| json!({
        "at": seconds(aborted.at),
        "hooks": aborted.calls,
        "failed_hooks": aborted.errors,
    })));
    status
}

fn quarantine(quarantine: &Quarantine) -> Value {
    match quarantine.status() {
        None => json!({ "active": false }),
        Some(term) => json!({
            "active": true,
            "lasts_ms": millis(term.lasts),
            "tries": term.tries,
            "next_try_ms": millis(term.next_try),
        }),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The same order each time.
fn by_name(generation: &Generation) -> impl Iterator<Item = &Upstream> {
    let upstreams: BTreeMap<_, _> = generation.upstreams.iter().collect();
    upstreams.into_values().map(|upstream| &**upstream)
}

fn upstream(upstream: &Upstream) -> Value {
    let texts = |addresses: Vec<SocketAddr>| -> Vec<_> {
        addresses.iter().map(ToString::to_string).collect()
    };
    json!({
        "name": &*upstream.name,
        "addresses": texts(upstream.addresses()),
        "resting": texts(upstream.resting()),
    })
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
