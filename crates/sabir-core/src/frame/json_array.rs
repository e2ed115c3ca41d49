//! One JSON array, streamed: each element is a frame. Google's APIs answer so where server-sent events were not
//! asked for.
//!
//! White space and commas between elements are skipped. An object without an array around it is one element: that is
//! how the same servers tell an error. Elements are cut by their brackets and not checked further.

use memchr::memchr2;

use super::{Found, Span, Step, too_long};
use crate::error::{Error, ErrorKind, Result};

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Where the parser stands. Positions count from the first unread byte, where the open element begins.
#[derive(Default)]
pub(super) struct Parser {
    /// Up to here everything was looked at.
    scanned: usize,
    /// Brackets that are open in the element; 0 between elements.
    depth: usize,
    in_string: bool,
    /// The byte before `scanned` was a backslash in a string.
    escaped: bool,
    place: Place,
}

/// What stands around the elements.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    /// Behind an element that no array surrounds.
    Bare,
    Array,
    /// Behind the array.
    End,
}

impl Parser {
    pub(super) fn step(&mut self, bytes: &[u8], limit: usize, ended: bool) -> Result<Step> {
        let start = if self.depth == 0 { self.skip(bytes)? } else { 0 };
        if let Some(end) = self.element(bytes) {
            if end - start > limit {
                return Err(too_long("an element", limit));
            }
            self.scanned = 0;
            let found = Found { event: Span::default(), data: Some(Span { start, end }), exception: false };
            return Ok(Step { consumed: end, found: Some(found) });
        }
        if bytes.len() - start > limit {
            return Err(too_long("an element", limit));
        }
        if ended && (self.depth > 0 || self.place == Place::Array) {
            return Err(Error::new(
                ErrorKind::Truncated,
                "the answer stopped before the end of its list; what had arrived is kept",
            ));
        }
        self.scanned = bytes.len() - start;
        Ok(Step { consumed: start, found: None })
    }

    /// Skips what stands between elements, and enters the next one: its start, or the end of what is here.
    fn skip(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut at = 0;
        // The mark's three bytes never come in the middle of a JSON text, so that one may be skipped in pieces.
        while let Some(byte) = bytes.get(at) {
            match (byte, self.place) {
                (b' ' | b'\t' | b'\r' | b'\n', _) | (b',', Place::Array | Place::Bare) => {}
                (byte, Place::Start) if BOM.contains(byte) => {}
                (b'[', Place::Start) => self.place = Place::Array,
                (b']', Place::Array) => self.place = Place::End,
                (b'{', Place::Start | Place::Bare) => {
                    self.place = Place::Bare;
                    break;
                }
                (b'{' | b'[', Place::Array) => break,
                _ => {
                    return Err(Error::new(
                        ErrorKind::Decode,
                        "the answer is not the list of JSON objects that it should be",
                    ));
                }
            }
            at += 1;
        }
        self.scanned = at;
        Ok(at)
    }

    /// The end of the element that is being scanned.
    fn element(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = self.scanned;
        while at < bytes.len() {
            if self.escaped {
                self.escaped = false;
                at += 1;
            } else if self.in_string {
                let Some(found) = memchr2(b'"', b'\\', &bytes[at..]) else { break };
                at += found;
                (self.in_string, self.escaped) = (bytes[at] == b'\\', bytes[at] == b'\\');
                at += 1;
            } else {
                match bytes[at] {
                    b'"' => self.in_string = true,
                    b'{' | b'[' => self.depth += 1,
                    b'}' | b']' => self.depth -= 1,
                    _ => {}
                }
                at += 1;
                if self.depth == 0 {
                    return Some(at);
                }
            }
        }
        None
    }
}

/// Appends one element, with the array's opening bracket before the first and a comma before the others.
pub fn write(out: &mut Vec<u8>, is_first: bool, json: &[u8]) {
    out.reserve(json.len() + 2);
    out.extend_from_slice(if is_first { b"[" } else { b",\n" });
    out.extend_from_slice(json);
    out.push(b'\n');
}

/// Appends the end of the array, which has elements unless `is_empty`.
pub fn write_end(out: &mut Vec<u8>, is_empty: bool) {
    out.extend_from_slice(if is_empty { b"[]\n" } else { b"]\n" });
}
