//! Texts of others on their way to a terminal, a log or a line of faults.

use std::borrow::Cow;

/// No more than its first `most` bytes, and how many there are where that is not all.
pub(crate) fn beginning(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let end = text.floor_char_boundary(most);
    format!("{}... ({} bytes in all)", &text[..end], text.len()).into()
}

/// In one line, with nothing in it that moves a cursor.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, moves)
}

/// The same where the text may have several lines.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| letter != '\n' && letter != '\t' && moves(letter))
}

/// Whether nothing in it has to be escaped.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.contains(moves)
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let escape = |letter: char| match is_escaped(letter) {
        true => letter.escape_default().to_string(),
        false => letter.to_string(),
    };
    text.chars().map(escape).collect::<String>().into()
}

/// Whether it ends a line, moves the cursor, turns the direction of what follows, or is not seen.
fn moves(letter: char) -> bool {
    let turns = matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let hides = matches!(letter, '\u{200b}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
    letter.is_control() || turns || hides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_begin_a_line_or_move_a_cursor_is_shown() {
        assert_eq!(one_line("as it is, \u{e4}"), "as it is, \u{e4}");
        assert_eq!(one_line("a\nb\x1b[31mc\x07"), r"a\nb\u{1b}[31mc\u{7}");
        assert_eq!(beginning("\u{e4}\u{e4}", 3), "\u{e4}... (4 bytes in all)");
        assert_eq!(beginning("abc", 3), "abc");
        assert_eq!(lines("a\n\tb\x1bc\u{202e}"), "a\n\tb\\u{1b}c\\u{202e}");
    }
}
