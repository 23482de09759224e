//! Passwords in URLs (RFC 3986 §3.2.1): masked in place, so that what is left is still a URL.

use std::ops::Range;

use serde_json::Value;

use super::MASK;

/// The text with the passwords masked of all URLs in it.
pub(crate) fn without_passwords(text: &str) -> String {
    let mut shown = text.to_owned();
    for password in passwords(text).into_iter().rev() {
        shown.replace_range(password, MASK);
    }
    shown
}

/// The same of every text in `value`.
pub(in crate::config) fn mask_passwords(value: &mut Value) {
    match value {
        Value::String(text) => *text = without_passwords(text),
        Value::Array(elements) => elements.iter_mut().for_each(mask_passwords),
        Value::Object(members) => members.values_mut().for_each(mask_passwords),
        Value::Null | Value::Bool(_) | Value::Number(_) => (),
    }
}

pub(super) fn has_password(text: &str) -> bool {
    !passwords(text).is_empty()
}

/// Whether a password in it is masked.
pub(super) fn has_masked_password(text: &str) -> bool {
    passwords(text).into_iter().any(|password| &text[password] == MASK)
}

/// Where they stand in `text`, in order.
fn passwords(text: &str) -> Vec<Range<usize>> {
    // Also of one that says no scheme (RFC 3986 §4.2).
    let marks = text.match_indices("//");
    marks.filter_map(|(mark, separator)| password(text, mark + separator.len())).collect()
}

/// The password, or the token, in the authority that begins at `start`.
fn password(text: &str, start: usize) -> Option<Range<usize>> {
    let ends = |c: char| matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>') || c.is_whitespace();
    let authority = &text[start..];
    let authority = &authority[..authority.find(ends).unwrap_or(authority.len())];
    // Some write an `@` into a password as it is: the last one ends it.
    let user_info = &authority[..authority.rfind('@')?];
    // A token may stand in the place of the user's name, with no password beside it.
    let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
    let masked = if password.is_empty() { 0..user.len() } else { user.len() + 1..user_info.len() };
    (!masked.is_empty()).then_some(start + masked.start..start + masked.end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_of_urls_are_masked_in_place() {
        for (text, expected) in [
            ("https://user:secret@host/", "https://user:***@host/"),
            ("https://user:sec:r@et@host:8443?a=b", "https://user:***@host:8443?a=b"),
            ("a://u:x@h, b://v:y@h/z", "a://u:***@h, b://v:***@h/z"),
            ("postgres://:secret@[::1]/db", "postgres://:***@[::1]/db"),
            ("https://host/a:b@c", "https://host/a:b@c"),
            ("https://token@host/", "https://***@host/"),
            ("https://token:@host/", "https://***:@host/"),
            ("https://:@host/", "https://:@host/"),
            ("//user:secret@host/", "//user:***@host/"),
            ("https://host:80/?q=a:b@c", "https://host:80/?q=a:b@c"),
            ("https://größe:schlüssel@host/", "https://größe:***@host/"),
        ] {
            assert_eq!(without_passwords(text), expected);
        }
    }
}
