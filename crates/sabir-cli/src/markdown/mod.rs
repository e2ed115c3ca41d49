//! Markdown on a terminal, while it comes.
//!
//! What is written does not depend on how the text was cut into pieces: it is read character by character, and nothing
//! that was written is ever taken back. So a delimiter of which it is not known what it means (`**` that may be closed
//! or not) is held back with what stands behind it until that is known, at the latest at the end of its line. Letters
//! and digits are never lost: what goes are the marks that are shown otherwise, and an address stands behind its link.

mod inline;
mod safe;
mod style;
#[cfg(test)]
mod tests;

use inline::Inline;
pub(crate) use safe::{safe, safe_char};
use style::{CODE, DIM, Style};

/// The longest beginning of a line that is held back: of a rule, of a fence with its language.
const LONGEST_BEGINNING: usize = 128;
/// A rule, as it is shown.
const RULE: &str = "────────────────────────";

/// Renders Markdown for a terminal: headings, emphasis, code, lists, quotes, rules and links. Control characters are
/// shown by symbols, so that a text cannot move the cursor, colour the screen or name the window.
#[derive(Debug, Default)]
pub(crate) struct Markdown {
    at: Place,
    inline: Inline,
    /// The space before a line's first character, held back: that of a fence is not shown.
    space: String,
    /// Whether the line is in a quote, where a fence is text: its end could not be known from its own line.
    is_quoted: bool,
}

/// Where in a line the next character is.
#[derive(Debug)]
enum Place {
    /// At its beginning, with these characters held back.
    Beginning(String),
    /// In its text.
    Text,
    /// At the beginning of a line of code.
    CodeBeginning(Fence, String),
    /// In a line of code.
    Code(Fence),
}

/// By what a block of code is ended: at least so many of this character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fence {
    mark: char,
    count: usize,
}

impl Default for Place {
    fn default() -> Self {
        Self::Beginning(String::new())
    }
}

impl Markdown {
    /// A text that has not begun.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Takes the next piece, and gives what can be written now.
    pub(crate) fn push(&mut self, piece: &str) -> String {
        let mut out = String::with_capacity(piece.len());
        for c in piece.chars().filter_map(safe_char) {
            self.take(c, &mut out);
        }
        out
    }

    /// The end: gives what was held back, and begins anew.
    pub(crate) fn finish(&mut self) -> String {
        let mut out = String::new();
        match std::mem::take(&mut self.at) {
            Place::Beginning(held) => {
                self.line_of(&held, &mut out);
            }
            Place::CodeBeginning(fence, held) if !closes(fence, &held) && !held.is_empty() => {
                out.extend(["  ", CODE.on, &held, CODE.off]);
            }
            Place::Code(_) => out.push_str(CODE.off),
            Place::Text | Place::CodeBeginning(..) => {}
        }
        self.inline.end_of_line(&mut out);
        *self = Self::default();
        out
    }

    fn take(&mut self, c: char, out: &mut String) {
        match std::mem::take(&mut self.at) {
            Place::Beginning(held) if c == '\n' => {
                let (next, is_shown) = self.line_of(&held, out);
                self.at = next;
                self.end_of_line(is_shown, out);
            }
            Place::Beginning(held) => self.begin(held, c, out),
            Place::Text if c == '\n' => self.end_of_line(true, out),
            Place::Text => {
                self.inline.take(c, out);
                self.at = Place::Text;
            }
            Place::CodeBeginning(fence, held) => self.at = code_begins(fence, held, c, out),
            Place::Code(fence) if c == '\n' => {
                out.extend([CODE.off, "\n"]);
                self.at = Place::CodeBeginning(fence, String::new());
            }
            Place::Code(fence) => {
                out.push(c);
                self.at = Place::Code(fence);
            }
        }
    }

    /// How much is held back, in bytes.
    #[cfg(test)]
    fn held(&self) -> usize {
        let held = match &self.at {
            Place::Beginning(held) | Place::CodeBeginning(_, held) => held.len(),
            Place::Text | Place::Code(_) => 0,
        };
        held + self.space.len() + self.inline.length()
    }

    fn end_of_line(&mut self, is_shown: bool, out: &mut String) {
        self.inline.end_of_line(out);
        self.is_quoted = false;
        if is_shown {
            out.push('\n');
        }
    }

    /// Writes the space that was held back.
    fn lead(&mut self, out: &mut String) {
        out.push_str(&std::mem::take(&mut self.space));
    }

