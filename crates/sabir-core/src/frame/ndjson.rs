//! JSON texts, one a line. Blank lines are skipped and a CR before the line end is dropped.

use memchr::memchr;

use super::{Found, Span, Step, too_long};
use crate::error::Result;

#[derive(Default)]
pub(super) struct Parser {
    /// Up to here the open line, which begins at the first unread byte, is known to hold no line end.
    scanned: usize,
}

impl Parser {
    pub(super) fn step(&mut self, bytes: &[u8], limit: usize, ended: bool) -> Result<Step> {
        let mut start = 0;
        loop {
            let end = match memchr(b'\n', &bytes[self.scanned..]) {
                Some(at) => self.scanned + at,
                None if ended => bytes.len(),
                None if bytes.len() - start > limit => return Err(too_long("a line", limit)),
                None => {
                    self.scanned = bytes.len() - start;
                    return Ok(Step { consumed: start, found: None });
                }
            };
            if end - start > limit {
                return Err(too_long("a line", limit));
            }
            let next = bytes.len().min(end + 1);
            let line = &bytes[start..end];
            if !line.trim_ascii_start().is_empty() {
                self.scanned = 0;
                let data = Some(Span { start, end: end - usize::from(line.ends_with(b"\r")) });
                return Ok(Step {
                    consumed: next,
                    found: Some(Found { event: Span::default(), data, exception: false }),
                });
            }
            if end == bytes.len() {
                self.scanned = 0;
                return Ok(Step { consumed: end, found: None });
            }
            start = next;
            self.scanned = next;
        }
    }
}

/// Appends one JSON text as a line. A line end in it, which can only be white space between tokens,
/// becomes a space.
pub fn write(out: &mut Vec<u8>, json: &[u8]) {
    out.reserve(json.len() + 1);
    out.extend(json.iter().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { *b }));
    out.push(b'\n');
}
