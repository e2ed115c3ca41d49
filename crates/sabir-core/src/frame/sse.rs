//! Server-sent events, read by the rules of the WHATWG HTML standard, §9.2.6, and written.
//!
//! Two deviations, both because providers need them: an event at the end of the body counts without its blank line,
//! and `id` and `retry` are ignored, since an LLM's answer cannot be resumed.

use memchr::memchr2;

use super::{Found, Span, Step, too_long};
use crate::error::Result;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Where the parser stands. All positions count from the first unread byte, where the open event begins.
#[derive(Default)]
pub(super) struct Parser {
    line: usize,
    /// Up to here the open line is known to hold no line end.
    scanned: usize,
    /// The last line ended with a CR; an LF right behind it belongs to that line end.
    after_cr: bool,
    past_bom: bool,
    event: Span,
    data: Data,
    joined: Vec<u8>,
}

#[derive(Clone, Copy, Default)]
enum Data {
    #[default]
    None,
    Line(Span),
    Joined,
}

impl Parser {
    /// The data of an event with several data lines.
    pub(super) fn joined(&self) -> &[u8] {
        &self.joined
    }

    pub(super) fn step(&mut self, bytes: &[u8], limit: usize, ended: bool) -> Result<Step> {
        let mut start = 0;
        loop {
            if self.after_cr && self.line < bytes.len() {
                self.after_cr = false;
                if bytes[self.line] == b'\n' {
                    self.line += 1;
                    self.scanned = self.line;
                }
            }
            if matches!(self.data, Data::None) && self.event.is_empty() {
                start = self.line;
            }
            let end = match line_end(bytes, self.scanned) {
                Some(end) => end,
                None if ended => bytes.len(),
                None if bytes.len() - start > limit => return Err(too_long("an event", limit)),
                None => {
                    self.scanned = bytes.len();
                    self.rebase(start);
                    return Ok(Step { consumed: start, found: None });
                }
            };
            if end - start > limit {
                return Err(too_long("an event", limit));
            }
            if !self.past_bom {
                self.past_bom = true;
                if bytes[self.line..end].starts_with(BOM) {
                    self.line += BOM.len();
                }
            }
            if self.line == end {
                if let Some(step) = self.blank(bytes, end) {
                    return Ok(step);
                }
            } else {
                self.field(bytes, end);
            }
            self.after_cr = bytes.get(end) == Some(&b'\r');
            self.line = bytes.len().min(end + 1);
            self.scanned = self.line;
        }
    }

    /// A blank line at `end`, or the end of the body: gives out the event if it has data, and starts a new one.
    fn blank(&mut self, bytes: &[u8], end: usize) -> Option<Step> {
        let event = std::mem::take(&mut self.event);
        let data = match std::mem::take(&mut self.data) {
            Data::None if end < bytes.len() => return None,
            Data::None => {
                (self.line, self.scanned) = (0, 0);
                return Some(Step { consumed: end, found: None });
            }
            Data::Line(span) => Some(span),
            Data::Joined => None,
        };
        (self.line, self.scanned) = (0, 0);
        self.after_cr = bytes.get(end) == Some(&b'\r');
        let found = Some(Found { event, data, exception: false });
        Some(Step { consumed: bytes.len().min(end + 1), found })
    }

    /// A line that is not blank.
    fn field(&mut self, bytes: &[u8], end: usize) {
        let line = &bytes[self.line..end];
        if let Some(from) = value(line, b"data") {
            let span = Span { start: self.line + from, end };
            match self.data {
                Data::None => self.data = Data::Line(span),
                Data::Line(first) => {
                    self.joined.clear();
                    self.joined.extend_from_slice(first.of(bytes));
                    self.join(span.of(bytes));
                }
                Data::Joined => self.join(span.of(bytes)),
            }
        } else if let Some(from) = value(line, b"event") {
            self.event = Span { start: self.line + from, end };
        }
    }

    fn join(&mut self, line: &[u8]) {
        self.joined.push(b'\n');
        self.joined.extend_from_slice(line);
        self.data = Data::Joined;
    }

    /// The first `count` bytes are done with: counts positions from behind them.
    fn rebase(&mut self, count: usize) {
        let shift = |span: Span| Span { start: span.start.saturating_sub(count), end: span.end.saturating_sub(count) };
        self.line -= count;
        self.scanned -= count;
        self.event = shift(self.event);
        if let Data::Line(span) = self.data {
            self.data = Data::Line(shift(span));
        }
    }
}

/// The first CR or LF at or behind `from`.
fn line_end(bytes: &[u8], from: usize) -> Option<usize> {
    let rest = &bytes[from..];
    // Half of all lines are blank: not worth a call.
    if matches!(rest.first(), Some(b'\n' | b'\r')) {
        Some(from)
    } else {
        memchr2(b'\n', b'\r', rest).map(|at| from + at)
    }
}

/// Where the value begins in a line of this field; `None` if the line is of another.
fn value(line: &[u8], name: &[u8]) -> Option<usize> {
    match line.strip_prefix(name)? {
        [] => Some(line.len()),
        [b':', b' ', ..] => Some(name.len() + 2),
        [b':', ..] => Some(name.len() + 1),
        _ => None,
    }
}

/// Appends one event: its name, unless that is empty, and its data, a `data:` line for each line in it.
/// A CR or CRLF in the data is read back as LF, for the format knows no other. What follows a line end
/// in the name is left out.
pub fn write(out: &mut Vec<u8>, event: &str, data: &[u8]) {
    out.reserve(event.len() + data.len() + 18);
    let name = event.split(['\n', '\r']).next().unwrap_or_default();
    if !name.is_empty() {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
    }
    lines(out, b"data: ", data);
    out.push(b'\n');
}

/// Appends a comment, which keeps a connection alive and is ignored by readers.
pub fn comment(out: &mut Vec<u8>, text: &str) {
    lines(out, b": ", text.as_bytes());
    out.push(b'\n');
}

fn lines(out: &mut Vec<u8>, prefix: &[u8], mut text: &[u8]) {
    loop {
        out.extend_from_slice(prefix);
        let end = memchr2(b'\n', b'\r', text);
        out.extend_from_slice(&text[..end.unwrap_or(text.len())]);
        out.push(b'\n');
        let Some(end) = end else { return };
        text = &text[end + if text[end..].starts_with(b"\r\n") { 2 } else { 1 }..];
    }
}
