//! Streamed answers: whole answers in pieces, as server-sent events or as one list, read and written.

use sabir_core::chat::{ChatRequest, Citation, Content, Event, Meta, Part};
use sabir_core::dialect::{Decoder, Encoder, truncated};
use sabir_core::frame::{Frame, json_array, sse};
use sabir_core::{Error, Loss, Result, Sink};

use super::part::Parts;
use super::response::{chunk, last_chunk, who};
use super::tell::Teller;
use super::wire::Writer;
use super::{ALT, NAME, SIGNATURE, error};

/// Reads chunks. There is no end marker, and a reason to finish may be followed by more: the answer is whole where
/// the body ends behind one.
#[derive(Debug, Default)]
pub(super) struct ChunkDecoder {
    teller: Teller,
}

impl Decoder for ChunkDecoder {
    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) -> Result<()> {
        let data = frame.data.trim_ascii();
        // Google sends no marker; those who copy it may.
        if data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        self.teller.tell(chunk(data, "a piece of the answer")?, sink)
    }

    fn finish(&mut self, sink: &mut Sink) -> Result<()> {
        if !self.teller.has_finished() {
            return Err(truncated());
        }
        self.teller.close(sink);
        Ok(())
    }
}

/// Writes chunks. Calls go out whole, as Google sends them.
#[derive(Debug)]
pub(super) struct ChunkEncoder {
    as_array: bool,
    is_first: bool,
    /// What follows the candidate in every chunk: who answers.
    tail: String,
    /// The kind of the open text; whether it was closed and may be followed by another of its kind.
    open: Option<(Kind, bool)>,
    calls: Vec<Option<Part>>,
    /// How many calls are written.
    called: usize,
    citations: Vec<Citation>,
    parts: Parts,
    count: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thought,
}

impl Kind {
    /// The fields of a part with this text.
    fn part(self, text: &str) -> Writer {
        let mut out = Writer::new();
        out.field("text", text);
        if self == Self::Thought {
            out.raw("thought", "true");
        }
        out
    }
}

impl ChunkEncoder {
    pub(super) fn new(request: &ChatRequest) -> Self {
        Self {
            as_array: request.options.get(NAME, ALT).is_some_and(|alt| alt == "json"),
            is_first: true,
            tail: "}".to_owned(),
            open: None,
            calls: Vec::new(),
            called: 0,
            citations: Vec::new(),
            parts: Parts { answers: true, ..Parts::default() },
            count: 0,
        }
    }

    fn chunk(&mut self, json: &str, out: &mut Vec<u8>) {
        if self.as_array {
            json_array::write(out, self.is_first, json.as_bytes());
        } else if json.contains(['\n', '\r']) {
            // Many clients read an event's first line only. Line ends in JSON are white space between tokens.
            sse::write(out, "", json.replace(['\n', '\r'], " ").as_bytes());
        } else {
            sse::write(out, "", json.as_bytes());
        }
        self.is_first = false;
    }

    /// A chunk with parts, given as the inside of a list.
    fn content(&mut self, parts: &str, out: &mut Vec<u8>) {
        let tail = &self.tail;
        let json =
            format!("{{\"candidates\":[{{\"content\":{{\"parts\":[{parts}],\"role\":\"model\"}},\"index\":0}}]{tail}");
        self.chunk(&json, out);
    }

    fn delta(&mut self, kind: Kind, text: &str, out: &mut Vec<u8>) {
        let part = kind.part(text).end();
        if self.open.replace((kind, false)) == Some((kind, true)) {
            // Two texts in one chunk are two texts; the first of them, which is empty, ends the one before.
            let end = kind.part("").end();
            self.content(&format!("{end},{part}"), out);
        } else {
            self.content(&part, out);
        }
    }

    fn part_end(&mut self, signature: Option<&str>, meta: &Meta, out: &mut Vec<u8>) {
        let kind = match self.open.take() {
            Some((kind, false)) => kind,
            // Only a thought is made of a signature alone.
            _ => Kind::Thought,
        };
        let own = meta.of(NAME).into_iter().flatten();
        let mut part = kind.part("");
        let signature = signature.filter(|_| meta.get(NAME, SIGNATURE).is_none());
        part.some(SIGNATURE, signature);
        let says = signature.is_some() || meta.of(NAME).is_some();
        for (name, field) in own {
            part.field(name, field);
        }
        if says {
            self.content(&part.end(), out);
        } else {
            self.open = Some((kind, true));
        }
        self.count += 1;
    }

    fn whole(&mut self, part: &Part, out: &mut Vec<u8>) {
        self.open = None;
        let path = format!("parts[{}]", self.count);
        self.count += 1;
        if let Content::Citation(citation) = &part.content {
            self.citations.push(citation.clone());
        } else if let Some(json) = self.parts.write(part, &path) {
            self.content(&json, out);
        }
    }
}

impl Encoder for ChunkEncoder {
    fn content_type(&self) -> &'static str {
        if self.as_array { "application/json" } else { "text/event-stream" }
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model } => {
                let mut tail = Writer::new();
                who(model, id, &mut tail);
                let tail = tail.end();
                // The inside of the object, and the end of the chunk's own.
                self.tail = if tail.len() > 2 { format!(",{}", &tail[1..]) } else { "}".to_owned() };
            }
            Event::Text(text) => self.delta(Kind::Text, text, out),
            Event::Reasoning(text) => self.delta(Kind::Thought, text, out),
            Event::PartEnd { signature, meta } => self.part_end(signature.as_deref(), meta, out),
            Event::ToolStart { index, .. } => {
                self.open = None;
                if *index == self.calls.len() {
                    self.calls.push(None);
                }
            }
            Event::ToolEnd { index, call, meta } => {
                let part = Part { meta: meta.clone(), ..Content::ToolCall(call.clone()).into() };
                if let Some(place) = self.calls.get_mut(*index) {
                    *place = Some(part);
                }
                // In the order in which they began.
                while let Some(part) = self.calls.get_mut(self.called).and_then(Option::take) {
                    self.called += 1;
                    self.whole(&part, out);
                }
            }
            Event::Part(part) => self.whole(part, out),
            Event::Done(response) => {
                let said = [Kind::Text.part("").end()];
                let citations = std::mem::take(&mut self.citations);
                let parts = if self.is_first { &[][..] } else { &said[..] };
                let json = last_chunk(response, parts, &citations, &mut self.parts.losses);
                self.chunk(&json, out);
                if self.as_array {
                    json_array::write_end(out, false);
                }
            }
            // Arguments wait for their call, and the last usage comes with the end.
            _ => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        let (_, json) = error::shape(error);
        self.chunk(&json, out);
        if self.as_array {
            json_array::write_end(out, false);
        }
    }

    fn losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.parts.losses)
    }
}
