//! What stands within a line: emphasis, code, links.
//!
//! At most one delimiter of each kind is open: one that opens again makes the earlier one a character like others, as
//! `*a *b*` is read. So what is open is never more than a handful, and a line is read in linear time.

use super::style::{BOLD, CODE, DIM, Style};

/// The most that is held back; what is open then are characters like others.
const LONGEST_HELD: usize = 1024;
/// Marks that are not markup when there is a backslash before them. Brackets are not among them: `\(` and `\[` begin
/// formulas, and stay as they are.
const ESCAPED: &str = "*_`~#+-.!>|";

/// A line's text.
#[derive(Debug, Default)]
pub(super) struct Inline {
    state: State,
    /// What is held back, in order.
    held: Vec<Piece>,
    /// Its length, in bytes.
    length: usize,
    /// The last character that was read; `None` at the beginning of the line.
    last: Option<char>,
    /// Whether all of the line is a heading.
    is_heading: bool,
    /// How often bold was begun and not ended.
    bold: usize,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Plain,
    /// In a run of `*`, `_` or `~`, that begins behind this character.
    Run { mark: char, count: usize, before: Option<char> },
    /// In the backticks that open code.
    Ticks(usize),
    /// In code, with the backticks seen last.
    Code { ticks: usize, text: String, closing: usize },
    /// Behind a backslash.
    Escape,
    /// Behind the `]` of a link.
    Bracket,
    /// In the address of a link, with brackets open in it.
    Address { text: String, depth: usize },
}

#[derive(Debug)]
enum Piece {
    Text(String),
    /// A delimiter that may be closed; its characters where it is not.
    Open {
        style: Style,
        mark: &'static str,
    },
    On(Style),
    Off(Style),
    Code(String),
    Address(String),
}

impl Inline {
    /// Begins a line that is all in one style.
    pub(super) fn begin(&mut self, style: Style, out: &mut String) {
        self.is_heading = style == Style::Heading;
        out.push_str(style.codes().on);
    }

    /// The next character.
    pub(super) fn take(&mut self, c: char, out: &mut String) {
        self.next(c, out);
        if self.length > LONGEST_HELD {
            self.give_up(out);
        }
        self.last = Some(c);
    }

    /// How much is held back, in bytes.
    #[cfg(test)]
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// The line is over: what is open stays as it was written.
    pub(super) fn end_of_line(&mut self, out: &mut String) {
        self.settle('\n', out);
        self.give_up(out);
        if self.is_heading {
            out.push_str(Style::Heading.codes().off);
        }
        *self = Self::default();
    }

    fn next(&mut self, c: char, out: &mut String) {
        match &mut self.state {
            State::Plain => self.plain(c, out),
            State::Run { mark, count, .. } if *mark == c => {
                *count += 1;
            }
            State::Ticks(count) if c == '`' => *count += 1,
            State::Ticks(count) => {
                let ticks = *count;
                self.length += ticks;
                self.state = State::Code { ticks, text: c.to_string(), closing: 0 };
            }
            State::Code { closing, .. } if c == '`' => {
                *closing += 1;
                self.length += 1;
            }
            State::Code { ticks, text, closing } if closing == ticks => {
                let text = std::mem::take(text);
                self.state = State::Plain;
                self.push(Piece::Code(text), out);
                self.plain(c, out);
            }
            State::Code { text, closing, .. } => {
                text.extend(std::iter::repeat_n('`', std::mem::take(closing)));
                text.push(c);
                self.length += c.len_utf8();
            }
            State::Address { text, depth } => match c {
                // A title is too rare to read: it all stays as it is.
                ' ' | '\t' => {
                    self.settle(c, out);
                    self.plain(c, out);
                }
                ')' if *depth == 0 => {
                    let text = std::mem::take(text);
                    self.state = State::Plain;
                    self.link(text, out);
                }
                _ => {
                    match c {
                        '(' => *depth += 1,
                        ')' => *depth -= 1,
                        _ => {}
                    }
                    text.push(c);
                    self.length += c.len_utf8();
                }
            },
            State::Bracket if c == '(' => self.state = State::Address { text: String::new(), depth: 0 },
            State::Run { .. } | State::Escape | State::Bracket => {
                let escaped = matches!(self.state, State::Escape);
                self.settle(c, out);
                if !escaped {
                    self.plain(c, out);
                }
            }
        }
    }

