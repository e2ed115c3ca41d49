//! Streamed answers: whole answers in pieces, as server-sent events or as one list, read and written.

use std::collections::BTreeMap;

use sabir_core::chat::{ChatRequest, Content, Event, Meta, Part};
use sabir_core::dialect::{Decoder, Encoder, truncated};
use sabir_core::frame::{Frame, json_array, sse};
use sabir_core::{Error, Loss, Result, Sink};
use serde_json::Value;

use super::response::{chunk, last_chunk, who, write_chunk};
use super::tell::Teller;
use super::write::Parts;
use super::{ALT, NAME, SIGNATURE};
use crate::google_error as error;
use crate::json::List;
use crate::places::Places;

/// Reads chunks. There is no end marker, and a reason to finish may be followed by more: the answer is whole where
/// the body ends behind one.
#[derive(Debug, Default)]
pub(super) struct ChunkDecoder(Teller);

impl Decoder for ChunkDecoder {
    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) -> Result<()> {
        let data = frame.data.trim_ascii();
        // Google sends no marker; those who copy it may.
        if data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        self.0.tell(chunk(data, "a piece of the answer")?, sink)
    }

    fn finish(&mut self, sink: &mut Sink) -> Result<()> {
        if !self.0.has_finished {
            return Err(truncated());
        }
        self.0.close(sink);
        Ok(())
    }
}

/// Writes chunks. Calls go out whole, as Google sends them.
#[derive(Debug, Default)]
pub(super) struct ChunkEncoder {
    as_array: bool,
    has_begun: bool,
    id: String,
    model: String,
    /// What stands before and behind the parts of a chunk.
    around: Option<(Vec<u8>, Vec<u8>)>,
    /// Whether the open text is a thought; whether it was closed and may be followed by another of its kind.
    open: Option<(bool, bool)>,
    /// Calls that wait for those that began before them, by number, with their places; and how many are written.
    calls: BTreeMap<usize, (usize, Part)>,
    called: usize,
    parts: Parts,
    places: Places,
    /// The furthest place that something was written of.
    written: usize,
}

/// Writes a part with a text.
fn write_text(list: &mut List, is_thought: bool, text: &str) {
    list.object(|to| _ = to.field("text", text).some("thought", is_thought.then_some(true)));
}

impl ChunkEncoder {
    pub(super) fn new(request: &ChatRequest) -> Self {
        let as_array = request.options.get(NAME, ALT).is_some_and(|alt| alt == "json");
        Self { as_array, parts: Parts { answers: true, ..Parts::default() }, ..Self::default() }
    }

    fn chunk(&mut self, mut json: Vec<u8>, out: &mut Vec<u8>) {
        if self.as_array {
            json_array::write(out, !self.has_begun, &json);
        } else {
            // Many clients read an event's first line only. Line ends in JSON are white space between tokens.
            json.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
            sse::write(out, "", &json);
        }
        self.has_begun = true;
    }

    /// Writes the last chunk, and the end of the list.
    fn end(&mut self, json: Vec<u8>, out: &mut Vec<u8>) {
        self.chunk(json, out);
        if self.as_array {
            json_array::write_end(out, false);
        }
    }

    fn content(&mut self, parts: &List, out: &mut Vec<u8>) {
        // But for their parts all chunks are alike.
        let (before, after) = self.around.get_or_insert_with(|| {
            let mut place = List::default();
            place.item().push(b'0');
            let json = write_chunk(Some(&place), None, |_| {}, |to| who(&self.model, &self.id, to));
            let at = json.windows(3).position(|three| three == b"[0]").map_or(0, |at| at + 1);
            (json[..at].to_vec(), json[at + 1..].to_vec())
        });
        let json = [before, parts.items(), after].concat();
        self.chunk(json, out);
    }

    fn delta(&mut self, is_thought: bool, text: &str, out: &mut Vec<u8>) {
        let mut parts = List::default();
        if self.open.replace((is_thought, false)) == Some((is_thought, true)) {
            // Two texts in one chunk are two texts; the first of them, which is empty, ends the one before.
            write_text(&mut parts, is_thought, "");
        }
        write_text(&mut parts, is_thought, text);
        self.content(&parts, out);
    }

    fn part_end(&mut self, place: usize, signature: Option<&str>, meta: &Meta, out: &mut Vec<u8>) {
        // Only a thought is made of a signature alone.
        let is_thought = self.open.take().is_none_or(|(is_thought, is_closed)| is_thought || is_closed);
        let signature = meta.get(NAME, SIGNATURE).and_then(Value::as_str).or(signature);
        let signature = self.parts.signature(signature, &format!("parts[{place}]"));
        if signature.is_none() && meta.of(NAME).is_none_or(|own| own.keys().all(|field| field == SIGNATURE)) {
            self.open = Some((is_thought, true));
            return;
        }
        let mut parts = List::default();
        parts.object(|to| {
            to.field("text", "").some("thought", is_thought.then_some(true)).some(SIGNATURE, signature);
            to.meta(meta.of(NAME), &[SIGNATURE]);
        });
        self.content(&parts, out);
    }

    fn whole(&mut self, part: &Part, place: usize, out: &mut Vec<u8>) {
        // Sources go with the end.
        if matches!(part.content, Content::Citation(_)) {
            return;
        }
        let (path, mut parts) = (format!("parts[{place}]"), List::default());
        if place < self.written {
            self.parts.losses.order(&*path, "a call goes when it is whole, behind what came meanwhile");
        }
        parts.add(self.parts.write(part, &path));
        if !parts.is_empty() {
            self.open = None;
            self.content(&parts, out);
        }
    }
}

impl Encoder for ChunkEncoder {
    fn content_type(&self) -> &'static str {
        if self.as_array { "application/json" } else { "text/event-stream" }
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        let place = self.places.of(event);
        if matches!(event, Event::Text(_) | Event::Reasoning(_) | Event::Part(_)) {
            self.written = place;
        }
        match event {
            Event::Start { id, model } => (self.id, self.model, self.around) = (id.clone(), model.clone(), None),
            Event::Text(text) => self.delta(false, text, out),
            Event::Reasoning(text) => self.delta(true, text, out),
            Event::PartEnd { signature, meta } => self.part_end(place, signature.as_deref(), meta, out),
            Event::ToolEnd { index, call, meta } => {
                let part = Part { meta: meta.clone(), ..Content::ToolCall(call.clone()).into() };
                self.calls.insert(*index, (place, part));
                while let Some((place, part)) = self.calls.remove(&self.called) {
                    self.called += 1;
                    self.whole(&part, place, out);
                }
            }
            Event::Part(part) => self.whole(part, place, out),
            Event::Done(response) => {
                let mut parts = List::default();
                if self.has_begun {
                    write_text(&mut parts, false, "");
                }
                let json = last_chunk(response, &parts, &mut self.parts.losses);
                self.end(json, out);
            }
            // Arguments wait for their call, and the last usage comes with the end.
            _ => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        self.end(error::refuse(error).1.into(), out);
    }

    fn losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.parts.losses.0)
    }
}
