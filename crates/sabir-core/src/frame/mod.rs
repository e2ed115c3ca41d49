//! From a response body, in whatever pieces it arrives, to the frames in it, and back.
//!
//! Pure and linear: every byte is looked at once however the body is cut, a frame is borrowed from the buffer
//! it arrived in, and no frame may be longer than the [`Framer`]'s limit.

mod buffer;
mod crc32;
pub mod event_stream;
pub mod json_array;
pub mod ndjson;
pub mod sse;

#[cfg(test)]
mod tests;

use std::fmt;

use bytes::Bytes;

use crate::error::{Error, ErrorKind, Result};
use buffer::Buffer;

/// How a streamed body is divided into frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Framing {
    /// Server-sent events (WHATWG HTML §9.2), `text/event-stream`.
    Sse,
    /// One JSON text a line, `application/x-ndjson`.
    Ndjson,
    /// Amazon's binary messages, `application/vnd.amazon.eventstream`.
    EventStream,
    /// The elements of one JSON array, `application/json`.
    JsonArray,
}

/// One frame, borrowed from the framer's buffer until the next call.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The SSE event name, or the event stream's `:event-type`, `:exception-type` or `:error-code`;
    /// empty where there is none.
    pub event: &'a str,
    /// The payload: usually one JSON text.
    pub data: &'a [u8],
    /// Whether an event stream's `:message-type` is `exception` or `error`.
    pub exception: bool,
}

/// Shows the length of the data, not the data: it may be somebody's prompt.
impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frame")
            .field("event", &self.event)
            .field("data_len", &self.data.len())
            .field("exception", &self.exception)
            .finish()
    }
}

/// The longest frame that is accepted unless [`Framer::with_limit`] says otherwise, in bytes: 32 MiB.
/// Images inside a frame reach several MiB.
pub const DEFAULT_LIMIT: usize = 32 * 1024 * 1024;

/// Cuts a body into frames: [`push`](Self::push) what arrived, call [`next`](Self::next) until it gives `None`,
/// and after the last piece [`finish`](Self::finish) and `next` again.
pub struct Framer {
    framing: Framing,
    limit: usize,
    buffer: Buffer,
    parser: Parser,
    ended: bool,
    failed: Option<Error>,
    /// How many bytes were read.
    read: usize,
}

enum Parser {
    Sse(sse::Parser),
    Ndjson(ndjson::Parser),
    EventStream,
    JsonArray(json_array::Parser),
}

/// What a parser made of the unread bytes: how many are done with, and where in those a frame lies.
struct Step {
    consumed: usize,
    found: Option<Found>,
}

struct Found {
    event: Span,
    /// `None`: the parser had to join lines and holds the data itself.
    data: Option<Span>,
    exception: bool,
}

/// A range of the unread bytes.
#[derive(Clone, Copy, Default)]
struct Span {
    start: usize,
    end: usize,
}

impl Span {
    fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start..self.end]
    }

    fn is_empty(self) -> bool {
        self.start == self.end
    }
}

impl Framer {
    /// A framer at the start of a body, with the limit [`DEFAULT_LIMIT`].
    pub fn new(framing: Framing) -> Self {
        let parser = match framing {
            Framing::Sse => Parser::Sse(sse::Parser::default()),
            Framing::Ndjson => Parser::Ndjson(ndjson::Parser::default()),
            Framing::EventStream => Parser::EventStream,
            Framing::JsonArray => Parser::JsonArray(json_array::Parser::default()),
        };
        Self { framing, limit: DEFAULT_LIMIT, buffer: Buffer::default(), parser, ended: false, failed: None, read: 0 }
    }

    /// Sets the longest frame to accept, in bytes of the wire. A longer one is an error of kind `Decode`.
    #[must_use]
    pub fn with_limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Adds a piece of the body. It is not copied where everything before it has been read.
    /// Ignored after [`finish`](Self::finish) and after an error.
    pub fn push(&mut self, chunk: Bytes) {
        if !self.ended && self.failed.is_none() {
            self.buffer.push(chunk);
        }
    }

    /// How many bytes of the body are read: up to the end of the frame that was given last, where one was.
    pub fn read(&self) -> usize {
        self.read
    }

    /// Says that the body has ended: what is left counts as the last line or event, as some providers leave out
    /// the line end there. Half a message of an event stream, or an array that was not closed, becomes an error of kind
    /// `Truncated`.
    pub fn finish(&mut self) {
        self.ended = true;
    }

    /// The next frame; `None` when more bytes are needed or, after [`finish`](Self::finish), when there are no more.
    ///
    /// # Errors
    ///
    /// `Decode` for a frame over the limit or a damaged message of an event stream, `Truncated` for half a message
    /// at the end. A body cannot be picked up again after an error: each further call returns the same one.
    #[expect(clippy::should_implement_trait, reason = "an Iterator's items cannot borrow from it")]
    pub fn next(&mut self) -> Result<Option<Frame<'_>>> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let unread = self.buffer.unread();
        let step = match &mut self.parser {
            Parser::Sse(parser) => parser.step(unread, self.limit, self.ended),
            Parser::Ndjson(parser) => parser.step(unread, self.limit, self.ended),
            Parser::EventStream => event_stream::step(unread, self.limit, self.ended),
            Parser::JsonArray(parser) => parser.step(unread, self.limit, self.ended),
        };
        let Step { consumed, found } = step.inspect_err(|error| {
            self.failed = Some(error.clone());
            self.buffer = Buffer::default();
        })?;
        self.read += consumed;
        let bytes = self.buffer.take(consumed);
        Ok(found.map(|found| Frame {
            event: std::str::from_utf8(found.event.of(bytes)).unwrap_or_default(),
            data: match (found.data, &self.parser) {
                (Some(span), _) => span.of(bytes),
                (None, Parser::Sse(parser)) => parser.joined(),
                (None, _) => &[],
            },
            exception: found.exception,
        }))
    }
}

/// Shows how much is buffered, not what.
impl fmt::Debug for Framer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Framer")
            .field("framing", &self.framing)
            .field("limit", &self.limit)
            .field("unread", &self.buffer.unread().len())
            .field("ended", &self.ended)
            .field("failed", &self.failed)
            .finish_non_exhaustive()
    }
}

#[cold]
fn too_long(what: &str, limit: usize) -> Error {
    Error::new(
        ErrorKind::Decode,
        format!(
            "{what} in the response stream is longer than the limit of {limit} bytes; raise the limit if this is expected"
        ),
    )
}