    /// A character that continues nothing.
    fn plain(&mut self, c: char, out: &mut String) {
        match c {
            '*' | '_' | '~' => self.state = State::Run { mark: c, count: 1, before: self.last },
            '`' => self.state = State::Ticks(1),
            '\\' => self.state = State::Escape,
            '[' => self.open(Style::Link, "[", out),
            ']' if self.is_open(Style::Link) => self.state = State::Bracket,
            _ => self.text(c.encode_utf8(&mut [0; 4]), out),
        }
    }

    /// What is undecided is decided by the character that follows it.
    fn settle(&mut self, next: char, out: &mut String) {
        match std::mem::take(&mut self.state) {
            State::Plain => {}
            State::Run { mark, count, before } => self.run(mark, count, before, next, out),
            State::Ticks(count) => self.text(&"`".repeat(count), out),
            State::Code { ticks, text, closing } if ticks == closing => self.push(Piece::Code(text), out),
            State::Code { ticks, mut text, closing } => {
                text.insert_str(0, &"`".repeat(ticks));
                text.extend(std::iter::repeat_n('`', closing));
                self.text(&text, out);
            }
            State::Escape if next == '\n' => self.text("\\", out),
            State::Escape if ESCAPED.contains(next) => self.text(next.encode_utf8(&mut [0; 4]), out),
            State::Escape => self.text(&format!("\\{next}"), out),
            State::Bracket => {
                self.close_off(Style::Link);
                self.text("]", out);
            }
            State::Address { text, .. } => {
                self.close_off(Style::Link);
                self.text(&format!("]({text}"), out);
            }
        }
    }

    /// A run of delimiters, by `CommonMark`'s rules of flanking (0.31.2, §6.2).
    fn run(&mut self, mark: char, count: usize, before: Option<char>, next: char, out: &mut String) {
        let before = before.unwrap_or(' ');
        let is_mark = |c: char| !c.is_alphanumeric() && !c.is_whitespace();
        let left = !next.is_whitespace() && (!is_mark(next) || before.is_whitespace() || is_mark(before));
        let right = !before.is_whitespace() && (!is_mark(before) || next.is_whitespace() || is_mark(next));
        let within = mark == '_' && left && right;
        let (opens, closes) = (left && (!within || is_mark(before)), right && (!within || is_mark(next)));
        let mut rest = count;
        while closes && rest > 0 && count <= 3 {
            let Some((style, width)) = self.last_open(mark, rest) else { break };
            self.close(style, mark, out);
            rest -= width;
        }
        let is_known = rest <= 3 && (mark != '~' || rest == 2);
        if rest > 0 && opens && is_known {
            if rest >= 2 {
                let (style, mark) = match mark {
                    '*' => (Style::Strong, "**"),
                    '_' => (Style::Strong, "__"),
                    _ => (Style::Strike, "~~"),
                };
                self.open(style, mark, out);
            }
            if rest % 2 == 1 {
                self.open(Style::Emphasis, if mark == '*' { "*" } else { "_" }, out);
            }
        } else if rest > 0 {
            self.text(&mark.to_string().repeat(rest), out);
        }
    }

    /// The delimiter of this mark that was opened last: for two of them one as wide, else one that is no wider.
    fn last_open(&self, wanted: char, most: usize) -> Option<(Style, usize)> {
        let fitting = |least: usize| {
            self.held.iter().rev().find_map(|piece| match piece {
                Piece::Open { style, mark } if mark.starts_with(wanted) && (least..=most).contains(&mark.len()) => {
                    Some((*style, mark.len()))
                }
                _ => None,
            })
        };
        fitting(if most == 2 { 2 } else { 1 }).or_else(|| fitting(1))
    }

