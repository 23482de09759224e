//! How far the trouble of one plugin goes.

use super::Spot;
use crate::config::{
    AbortOn, Canary, Isolation, Quarantine, Source,
    file::{AbortOnFile, CanaryFile, IsolationFile, PercentText, QuarantineFile},
    units,
};

pub(super) fn isolation(file: IsolationFile) -> Isolation {
    match file {
        IsolationFile::Shared => Isolation::Shared,
        IsolationFile::Request => Isolation::Request,
    }
}

pub(super) fn check_quarantine(spot: &Spot<'_>, file: &QuarantineFile) -> Option<Quarantine> {
    let QuarantineFile::Table(table) = file else { return None };
    let default = Quarantine::default();
    let retry = spot.duration("retry", table.retry.as_ref(), default.retry);
    let max_retry = match &table.max_retry {
        Some(_) => spot.duration("max_retry", table.max_retry.as_ref(), default.max_retry),
        None => default.max_retry.max(retry),
    };
    if max_retry < retry {
        spot.key("max_retry").fault("must be at least `retry`");
    }
    Some(Quarantine {
        traps: table.traps.unwrap_or(default.traps),
        window: spot.duration("window", table.window.as_ref(), default.window),
        retry,
        max_retry,
    })
}

/// `component`: the canary's, where it is one.
pub(super) fn check_canary(
    spot: &Spot<'_>,
    file: &CanaryFile,
    component: Option<Source>,
) -> Option<Canary> {
    let abort_on = file.abort_on.as_ref();
    let abort_on = abort_on.map(|abort_on| check_abort_on(&spot.key("abort_on"), abort_on));
    Some(Canary {
        component: component?,
        config: file.config.clone(),
        share: file.percent? / 100.0,
        abort_on: abort_on.unwrap_or_default(),
        shadow: file.shadow.unwrap_or(false),
        at: spot.at.clone(),
    })
}

fn check_abort_on(spot: &Spot<'_>, file: &AbortOnFile) -> AbortOn {
    let default = AbortOn::default();
    let errors = file.errors.as_ref();
    let errors = errors
        .and_then(|PercentText(text)| spot.key("errors").keep(units::percent(text)))
        .unwrap_or(default.errors);
    AbortOn {
        errors,
        window: spot.duration("window", file.window.as_ref(), default.window),
        min_calls: file.min_calls.unwrap_or(default.min_calls),
    }
}
