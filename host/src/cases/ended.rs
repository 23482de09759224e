//! How an exchange ended, as the hook for the end is told it: by what came of the step, and as the
//! case states it.

use super::{
    file::{OutcomeIn, Step},
    message,
    sent::Message,
};
use crate::plugin::Outcome;

/// How an exchange ended of which nothing is known.
pub(super) fn unknown() -> Outcome {
    Outcome {
        status: 200,
        duration_us: 0,
        request_bytes: 0,
        response_bytes: 0,
        upstream: None,
        error: None,
    }
}

/// What came of a step; `upstream` is the one that the plugin chose.
pub(super) fn outcome(
    step: &Step,
    response: Option<&Message>,
    upstream: Option<String>,
    failures: &[String],
) -> Outcome {
    let came = Outcome {
        status: response.map_or(200, |response| response.status),
        request_bytes: step
            .request
            .as_ref()
            .map_or(0, |request| message::length(&request.content, &request.delivery)),
        response_bytes: response.map_or(0, |response| response.body.length()),
        upstream,
        error: failures.first().cloned(),
        ..unknown()
    };
    match &step.outcome {
        Some(stated) => instead(came, stated.clone()),
        None => came,
    }
}

fn instead(came: Outcome, stated: OutcomeIn) -> Outcome {
    let duration = stated.duration.map_or(0, |duration| duration.0.as_micros());
    Outcome {
        status: stated.status.unwrap_or(came.status),
        duration_us: u64::try_from(duration).unwrap_or(u64::MAX),
        request_bytes: stated.request_bytes.unwrap_or(came.request_bytes),
        response_bytes: stated.response_bytes.unwrap_or(came.response_bytes),
        upstream: stated.upstream.or(came.upstream),
        error: stated.error.or(came.error),
    }
}
