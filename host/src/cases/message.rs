//! Fields and bodies as a case states them.

use base64::Engine as _;
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};

use super::{
    file::{CodingIn, Content, Delivery, Headers},
    pieces,
};
use crate::{
    body::Body,
    coding::{Coding, Encoded},
    config::{Faults, Pointer},
};

/// What is wrong with stated fields and bodies is found by [`check`], before anything runs.
pub(super) fn read(headers: &Headers, content: &Content) -> (HeaderMap, Bytes) {
    let body = body(content);
    (head(headers, content, body.len()), body)
}

/// As [`read`], the body as it is delivered.
pub(super) fn delivered(
    headers: &Headers,
    content: &Content,
    delivery: &Delivery,
) -> (HeaderMap, Body) {
    let pieces = cut(content, delivery);
    let mut head = head(headers, content, pieces.iter().map(Bytes::len).sum());
    let mut body = pieces::body(pieces);
    if let Some(coding) = delivery.coding.map(coding) {
        head.remove(CONTENT_LENGTH);
        head.insert(CONTENT_ENCODING, coding.header());
        body = Body::Changed(Box::pin(Encoded::new(body, coding)));
    }
    (head, body)
}

/// How long a body is, without its content coding.
pub(super) fn length(content: &Content, delivery: &Delivery) -> u64 {
    cut(content, delivery).iter().map(|piece| piece.len() as u64).sum()
}

fn cut(content: &Content, delivery: &Delivery) -> Vec<Bytes> {
    if let Some(chunks) = &delivery.chunks {
        return chunks.iter().cloned().map(Bytes::from).collect();
    }
    let mut left = body(content);
    let length = delivery.chunk_bytes.unwrap_or(usize::MAX).max(1);
    let mut pieces = Vec::new();
    while !left.is_empty() {
        pieces.push(left.split_to(length.min(left.len())));
    }
    pieces
}

fn coding(stated: CodingIn) -> Coding {
    match stated {
        CodingIn::Gzip => Coding::Gzip,
        CodingIn::Br => Coding::Brotli,
        CodingIn::Zstd => Coding::Zstd,
        CodingIn::Deflate => Coding::Deflate,
    }
}

/// The stated fields, and those that say what the body is.
fn head(headers: &Headers, content: &Content, length: usize) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, lines) in headers {
        for line in lines.as_slice() {
            if let (Ok(name), Ok(value)) = (parse_name(name), parse_value(line)) {
                map.append(name, value);
            }
        }
    }
    if content.json.is_some() {
        map.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
    }
    if length > 0 {
        map.entry(CONTENT_LENGTH).or_insert(length.into());
    }
    map
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
