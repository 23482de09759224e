//! Fields and bodies as a case states them.

use base64::Engine as _;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE},
};

use super::file::{Content, Headers};
use crate::config::{Faults, Pointer};

/// What is wrong with stated fields and bodies is found by [`check`], before anything runs.
pub(super) fn read(headers: &Headers, content: &Content) -> (HeaderMap, Bytes) {
    let mut map = HeaderMap::new();
    for (name, lines) in headers {
        for line in lines.as_slice() {
            if let (Ok(name), Ok(value)) = (parse_name(name), parse_value(line)) {
                map.append(name, value);
            }
        }
    }
    let body = body(content);
    if content.json.is_some() {
        map.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    }
    if !body.is_empty() {
        map.entry(CONTENT_LENGTH).or_insert(body.len().into());
    }
    (map, body)
}

pub(super) fn status(status: Option<u16>) -> StatusCode {
    status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::OK)
}

/// Finds what HTTP does not allow, and bodies that are stated twice.
pub(super) fn check(faults: &Faults<'_>, at: &Pointer, headers: &Headers, content: &Content) {
    for (name, lines) in headers {
        let at = at.key("headers").key(name);
        faults.keep(&at, parse_name(name));
        for line in lines.as_slice() {
            faults.keep(&at, parse_value(line));
        }
    }
    let stated = [
        ("body", content.body.is_some()),
        ("json", content.json.is_some()),
        ("base64", content.base64.is_some()),
    ];
    let mut stated = stated.into_iter().filter(|(_, is_stated)| *is_stated).map(|(key, _)| key);
    if let (Some(first), Some(second)) = (stated.next(), stated.next()) {
        faults.push(&at.key(second), format!("cannot stand beside `{first}`"));
    }
    if let Some(text) = &content.base64 {
        faults.keep(&at.key("base64"), decode(text).map_err(|_| "must be base64"));
    }
}

/// The names of fields, with `-` and in small letters or not.
pub(super) fn parse_name(name: &str) -> Result<HeaderName, &'static str> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| "is not the name of a header field")
}

fn parse_value(value: &str) -> Result<HeaderValue, &'static str> {
    HeaderValue::from_str(value).map_err(|_| "is not the value of a header field")
}

fn body(content: &Content) -> Bytes {
    if let Some(text) = &content.body {
        return text.clone().into();
    }
    if let Some(value) = &content.json {
        return value.to_string().into();
    }
    let bytes = content.base64.as_deref().and_then(|text| decode(text).ok());
    bytes.unwrap_or_default().into()
}

fn decode(text: &str) -> Result<Vec<u8>, base64::DecodeError> {
    base64::engine::general_purpose::STANDARD.decode(text)
}
