//! One spelling for each path, so that what is matched is what the upstream gets.

use std::borrow::Cow;

/// Why a path is refused, with 400.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum BadPath {
    #[error("the path does not begin with `/`")]
    NotAbsolute,
    #[error("the path has a `%` without two hexadecimal digits")]
    Escape,
    #[error("the path has a backslash")]
    Backslash,
    #[error("the path has a control character")]
    Control,
    #[error("the path has a dot segment with parameters")]
    DotParameters,
    #[error("the path has a dot segment beside an encoded slash")]
    DotEncodedSlash,
    #[error("the path goes above the root")]
    AboveRoot,
}

/// Normalises a request's path; borrowed where there is nothing to do.
///
/// - A percent-encoded unreserved character (RFC 3986 §2.3) is decoded; other escapes get
///   upper-case digits; a character that may not stand in a path is percent-encoded.
/// - `.` and `..` segments are removed (RFC 3986 §5.2.4), encoded ones too. One that would go
///   above the root is refused.
/// - `%2F` stays: it is data and separates nothing (RFC 3986 §2.2). A dot segment beside it, as in
///   `..%2Fx`, is refused, because an upstream that decodes it would leave the matched path.
/// - Empty segments stay and are not merged.
/// - A bad escape, a backslash, a control character (raw or encoded), and a dot segment with
///   parameters (`..;x`) are refused: servers disagree on what they mean.
///
/// The result is what routes are matched against and what goes upstream. Normalising it again
/// changes nothing. `*`, the target of a server-wide OPTIONS, is its own normal form.
///
/// # Errors
///
/// The client is to blame: 400.
pub fn normalise(path: &str) -> Result<Cow<'_, str>, BadPath> {
    if path == "*" {
        return Ok(Cow::Borrowed(path));
    }
    if !path.starts_with('/') {
        return Err(BadPath::NotAbsolute);
    }
    if is_normal(path.as_bytes()) {
        return Ok(Cow::Borrowed(path));
    }
    let mut normal = String::with_capacity(path.len());
    normal.push('/');
    let mut segments = path[1..].split('/').peekable();
    while let Some(segment) = segments.next() {
        let start = normal.len();
        push_segment(&mut normal, segment.as_bytes())?;
        match &normal[start..] {
            "." => normal.truncate(start),
            ".." => {
                let parent = normal[..start - 1].rfind('/').ok_or(BadPath::AboveRoot)?;
                normal.truncate(parent + 1);
            }
            segment => {
                check_segment(segment)?;
                if segments.peek().is_some() {
                    normal.push('/');
                }
            }
        }
    }
    Ok(if normal == path { Cow::Borrowed(path) } else { Cow::Owned(normal) })
}

/// Whether there is surely nothing to do: no escape, only path characters, no segment that
/// begins with a dot.
fn is_normal(path: &[u8]) -> bool {
    let mut before = 0;
    for &byte in path {
        if !IS_PLAIN[usize::from(byte)] || byte == b'.' && before == b'/' {
            return false;
        }
        before = byte;
    }
    true
}

/// Appends one segment with each character in its one spelling.
fn push_segment(normal: &mut String, segment: &[u8]) -> Result<(), BadPath> {
    let mut bytes = segment.iter().copied();
    while let Some(byte) = bytes.next() {
        let (byte, is_escaped) = match byte {
            b'%' => (escape(bytes.next(), bytes.next())?, true),
            byte => (byte, false),
        };
        match byte {
            b'\\' => return Err(BadPath::Backslash),
            0..=0x1f | 0x7f => return Err(BadPath::Control),
            byte if is_unreserved(byte) || !is_escaped && IS_PLAIN[usize::from(byte)] => {
                normal.push(char::from(byte));
            }
            byte => {
                normal.push('%');
                normal.push(char::from(HEX[usize::from(byte >> 4)]));
                normal.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    Ok(())
}

/// Refuses what looks like a dot segment to servers that split or decode differently.
fn check_segment(segment: &str) -> Result<(), BadPath> {
    let is_dots = |part: &str| part == "." || part == "..";
    let name = segment.split(';').next().unwrap_or_default();
    let encoded_name = segment.split("%3B").next().unwrap_or_default();
    if is_dots(name) || is_dots(encoded_name) {
        return Err(BadPath::DotParameters);
    }
    if segment.contains("%2F") && segment.split("%2F").any(is_dots) {
        return Err(BadPath::DotEncodedSlash);
    }
    Ok(())
}

/// The byte that two hexadecimal digits stand for.
fn escape(high: Option<u8>, low: Option<u8>) -> Result<u8, BadPath> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
    match (digit(high), digit(low)) {
        (Some(high), Some(low)) => u8::try_from(high * 16 + low).map_err(|_| BadPath::Escape),
        _ => Err(BadPath::Escape),
    }
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// RFC 3986 §2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What may stand in a path as it is: `pchar` of RFC 3986 §3.3 without escapes, and `/`.
const IS_PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        table[byte] = is_unreserved(value)
            || matches!(value, b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',')
            || matches!(value, b';' | b'=' | b':' | b'@' | b'/');
        byte += 1;
    }
    table
};
