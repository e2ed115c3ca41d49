//! What a tool gave: cut to a bound for the model, and to a line for a person.

use std::time::Duration;

use sabir::chat::{Part, ToolResult};

use crate::markdown::safe;

/// The most of a result that is shown to a person, in characters.
const MOST_SHOWN: usize = 100;

/// A text that is at most so many bytes, and says where it was cut.
pub(super) fn bounded(mut text: String, most: usize) -> String {
    if text.len() > most {
        let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        text.truncate(end);
        text.extend(["\n[cut off after ", &end.to_string(), " bytes]"]);
    }
    text
}

/// The first line of a result, and how long it took.
pub(super) fn in_words(result: &ToolResult, took: Duration) -> String {
    let text: String = result.parts.iter().filter_map(Part::as_text).collect::<Vec<_>>().join(" ");
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
    let mut shown: String = line.chars().take(MOST_SHOWN).collect();
    if shown.len() < text.trim().len() {
        shown.push_str(" …");
    }
    let others = result.parts.iter().filter(|part| part.as_text().is_none()).count();
    if others > 0 {
        let space = if shown.is_empty() { "" } else { " " };
        shown.extend([space, "[", &others.to_string(), " other parts]"]);
    }
    let what = if result.is_error { "tool error" } else { "tool result" };
    let name = result.name.as_deref().unwrap_or_default();
    format!("[{what}] {} ({:.1} s): {}", safe(name), took.as_secs_f64(), safe(&shown))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_cut_between_characters_and_says_so() {
        assert_eq!(bounded("short".to_owned(), 5), "short");
        assert_eq!(bounded("aäöü".to_owned(), 4), "aä\n[cut off after 3 bytes]");
    }

    #[test]
    fn a_person_sees_a_line() {
        let result = ToolResult {
            call_id: "1".to_owned(),
            name: Some("ls".to_owned()),
            parts: vec![Part::text("\n a\x1b[2J \nb")],
            is_error: false,
        };
        assert_eq!(in_words(&result, Duration::from_millis(1234)), "[tool result] ls (1.2 s): a␛[2J …");
    }
}
