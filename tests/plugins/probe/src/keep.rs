//! Steps with what outlives an exchange: stores, the cache, metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use tollgate_plugin::store::{Store, StoreError};
use tollgate_plugin::{Config, Error, Request, Response, Verdict, cache, http, telemetry};

use crate::config::{Call, Reply};
use crate::message::Message;

/// A call of a store's function. In `key` and `value`, `$NAME` stands for the request's header.
#[derive(Config)]
pub(crate) struct StoreStep {
    pub(crate) call: StoreCall,
    /// Without it the store that was granted first.
    pub(crate) store: Option<String>,
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) value: String,
    #[serde(default)]
    pub(crate) by: i64,
    pub(crate) ttl_ms: Option<u64>,
}

#[derive(Clone, Copy, Config)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoreCall {
    Get,
    Set,
    Add,
    Delete,
    Increment,
}

/// A call of the cache's functions. In `key` and `tags`, `$NAME` stands for the request's header.
#[derive(Config)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CacheStep {
    /// Report `hit METADATA` or `miss`.
    Get(String),
    /// Report the age of what is stored in milliseconds, or `miss`.
    Age(String),
    /// Answer with what is stored, or report `miss`.
    Answer(String),
    /// Store the response.
    Put(Put),
    /// Answer with a response that is stored on its way.
    PutAnswer(PutAnswer),
    Delete(String),
    Purge(String),
    /// Report the body of what is stored.
    Body(String),
    /// Take so many entries and keep none.
    Hoard(String, u32),
}

#[derive(Config)]
pub(crate) struct Put {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) metadata: String,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    #[serde(default = "hour")]
    pub(crate) ttl_ms: u64,
}

#[derive(Config)]
pub(crate) struct PutAnswer {
    pub(crate) put: Put,
    /// One's own, or that of a call.
    pub(crate) reply: Option<Reply>,
    pub(crate) call: Option<Call>,
}

/// What to tell the operator.
#[derive(Config)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TellStep {
    /// Metric, labels (`$NAME`: the request's header) and by how much.
    Count(String, BTreeMap<String, String>, u64),
    /// Metric, labels and value.
    Observe(String, BTreeMap<String, String>, f64),
    /// So many lines with this text.
    Lines(u32, String),
}

pub(crate) fn store(step: &StoreStep, request: &Request) -> String {
    let store = step.store.as_deref().map_or_else(Store::granted, Store::named);
    let (key, value) = (filled(&step.key, request), filled(&step.value, request));
    let ttl = step.ttl_ms.map(Duration::from_millis);
    let done = match step.call {
        StoreCall::Get => store.get(&key).map(|value| match value {
            Some(value) => String::from_utf8_lossy(&value).into_owned(),
            None => "none".to_owned(),
        }),
        StoreCall::Set => store.set(&key, value.as_bytes(), ttl).map(|()| "set".to_owned()),
        StoreCall::Add => store.add(&key, value.as_bytes(), ttl).map(|added| added.to_string()),
        StoreCall::Delete => store.delete(&key).map(|()| "deleted".to_owned()),
        StoreCall::Increment => store.increment(&key, step.by, ttl).map(|sum| sum.to_string()),
    };
    done.unwrap_or_else(|error| match error {
        StoreError::NotGranted => "not-granted".to_owned(),
        StoreError::Unavailable(_) => "unavailable".to_owned(),
        StoreError::TooLarge(limit) => format!("too-large {limit}"),
    })
}

pub(crate) fn cache(step: &CacheStep, message: &mut Message<'_>) -> Result<String, Error> {
    Ok(match step {
        CacheStep::Get(key) => match cache::get(&filled(key, message.request())) {
            Some(entry) => format!("hit {}", entry.metadata()),
            None => "miss".to_owned(),
        },
        CacheStep::Age(key) => match cache::get(&filled(key, message.request())) {
            Some(entry) => entry.age().as_millis().to_string(),
            None => "miss".to_owned(),
        },
        CacheStep::Body(key) => match cache::get(&filled(key, message.request())) {
            Some(entry) => crate::message::shown(&entry.response().body()),
            None => "miss".to_owned(),
        },
        CacheStep::Put(put) => match message {
            Message::Request(_) => return Err(Error::new("there is no response yet")),
            Message::Response(request, response) => {
                put.put(request, response);
                "put".to_owned()
            }
        },
        CacheStep::Delete(key) => cache::delete(&filled(key, message.request())).to_string(),
        CacheStep::Purge(tag) => cache::purge(&filled(tag, message.request())).to_string(),
        CacheStep::Hoard(key, count) => {
            let key = filled(key, message.request());
            let entries: Vec<_> = (0..*count).filter_map(|_| cache::get(&key)).collect();
            entries.len().to_string()
        }
        CacheStep::Answer(_) | CacheStep::PutAnswer(_) => {
            return Err(Error::new("a response cannot be answered"));
        }
    })
}

/// The steps that can end the way of a request; `Err` holds what the others are to report.
pub(crate) fn answer(
    step: &CacheStep,
    request: &Request,
) -> Result<Option<Result<Verdict, String>>, Error> {
    Ok(match step {
        CacheStep::Answer(key) => Some(match cache::get(&filled(key, request)) {
            Some(entry) => Ok(Verdict::Respond(entry.response())),
            None => Err("miss".to_owned()),
        }),
        CacheStep::PutAnswer(step) => {
            let response = match (&step.reply, &step.call) {
                (Some(reply), _) => crate::response(reply)?,
                (None, Some(call)) => http::Call::get(&call.upstream, &call.target).send()?,
                (None, None) => return Err(Error::new("put_answer: reply or call is needed")),
            };
            step.put.put(request, &response);
            Some(Ok(Verdict::Respond(response)))
        }
        _ => None,
    })
}

pub(crate) fn tell(step: &TellStep, request: &Request) {
    let filled_in = |labels: &BTreeMap<String, String>| {
        let filled = labels.iter().map(|(name, value)| (name.clone(), filled(value, request)));
        filled.collect::<Vec<_>>()
    };
    match step {
        TellStep::Count(metric, labels, by) => {
            telemetry::count(metric, &borrowed(&filled_in(labels)), *by);
        }
        TellStep::Observe(metric, labels, value) => {
            telemetry::observe(metric, &borrowed(&filled_in(labels)), *value);
        }
        TellStep::Lines(count, text) => {
            for _ in 0..*count {
                telemetry::log(telemetry::Level::Info, text, &[]);
            }
        }
    }
}

impl Put {
    fn put(&self, request: &Request, response: &Response) {
        let tags: Vec<_> = self.tags.iter().map(|tag| filled(tag, request)).collect();
        let ttl = Duration::from_millis(self.ttl_ms);
        cache::put(&filled(&self.key, request), &self.metadata, &tags, ttl, response);
    }
}

fn borrowed(labels: &[(String, String)]) -> Vec<(&str, &str)> {
    labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn filled(text: &str, request: &Request) -> String {
    match text.strip_prefix('$') {
        Some(name) => request.header(name).unwrap_or_default(),
        None => text.to_owned(),
    }
}

fn hour() -> u64 {
    3_600_000
}
