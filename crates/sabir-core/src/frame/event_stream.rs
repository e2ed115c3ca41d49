//! Amazon's event stream encoding (`application/vnd.amazon.eventstream`), as the Smithy specification describes it:
//! total length, header length and their CRC-32 (the prelude), headers, payload, and the CRC-32 of it all;
//! numbers big-endian.

use super::crc32::crc32;
use super::{Found, Span, Step, too_long};
use crate::error::{Error, ErrorKind, Result};

const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;

pub(super) fn step(bytes: &[u8], limit: usize, ended: bool) -> Result<Step> {
    let unfinished = || {
        if ended && !bytes.is_empty() {
            return Err(Error::new(ErrorKind::Truncated, "the event stream ended inside a message"));
        }
        Ok(Step { consumed: 0, found: None })
    };
    let Some(prelude) = bytes.get(..PRELUDE) else {
        return unfinished();
    };
    if crc32(&prelude[..8]) != number(prelude, 8) {
        return Err(damaged("the checksum of a message's head is wrong: it is damaged or not an event stream"));
    }
    let (total, headers_len) = (number(prelude, 0) as usize, number(prelude, 4) as usize);
    if total > limit {
        return Err(too_long("a message", limit));
    }
    if total < PRELUDE + CHECKSUM || headers_len > total - PRELUDE - CHECKSUM {
        return Err(damaged("the lengths in a message's head contradict each other"));
    }
    let Some(message) = bytes.get(..total) else {
        return unfinished();
    };
    let (content, checksum) = message.split_at(total - CHECKSUM);
    if crc32(content) != number(checksum, 0) {
        return Err(damaged("the checksum of a message is wrong"));
    }
    let payload = Span { start: PRELUDE + headers_len, end: total - CHECKSUM };
    let found = Headers { bytes: &content[..payload.start], at: PRELUDE }.found(payload)?;
    Ok(Step { consumed: total, found: Some(found) })
}

/// The big-endian number at `at`, which the caller knows to lie inside.
fn number(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cold]
fn damaged(what: &str) -> Error {
    Error::new(ErrorKind::Decode, format!("the event stream cannot be read: {what}"))
}

/// A walk over a message's headers; `bytes` ends where they end.
struct Headers<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Headers<'_> {
    fn found(mut self, payload: Span) -> Result<Found> {
        let (mut event, mut exception_type, mut code, mut text) = (Span::default(), None, None, None);
        let (mut exception, mut error) = (false, false);
        while self.at < self.bytes.len() {
            let Some((name, value)) = self.header() else {
                return Err(damaged("a header is malformed"));
            };
            let Some(value) = value else { continue };
            match name.of(self.bytes) {
                b":event-type" => event = value,
                b":exception-type" => exception_type = Some(value),
                b":error-code" => code = Some(value),
                b":error-message" => text = Some(value),
                b":message-type" => {
                    error = value.of(self.bytes) == b"error";
                    exception = error || value.of(self.bytes) == b"exception";
                }
                _ => {}
            }
        }
        if exception {
            event = exception_type.or(code).unwrap_or(event);
        }
        // A message of type `error` says what it has to say in its headers.
        let data = text.filter(|_| error && payload.is_empty()).unwrap_or(payload);
        Ok(Found { event, data: Some(data), exception })
    }

    /// A header's name and, if it is a string, its value. `None` if it does not fit or its type is unknown.
    fn header(&mut self) -> Option<(Span, Option<Span>)> {
        let name_len = self.skip(1)?.of(self.bytes)[0];
        let name = self.skip(usize::from(name_len))?;
        let kind = self.skip(1)?.of(self.bytes)[0];
        let len = match kind {
            // true, false
            0 | 1 => 0,
            // byte, short, integer, long and time stamp
            2 => 1,
            3 => 2,
            4 => 4,
            5 | 8 => 8,
            // byte array, string
            6 | 7 => {
                let len = self.skip(2)?.of(self.bytes);
                usize::from(u16::from_be_bytes([len[0], len[1]]))
            }
            // UUID
            9 => 16,
            _ => return None,
        };
        let value = self.skip(len)?;
        Some((name, (kind == 7).then_some(value)))
    }

    fn skip(&mut self, len: usize) -> Option<Span> {
        let span = Span { start: self.at, end: self.at.checked_add(len).filter(|end| *end <= self.bytes.len())? };
        self.at = span.end;
        Some(span)
    }
}

/// Appends one message with string headers. The format has room for names of 255 bytes and values of 32,767;
/// longer ones are cut.
///
/// # Panics
///
/// If the message is 4 GiB or longer.
pub fn write(out: &mut Vec<u8>, headers: &[(&str, &str)], payload: &[u8]) {
    const NAME_MAX: usize = 255;
    const VALUE_MAX: usize = 32_767;
    let start = out.len();
    out.resize(start + PRELUDE, 0);
    for (name, value) in headers {
        let (name, value) = (cut(name, NAME_MAX), cut(value, VALUE_MAX));
        out.push(u8::try_from(name.len()).expect("cut to 255 bytes"));
        out.extend_from_slice(name.as_bytes());
        out.push(7);
        out.extend_from_slice(&u16::try_from(value.len()).expect("cut to 32,767 bytes").to_be_bytes());
        out.extend_from_slice(value.as_bytes());
    }
    let headers_len = out.len() - start - PRELUDE;
    out.extend_from_slice(payload);
    let total = out.len() - start + CHECKSUM;
    let length = |n: usize| u32::try_from(n).expect("a message is shorter than 4 GiB").to_be_bytes();
    out[start..start + 4].copy_from_slice(&length(total));
    out[start + 4..start + 8].copy_from_slice(&length(headers_len));
    let prelude_sum = crc32(&out[start..start + 8]).to_be_bytes();
    out[start + 8..start + PRELUDE].copy_from_slice(&prelude_sum);
    let sum = crc32(&out[start..]).to_be_bytes();
    out.extend_from_slice(&sum);
}

/// The longest beginning of at most `max` bytes.
fn cut(text: &str, max: usize) -> &str {
    let end = (0..=max.min(text.len())).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or(0)]
}