    fn is_open(&self, wanted: Style) -> bool {
        self.held.iter().any(|piece| matches!(piece, Piece::Open { style, .. } if *style == wanted))
    }

    /// Opens a delimiter; an earlier one of its kind is text from now on.
    fn open(&mut self, style: Style, mark: &'static str, out: &mut String) {
        self.close_off(style);
        self.push(Piece::Open { style, mark }, out);
    }

    /// Closes a delimiter; what was opened within it is text.
    fn close(&mut self, wanted: Style, by: char, out: &mut String) {
        let is_it =
            |piece: &Piece| matches!(piece, Piece::Open { style, mark } if *style == wanted && mark.starts_with(by));
        let Some(at) = self.held.iter().rposition(is_it) else { return };
        self.held[at] = Piece::On(wanted);
        for piece in &mut self.held[at + 1..] {
            piece.settle();
        }
        self.push(Piece::Off(wanted), out);
    }

    /// Makes text of an open delimiter.
    fn close_off(&mut self, wanted: Style) {
        for piece in &mut self.held {
            if matches!(piece, Piece::Open { style, .. } if *style == wanted) {
                piece.settle();
            }
        }
    }

    /// A link is whole: its address stands behind it, unless it says it already.
    fn link(&mut self, address: String, out: &mut String) {
        let at =
            self.held.iter().rposition(|p| matches!(p, Piece::Open { style: Style::Link, .. })).unwrap_or_default();
        let mut said = String::new();
        for piece in &self.held[at + 1..] {
            if let Piece::Text(text) | Piece::Code(text) = piece {
                said.push_str(text);
            }
        }
        self.close(Style::Link, '[', out);
        if said == address {
            // The same letters once more would say nothing; where they differ in a single one, they stand there.
            return;
        }
        self.push(Piece::Address(address), out);
    }

    fn text(&mut self, text: &str, out: &mut String) {
        if self.held.is_empty() {
            return out.push_str(text);
        }
        self.length += text.len();
        match self.held.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.held.push(Piece::Text(text.to_owned())),
        }
        self.release(out);
    }

    fn push(&mut self, piece: Piece, out: &mut String) {
        // The address's and the code's own length was counted while they came.
        self.length += 2;
        self.held.push(piece);
        self.release(out);
    }

    /// Writes what waits for nothing.
    fn release(&mut self, out: &mut String) {
        let waits = self.held.iter().position(|piece| matches!(piece, Piece::Open { .. }));
        let ready = waits.unwrap_or(self.held.len());
        for piece in self.held.drain(..ready) {
            piece.write(self.is_heading, &mut self.bold, out);
        }
        if waits.is_none() {
            self.length = 0;
        }
    }

    /// Writes all that is held back, as it was written.
    fn give_up(&mut self, out: &mut String) {
        if self.length > LONGEST_HELD && !matches!(self.state, State::Run { .. } | State::Escape) {
            self.settle('\n', out);
        }
        self.held.iter_mut().for_each(Piece::settle);
        self.release(out);
    }
}

impl Piece {
    /// Makes text of a delimiter that is open.
    fn settle(&mut self) {
        if let Self::Open { mark, .. } = self {
            *self = Self::Text((*mark).to_owned());
        }
    }

    fn write(self, is_heading: bool, bold: &mut usize, out: &mut String) {
        match self {
            Self::Text(text) => out.push_str(&text),
            Self::Code(text) => out.extend([CODE.on, &text, CODE.off]),
            Self::Address(address) => {
                out.extend([" ", DIM.on, "(", &address, ")", DIM.off]);
                // What ends dim ends bold.
                if is_heading || *bold > 0 {
                    out.push_str(BOLD.on);
                }
            }
            Self::Open { mark, .. } => out.push_str(mark),
            Self::On(style) => {
                *bold += usize::from(style == Style::Strong);
                out.push_str(style.codes().on);
            }
            Self::Off(Style::Strong) => {
                *bold = bold.saturating_sub(1);
                if *bold == 0 && !is_heading {
                    out.push_str(Style::Strong.codes().off);
                }
            }
            Self::Off(style) => out.push_str(style.codes().off),
        }
    }
}
