//! Characters that a terminal would obey, as symbols.

use std::borrow::Cow;

/// A character as a terminal may have it; `None` for a carriage return, which would write over its line. Line ends and
/// tabs stay. Other control characters, by which a text could colour, move or answer for whoever reads it, become
/// their symbols (U+2400 …), and those that turn the direction of what follows a replacement character.
pub(crate) fn safe_char(c: char) -> Option<char> {
    match c {
        '\n' | '\t' => Some(c),
        '\r' => None,
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(c)),
        '\x7f' => Some('␡'),
        '\u{80}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => Some('\u{fffd}'),
        _ => Some(c),
    }
}

/// A text as a terminal may have it.
pub(crate) fn safe(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| safe_char(c) == Some(c)) {
        return text.into();
    }
    text.chars().filter_map(safe_char).collect::<String>().into()
}
