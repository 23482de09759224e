//! Header fields between guest and host. What a guest sets is checked like a client's input.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::plugin::bindings::tollgate::plugin::types::{Field, Refused};

/// Fields that frame messages or govern connections (RFC 9110 §7.6.1, RFC 9112 §6): a guest that
/// could set them could smuggle requests. `host` chooses the upstream's virtual host, which is
/// the route's to say.
const RESERVED: [&str; 10] = [
    "connection",
    "content-length",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "expect",
];

/// Longest value that a guest may set, in bytes; what upstreams commonly take.
const MAX_VALUE: usize = 16 * 1024;

/// Most field lines that a guest can make a message have.
const MAX_LINES: usize = 256;

pub(super) fn name(name: &str) -> Result<HeaderName, Refused> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Refused::Invalid(format!("`{name}` is not a field name")))?;
    if RESERVED.contains(&parsed.as_str()) || parsed.as_str().starts_with("proxy-") {
        return Err(Refused::Reserved);
    }
    Ok(parsed)
}

pub(super) fn value(value: String) -> Result<HeaderValue, Refused> {
    if value.len() > MAX_VALUE {
        return Err(Refused::Invalid(format!("a field value has at most {MAX_VALUE} bytes")));
    }
    HeaderValue::try_from(value)
        .map_err(|_| Refused::Invalid("a field value has no control characters".into()))
}

pub(super) fn set(headers: &mut HeaderMap, key: &str, text: String) -> Result<(), Refused> {
    let (name, value) = (name(key)?, value(text)?);
    room(headers)?;
    headers.insert(name, value);
    Ok(())
}

pub(super) fn append(headers: &mut HeaderMap, key: &str, text: String) -> Result<(), Refused> {
    let (name, value) = (name(key)?, value(text)?);
    room(headers)?;
    headers.append(name, value);
    Ok(())
}

pub(super) fn remove(headers: &mut HeaderMap, key: &str) -> Result<(), Refused> {
    headers.remove(name(key)?);
    Ok(())
}

fn room(headers: &HeaderMap) -> Result<(), Refused> {
    if headers.len() >= MAX_LINES {
        return Err(Refused::Invalid(format!("a message has at most {MAX_LINES} fields")));
    }
    Ok(())
}

/// All lines of a field joined with `, ` (RFC 9110 §5.3).
pub(super) fn joined(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut lines = headers.get_all(name).iter();
    let mut joined = text(lines.next()?);
    for line in lines {
        joined.push_str(", ");
        joined.push_str(&text(line));
    }
    Some(joined)
}

/// The lines of one field, or of all.
pub(super) fn lines(headers: &HeaderMap, name: Option<&str>) -> Vec<Field> {
    match name {
        Some(name) => headers.get_all(name).iter().map(|value| field(name, value)).collect(),
        None => headers.iter().map(|(name, value)| field(name.as_str(), value)).collect(),
    }
}

fn field(name: &str, value: &HeaderValue) -> Field {
    Field { name: name.to_owned(), value: text(value) }
}

fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}
