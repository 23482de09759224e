//! `POST /cache/purge`: takes responses out of the cache.

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use tokio::time::timeout;

use super::{
    Endpoints,
    access::{is_authorized, unauthorized},
    reply::{Reply, json, text},
};
use crate::cache::Purge;

/// Of the request: a tag or key, and words around it.
const MAX_BODY: usize = 16 * 1024;

/// For all of it to come.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

const USAGE: &str = "one of tag, key and all=true is needed, in the query or as JSON; \
    plugin names the use whose responses go, else those of all do\n";

/// What the request asks for, as JSON or in its query.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Wanted {
    tag: Option<String>,
    key: Option<String>,
    all: bool,
    plugin: Option<String>,
}

impl Endpoints {
    pub(super) async fn purge(&self, request: Request<Incoming>) -> Reply {
        if !is_authorized(&request, self.token.as_ref()) {
            return unauthorized();
        }
        let wanted = match Wanted::read(request).await {
            Ok(wanted) => wanted,
            Err(fault) => return text(StatusCode::BAD_REQUEST, format!("{fault}; {USAGE}")),
        };
        let Some(what) = wanted.what() else { return text(StatusCode::BAD_REQUEST, USAGE) };
        let purged = self.operated.shared.cache.purge(wanted.plugin.as_deref(), what);
        // One that has gone may have left responses.
        if let Some(name) = wanted.plugin.as_deref().filter(|name| purged == 0 && !self.has(name)) {
            let reason =
                format!("no use of a plugin is called {name:?}, and it has no responses\n");
            return text(StatusCode::NOT_FOUND, reason);
        }
        tracing::info!(%what, plugin = wanted.plugin, purged, "responses were purged");
        json(StatusCode::OK, &serde_json::json!({ "purged": purged }))
    }
}

impl Endpoints {
    /// Whether a use of the present configuration has the name.
    fn has(&self, name: &str) -> bool {
        self.operated.gateway.current().config.uses.iter().any(|plugin| plugin.name == name)
    }
}

impl Wanted {
    async fn read(request: Request<Incoming>) -> Result<Self, String> {
        if let Some(query) = request.uri().query().filter(|query| !query.is_empty()) {
            return Self::of_query(query);
        }
        let body = Limited::new(request.into_body(), MAX_BODY).collect();
        let body = timeout(BODY_TIMEOUT, body).await;
        let body = body.map_err(|_| "the body did not come in time".to_owned())?;
        let body = body.map_err(|error| error.to_string())?.to_bytes();
        if body.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_slice(&body)
            .map_err(|error| format!("the body is not as it has to be: {error}"))
    }

    fn of_query(query: &str) -> Result<Self, String> {
        let mut wanted = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').ok_or(format!("{pair:?} has no value"))?;
            let value = value.replace('+', " ");
            let value = percent_decode_str(&value).decode_utf8();
            let value =
                value.map_err(|_| format!("the value of {name:?} is not UTF-8"))?.into_owned();
            match name {
                "tag" => wanted.tag = Some(value),
                "key" => wanted.key = Some(value),
                "plugin" => wanted.plugin = Some(value),
                "all" => wanted.all = value == "true",
                other => return Err(format!("{other:?} is not known")),
            }
        }
        Ok(wanted)
    }

    fn what(&self) -> Option<Purge<'_>> {
        match (&self.tag, &self.key, self.all) {
            (Some(tag), None, false) if !tag.is_empty() => Some(Purge::Tag(tag)),
            (None, Some(key), false) => Some(Purge::Key(key)),
            (None, None, true) => Some(Purge::All),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_query(query: &str) -> String {
        let wanted = Wanted::of_query(query).unwrap_or_default();
        format!("{:?} {:?}", wanted.what(), wanted.plugin)
    }

    #[test]
    fn a_query_asks_for_one_thing() {
        assert_eq!(of_query("tag=a%26b+c&plugin=p"), "Some(Tag(\"a&b c\")) Some(\"p\")");
        assert_eq!(of_query("key=GET%20/"), "Some(Key(\"GET /\")) None");
        assert_eq!(of_query("all=true"), "Some(All) None");
        for query in ["", "tag", "tag=a&key=b", "tag=a&all=true", "all=1", "tga=a", "key=%ff"] {
            assert_eq!(of_query(query), "None None", "{query}");
        }
    }
}
