//! Header fields between guest and host. What a guest sets is checked like a client's input.

use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::{
    forwarding,
    plugin::bindings::tollgate::plugin::types::{Field, Refused},
};

/// Fields that frame messages or govern connections (RFC 9110 §7.6.1, RFC 9112 §6): a guest that
/// could set them could smuggle requests. `host` chooses the upstream's virtual host, which is
/// the route's to say.
fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str();
    matches!(
        name,
        "connection"
            | "content-length"
            | "host"
            | "http2-settings"
            | "keep-alive"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "expect"
            | "transfer_encoding"
            | "content_length"
    ) || name.starts_with("proxy-")
}

/// Longest value that a guest may set, in bytes; what upstreams commonly take.
const MAX_VALUE: usize = 16 * 1024;

/// Most field lines that a guest can make a message have.
pub(super) const MAX_LINES: usize = 256;

/// Longest method, in bytes; the longest that is registered has 17.
const MAX_METHOD: usize = 64;

/// A method that may go upstream.
pub(super) fn method(text: &str) -> Option<Method> {
    let method = (text.len() <= MAX_METHOD).then(|| Method::from_bytes(text.as_bytes()).ok());
    method.flatten().filter(forwarding::is_forwarded)
}

pub(super) fn name(name: &str) -> Result<HeaderName, Refused> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| Refused::Invalid(format!("`{name}` is not a field name")))?;
    if is_reserved(&parsed) {
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

/// Removes every spelling of a request's field that an upstream could take for it: to CGI and its
/// heirs `x_user` and `x-user` are the same variable.
pub(super) fn remove_lookalikes(headers: &mut HeaderMap, name: &str) {
    let fold = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    let is_written_so = name.contains('_');
    let resembles = |other: &HeaderName| {
        let other = other.as_str();
        other.len() == name.len()
            // What most names are not: almost none has to be compared.
            && (is_written_so || other.contains('_'))
            && !other.eq_ignore_ascii_case(name)
            && other.bytes().zip(name.bytes()).all(|(a, b)| fold(a) == fold(b))
    };
    while let Some(lookalike) = headers.keys().find(|other| resembles(other)).cloned() {
        headers.remove(lookalike);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_and_connection_fields_are_not_a_guests_to_set() {
        let mut headers = HeaderMap::new();
        for reserved in [
            "connection",
            "content-length",
            "expect",
            "host",
            "http2-settings",
            "keep-alive",
            "proxy-authorization",
            "te",
            "trailer",
            "Transfer-Encoding",
            "upgrade",
        ] {
            let refused = set(&mut headers, reserved, "x".into());
            assert!(matches!(refused, Err(Refused::Reserved)), "{reserved}");
            assert!(matches!(remove(&mut headers, reserved), Err(Refused::Reserved)), "{reserved}");
        }
        assert!(headers.is_empty());
    }

    #[test]
    fn a_method_is_a_short_word_that_clients_may_use_too() {
        assert_eq!(method("PURGE").as_ref().map(Method::as_str), Some("PURGE"));
        assert_eq!(method(&"A".repeat(64)).map(|method| method.as_str().len()), Some(64));
        for refused in ["CONNECT", "TRACE", "", "A B", "A\r\n", &"A".repeat(65)] {
            assert_eq!(method(refused), None, "{refused:?}");
        }
    }

    #[test]
    fn what_would_split_a_response_is_refused() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("a\r\nb", "x"), ("a b", "x"), ("", "x"), ("a", "x\r\nset-cookie: y"), ("a", "x\0")]
        {
            let refused = append(&mut headers, name, value.into());
            assert!(matches!(refused, Err(Refused::Invalid(_))), "{name:?}: {value:?}");
        }
        assert!(headers.is_empty());
    }

    #[test]
    fn a_name_takes_its_lookalikes_along() {
        let mut headers = HeaderMap::new();
        for name in ["x_user", "x-user", "x-user-id"] {
            append(&mut headers, name, "1".into()).unwrap();
        }
        remove_lookalikes(&mut headers, "X-User");
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["x-user", "x-user-id"]);
    }

    #[test]
    fn a_message_cannot_grow_without_end() {
        let mut headers = HeaderMap::new();
        assert!(set(&mut headers, "a", "x".repeat(MAX_VALUE + 1)).is_err());
        let appended = (0..1000).take_while(|_| append(&mut headers, "a", "x".into()).is_ok());
        assert_eq!(appended.count(), MAX_LINES);
    }

    #[test]
    fn lines_of_a_field_are_joined_in_order() {
        let mut headers = HeaderMap::new();
        append(&mut headers, "a", "1".into()).unwrap();
        append(&mut headers, "b", "x".into()).unwrap();
        append(&mut headers, "a", "2".into()).unwrap();
        assert_eq!(joined(&headers, "a").as_deref(), Some("1, 2"));
        assert_eq!(joined(&headers, "c"), None);
        assert_eq!(lines(&headers, Some("a")).len(), 2);
        assert_eq!(lines(&headers, None).len(), 3);
    }

    #[test]
    fn bytes_that_are_no_text_are_shown_and_not_changed() {
        let mut headers = HeaderMap::new();
        headers.insert("a", HeaderValue::from_bytes(b"caf\xe9").unwrap());
        assert_eq!(joined(&headers, "a").as_deref(), Some("caf\u{fffd}"));
        set(&mut headers, "b", "x".into()).unwrap();
        assert_eq!(headers["a"].as_bytes(), b"caf\xe9");
    }
}
