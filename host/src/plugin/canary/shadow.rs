//! A canary that only watches: it has its request hook on a copy of the exchange, beside the
//! exchange, and what it would have done is compared with what was done.

use std::{
    collections::BTreeSet,
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::{Canary, SHADOW_TIMEOUT};
use crate::{
    clock::Coarse,
    exchange::Exchange,
    plugin::{HookError, Verdict},
    worker,
};

/// Shadows of one use that run at a time; an exchange beyond has none.
const MAX_RUNNING: usize = 64;

/// An exchange's copy that waits for the use's own hook to be done.
pub(crate) struct Shadow {
    place: Place,
    copy: Exchange,
}

/// One of the places of a canary's shadows.
struct Place(Arc<Canary>);

/// What a request hook has made of an exchange.
pub(crate) struct Seen {
    answer: Answer,
    method: Method,
    target: String,
    upstream: Option<String>,
    headers: HeaderMap,
    attributes: Vec<(String, String)>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Answer {
    Next,
    Respond(StatusCode),
    Failed(&'static str),
}

/// When differences were last logged, and how many were not since.
#[derive(Default)]
pub(super) struct Lines {
    second: u64,
    left_out: u64,
}

impl Shadow {
    pub(super) fn of(canary: &Arc<Canary>, exchange: &Exchange) -> Option<Self> {
        if canary.running.fetch_add(1, Relaxed) >= MAX_RUNNING {
            canary.running.fetch_sub(1, Relaxed);
            canary.result("skipped");
            return None;
        }
        Some(Self { place: Place(Arc::clone(canary)), copy: exchange.copy() })
    }

    /// Runs the canary beside the exchange, and compares. Nobody waits for it.
    pub(crate) fn compare(self, done: Seen) {
        worker::spawn(async move { self.place.0.watch(self.copy, &done).await });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Relaxed);
    }
}

impl Canary {
    async fn watch(&self, mut copy: Exchange, done: &Seen) {
        copy.deadline = Instant::now() + SHADOW_TIMEOUT;
        let version = &self.version;
        let (copy, verdict) = match version.wants_request() {
            true => version.on_request(copy).await,
            false => (copy, Ok(Verdict::Next)),
        };
        self.record.note_verdict(&verdict);
        if copy.held_back {
            return self.result("inconclusive");
        }
        let differences = done.differences(&Seen::of(&copy, &verdict));
        if differences.is_empty() {
            return self.result("same");
        }
        self.result("different");
        self.log(&copy, &differences);
    }

    fn result(&self, result: &str) {
        self.results.with_label_values(&[self.record.plugin.as_str(), result]).inc();
    }

    /// At most one line a second.
    fn log(&self, copy: &Exchange, differences: &[String]) {
        let second = Coarse::now().as_millis() / 1000 + 1;
        let left_out = {
            let mut lines = self.lines.lock();
            if lines.second == second {
                lines.left_out += 1;
                return;
            }
            lines.second = second;
            std::mem::take(&mut lines.left_out)
        };
        tracing::warn!(
            request_id = copy.id(),
            route = copy.route_name(),
            plugin = self.record.plugin,
            differences = differences.join("; "),
            left_out,
            "a shadow would have done otherwise"
        );
    }
}

impl Seen {
    pub(crate) fn of(exchange: &Exchange, verdict: &Result<Verdict, HookError>) -> Self {
        let target = exchange.target.as_ref().map(|target| target.as_str().to_owned());
        Self {
            answer: match verdict {
                Ok(Verdict::Next) => Answer::Next,
                Ok(Verdict::Respond(response)) => Answer::Respond(response.status()),
                Err(error) => Answer::Failed(error.kind()),
            },
            method: exchange.request.method.clone(),
            target: target.unwrap_or_else(|| exchange.request.uri.to_string()),
            upstream: exchange.upstream.clone(),
            headers: exchange.request.headers.clone(),
            attributes: exchange.attributes(),
        }
    }

    /// What `other` would have done otherwise. Names of fields and attributes, not their values:
    /// those may be secrets.
    fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if self.answer != other.answer {
            found.push(format!("verdict {} instead of {}", other.answer, self.answer));
        }
        // What becomes of a request that goes nowhere is no matter.
        if !matches!((self.answer, other.answer), (Answer::Next, Answer::Next)) {
            return found;
        }
        let parts = [
            ("method", self.method != other.method),
            ("target", self.target != other.target),
            ("upstream", self.upstream != other.upstream),
        ];
        let parts = parts.into_iter().filter(|(_, differs)| *differs);
        found.extend(parts.map(|(name, _)| name.to_owned()));
        let names = self.headers.keys().chain(other.headers.keys()).map(HeaderName::as_str);
        let names: BTreeSet<_> = names.collect();
        let differs = |name: &&str| lines(&self.headers, name) != lines(&other.headers, name);
        found.extend(names.into_iter().filter(differs).map(|name| format!("header {name}")));
        found.extend(self.differing_attributes(other));
        found
    }

    fn differing_attributes(&self, other: &Self) -> BTreeSet<String> {
        let only_in = |these: &[(String, String)], those: &[(String, String)]| -> Vec<String> {
            let alone = these.iter().filter(|attribute| !those.contains(attribute));
            alone.map(|(name, _)| format!("attribute {name}")).collect()
        };
        let mut differing: BTreeSet<_> =
            only_in(&self.attributes, &other.attributes).into_iter().collect();
        differing.extend(only_in(&other.attributes, &self.attributes));
        differing
    }
}

fn lines<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h HeaderValue> {
    headers.get_all(name).iter().collect()
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Next => write!(f, "next"),
            Self::Respond(status) => write!(f, "respond {}", status.as_u16()),
            Self::Failed(kind) => write!(f, "failed ({kind})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(answer: Answer, headers: &[(&'static str, &'static str)]) -> Seen {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Seen {
            answer,
            method: Method::GET,
            target: "/".into(),
            upstream: None,
            headers: headers.collect(),
            attributes: Vec::new(),
        }
    }

    #[test]
    fn differences_name_what_differs_and_show_no_values() {
        let done = seen(Answer::Next, &[("a", "1"), ("b", "secret")]);
        assert!(done.differences(&seen(Answer::Next, &[("b", "secret"), ("a", "1")])).is_empty());
        let mut other = seen(Answer::Next, &[("b", "other"), ("c", "3"), ("a", "1")]);
        other.target = "/x".into();
        other.attributes = vec![("auth.subject".into(), "x".into())];
        let differences = done.differences(&other);
        assert_eq!(differences, ["target", "header b", "header c", "attribute auth.subject"]);
    }

    #[test]
    fn another_verdict_is_the_one_difference_that_counts() {
        let done = seen(Answer::Next, &[("a", "1")]);
        let other = seen(Answer::Respond(StatusCode::UNAUTHORIZED), &[]);
        assert_eq!(done.differences(&other), ["verdict respond 401 instead of next"]);
    }
}