    /// A character of a line's beginning that does not end the line.
    fn begin(&mut self, mut held: String, c: char, out: &mut String) {
        let first = held.chars().next();
        match (first, c) {
            (None, ' ' | '\t') => {
                if self.space.len() >= LONGEST_BEGINNING {
                    self.lead(out);
                }
                self.space.push(c);
            }
            (None, '>') => {
                self.lead(out);
                self.is_quoted = true;
                out.extend([DIM.on, "│", DIM.off]);
            }
            (None, '#' | '-' | '*' | '+' | '_' | '`' | '~') => held.push(c),
            (Some('#'), '#') if held.len() < 6 => held.push(c),
            (Some('#'), ' ') => {
                self.lead(out);
                self.inline.begin(Style::Heading, out);
                self.at = Place::Text;
                return;
            }
            (Some(mark @ ('-' | '*' | '+' | '_')), c) if (c == mark || c == ' ') && held.len() < LONGEST_BEGINNING => {
                held.push(c);
            }
            (Some(mark @ ('`' | '~')), c)
                if held.len() < LONGEST_BEGINNING
                    && (c == mark && is_run(&held) || may_be_fence(&held) && c != '`') =>
            {
                held.push(c);
            }
            (first, c) => {
                self.lead(out);
                let is_item = matches!(first, Some('-' | '*' | '+')) && held[1..].starts_with(' ');
                let rest = if is_item { &held[1..] } else { &held[..] };
                if is_item {
                    out.push('•');
                }
                for c in rest.chars().chain([c]) {
                    self.inline.take(c, out);
                }
                self.at = Place::Text;
                return;
            }
        }
        self.at = Place::Beginning(held);
    }

    /// A line that is all beginning; gives where the next one stands, and whether there is anything to see of this one.
    fn line_of(&mut self, held: &str, out: &mut String) -> (Place, bool) {
        let trimmed = held.trim_end();
        let mark = trimmed.chars().next();
        if let Some(mark @ ('`' | '~')) = mark
            && may_be_fence(trimmed)
            && !self.is_quoted
        {
            self.space.clear();
            let language = trimmed.trim_start_matches(mark);
            let fence = Fence { mark, count: trimmed.len() - language.len() };
            let is_named = !language.trim().is_empty();
            if is_named {
                out.extend(["  ", DIM.on, language.trim(), DIM.off]);
            }
            return (Place::CodeBeginning(fence, String::new()), is_named);
        }
        self.lead(out);
        match mark {
            Some(mark @ ('-' | '*' | '_')) if trimmed.chars().filter(|c| *c == mark).count() >= 3 => {
                out.extend([DIM.on, RULE, DIM.off]);
            }
            Some('-' | '*' | '+') if held.len() > 1 && trimmed.len() == 1 => out.push('•'),
            // A heading without a word.
            Some('#') => {}
            _ => held.chars().for_each(|c| self.inline.take(c, out)),
        }
        (Place::default(), true)
    }
}

/// A character at the beginning of a line of code, where the fence may end it.
fn code_begins(fence: Fence, mut held: String, c: char, out: &mut String) -> Place {
    if c == '\n' {
        if closes(fence, &held) {
            return Place::default();
        }
        if !held.is_empty() {
            out.extend(["  ", CODE.on, &held, CODE.off]);
        }
        out.push('\n');
        return Place::CodeBeginning(fence, String::new());
    }
    held.push(c);
    let after_space = held.trim_start_matches(' ');
    let after_fence = after_space.trim_start_matches(fence.mark);
    if held.len() < LONGEST_BEGINNING && after_fence.bytes().all(|byte| byte == b' ') {
        return Place::CodeBeginning(fence, held);
    }
    out.extend(["  ", CODE.on, &held]);
    Place::Code(fence)
}

/// Whether a line ends a block of code.
fn closes(fence: Fence, line: &str) -> bool {
    let marks = line.trim_matches(' ');
    marks.len() >= fence.count && marks.chars().all(|c| c == fence.mark)
}

/// Whether it is one mark, several times.
fn is_run(held: &str) -> bool {
    let first = held.chars().next();
    held.chars().all(|c| Some(c) == first)
}

/// Whether a line that begins so may open a block of code.
fn may_be_fence(held: &str) -> bool {
    held.starts_with("```") || held.starts_with("~~~")
}
