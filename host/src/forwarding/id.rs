//! Who an exchange is: its request id and its place in a trace (W3C Trace Context).

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};

use super::{TRACEPARENT, X_REQUEST_ID};

/// Longest request id that is taken over, in bytes.
const MAX_ID: usize = 128;

/// `00-` + 32 hex digits of the trace + `-` + 16 of the parent + `-` + 2 of flags.
const TRACEPARENT_LENGTH: usize = 55;

/// What is set for the upstream and told to the client.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) request_id: HeaderValue,
    pub(crate) traceparent: HeaderValue,
}

impl Identity {
    /// Continues the client's trace or begins one; takes a trusted peer's request id over, else
    /// the id is the trace's: one search finds both.
    pub(crate) fn of(headers: &HeaderMap, trusted: bool) -> Self {
        let continued = headers.get(TRACEPARENT).and_then(|value| valid_parent(value.as_bytes()));
        let given = headers.get(X_REQUEST_ID).filter(|id| trusted && is_valid_id(id.as_bytes()));
        let traceparent = Bytes::copy_from_slice(&match continued {
            Some(parent) => child(parent),
            None => begun(),
        });
        let request_id = match given {
            Some(id) => id.clone(),
            // A continued trace may have many exchanges; its id names none of them.
            None if continued.is_some() => field(Bytes::copy_from_slice(&random_id())),
            None => field(traceparent.slice(3..35)),
        };
        Self { request_id, traceparent: field(traceparent) }
    }
}

fn field(bytes: Bytes) -> HeaderValue {
    HeaderValue::from_maybe_shared(bytes).expect("hex digits and dashes")
}

/// The value, if it is a version-00 traceparent with ids that are not zero.
fn valid_parent(value: &[u8]) -> Option<&[u8; TRACEPARENT_LENGTH]> {
    let value: &[u8; TRACEPARENT_LENGTH] = value.try_into().ok()?;
    let lower_hex = |part: &[u8]| part.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let dashes = value[2] == b'-' && value[35] == b'-' && value[52] == b'-';
    let (trace, parent, flags) = (&value[3..35], &value[36..52], &value[53..]);
    let zero = |part: &[u8]| part.iter().all(|b| *b == b'0');
    let valid = &value[..2] == b"00"
        && dashes
        && [trace, parent, flags].into_iter().all(lower_hex)
        && !zero(trace)
        && !zero(parent);
    valid.then_some(value)
}

/// The same trace with this gateway as the parent.
fn child(parent: &[u8; TRACEPARENT_LENGTH]) -> [u8; TRACEPARENT_LENGTH] {
    let mut value = *parent;
    write_hex(&mut value[36..52], fastrand::u64(1..));
    value
}

/// A new trace, not sampled: nobody has decided to record it.
fn begun() -> [u8; TRACEPARENT_LENGTH] {
    let mut value = *b"00-00000000000000000000000000000000-0000000000000000-00";
    write_hex(&mut value[3..19], fastrand::u64(..));
    write_hex(&mut value[19..35], fastrand::u64(1..));
    write_hex(&mut value[36..52], fastrand::u64(1..));
    value
}

fn random_id() -> [u8; 32] {
    let mut id = [0; 32];
    write_hex(&mut id[..16], fastrand::u64(..));
    write_hex(&mut id[16..], fastrand::u64(..));
    id
}

fn write_hex(digits: &mut [u8], mut value: u64) {
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdef"[(value & 15) as usize];
        value >>= 4;
    }
}

/// Ids end up in logs and headers of others: visible ASCII only.
fn is_valid_id(id: &[u8]) -> bool {
    !id.is_empty() && id.len() <= MAX_ID && id.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(fields: &[(&'static str, &'static str)], trusted: bool) -> (String, String) {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        let identity = Identity::of(&headers, trusted);
        let text = |value: HeaderValue| value.to_str().unwrap().to_owned();
        (text(identity.request_id), text(identity.traceparent))
    }

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_new_trace_gives_the_request_its_id() {
        let (id, trace) = identity(&[], false);
        assert_eq!(trace.len(), TRACEPARENT_LENGTH);
        assert_eq!(id, trace[3..35]);
        assert_ne!(id, identity(&[], false).0, "ids differ");
    }

    #[test]
    fn a_trace_goes_on_under_a_new_parent() {
        let (id, trace) = identity(&[("traceparent", PARENT)], false);
        assert_eq!(trace[..36], PARENT[..36]);
        assert_ne!(trace[36..52], PARENT[36..52]);
        assert_eq!(trace[52..], PARENT[52..]);
        assert_ne!(id, PARENT[3..35], "many requests may share a trace");
    }

    #[test]
    fn a_malformed_parent_is_not_continued() {
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        for bad in [zero, "01-short", "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"] {
            let (_, trace) = identity(&[("traceparent", bad)], false);
            assert_ne!(trace[3..35], bad[3..bad.len().min(35)], "{bad}");
        }
    }

    #[test]
    fn an_id_is_taken_over_from_trusted_peers_only() {
        assert_eq!(identity(&[("x-request-id", "abc-1")], true).0, "abc-1");
        assert_ne!(identity(&[("x-request-id", "abc-1")], false).0, "abc-1");
        assert_ne!(identity(&[("x-request-id", "a b")], true).0, "a b");
    }
}
