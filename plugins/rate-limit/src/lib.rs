//! Limits how often a client may ask.

mod config;
mod key;
mod rate;
#[cfg(test)]
mod tests;

use std::fmt::Write as _;

use tollgate_plugin::limits::{self, Decision, Quota};
use tollgate_plugin::{
    Error, Phases, Plugin, Problem, Request, Response, Verdict, log, plugin, telemetry,
};

use crate::config::{Limit, Missing, OnStoreError};

/// The limits with what never changes about them worked out.
struct RateLimit {
    config: config::RateLimit,
    limits: Vec<Quota>,
    /// One for each limit: the counts of limits that differ must not meet in the store.
    buckets: Vec<String>,
    /// `RateLimit-Policy`.
    policy: String,
    /// The attribute that takes `RateLimit` from the request's hook to the response's.
    attribute: String,
}

#[plugin(schema = "config.schema.json")]
impl Plugin for RateLimit {
    type Config = config::RateLimit;

    fn new(config: config::RateLimit) -> Result<Self, Error> {
        Error::if_any(&config.faults())?;
        let quota = |limit: &Limit| Quota {
            limit: limit.limit.count,
            window_ms: limit.limit.window_ms,
            burst: limit.burst,
        };
        let bucket =
            |limit: &Limit| format!("{} {} {}", limit.label(), limit.limit.text, limit.key.text);
        let buckets: Vec<String> = config.limits.iter().map(bucket).collect();
        let policies: Vec<String> = config.limits.iter().map(policy).collect();
        Ok(Self {
            limits: config.limits.iter().map(quota).collect(),
            policy: policies.join(", "),
            attribute: format!("rate-limit.{}", buckets.join(", ")),
            buckets,
            config,
        })
    }

    fn phases(&self) -> Phases {
        Phases::REQUEST.and_if(self.config.headers, Phases::RESPONSE)
    }

    fn on_request(&self, request: &mut Request) -> Result<Verdict, Error> {
        let mut left = String::new();
        let mut verdict = Verdict::Next;
        for (i, limit) in self.config.limits.iter().enumerate() {
            let key = match limit.key.of(request, self.config.ipv6_prefix) {
                Some(key) => key,
                None => match limit.missing {
                    // No alternative is written like this.
                    Missing::Shared => "-".to_owned(),
                    Missing::Skip => continue,
                    Missing::Reject if self.config.dry_run => {
                        refused(limit, "missing key", true);
                        continue;
                    }
                    Missing::Reject => {
                        refused(limit, "missing key", false);
                        return Ok(Verdict::forbidden("The request has nothing to count it by"));
                    }
                },
            };
            let decision = match limits::take(&self.buckets[i], &key, self.limits[i], limit.cost) {
                Ok(decision) => decision,
                Err(error) => {
                    log!(Error, "{error}"; "limit" => limit.label());
                    match self.config.on_store_error {
                        OnStoreError::Allow => continue,
                        OnStoreError::Deny if self.config.dry_run => continue,
                        OnStoreError::Deny => return Ok(unavailable()),
                    }
                }
            };
            if self.config.headers {
                write_left(&mut left, limit, decision);
            }
            if !decision.allowed {
                refused(limit, "limit reached", self.config.dry_run);
                if !self.config.dry_run {
                    verdict = Verdict::too_many_requests(decision.retry_after_ms);
                    break;
                }
            }
        }
        if !left.is_empty() {
            request.set_attribute(&self.attribute, &left);
        }
        Ok(verdict)
    }

    fn on_response(&self, request: &mut Request, response: &mut Response) -> Result<(), Error> {
        if let Some(left) = request.attribute(&self.attribute) {
            response.append_header("ratelimit-policy", &self.policy)?;
            response.append_header("ratelimit", &left)?;
        }
        Ok(())
    }
}

/// A limit as `RateLimit-Policy` has it: `"100/min";q=100;w=60`.
fn policy(limit: &Limit) -> String {
    format!("\"{}\";q={};w={}", limit.label(), limit.limit.count, limit.limit.window_ms / 1000)
}

/// What is left, as `RateLimit` has it: `"100/min";r=99;t=1`.
fn write_left(left: &mut String, limit: &Limit, decision: Decision) {
    if !left.is_empty() {
        left.push_str(", ");
    }
    let reset = decision.reset_after_ms.div_ceil(1000);
    write!(left, "\"{}\";r={};t={reset}", limit.label(), decision.remaining)
        .expect("a string takes all that is written");
}

/// Counts a refusal, or one that there would have been.
fn refused(limit: &Limit, why: &str, dry_run: bool) {
    if dry_run {
        telemetry::count("dry_run_refusals", &[], 1);
        log!(Info, "would have been refused: {why}"; "limit" => limit.label());
    } else {
        telemetry::count("refusals", &[], 1);
    }
}

/// The counts are out of reach, and the configuration says that nobody gets in uncounted.
fn unavailable() -> Verdict {
    Problem::new(503, "overloaded", "The service is overloaded").header("retry-after", "1").into()
}
