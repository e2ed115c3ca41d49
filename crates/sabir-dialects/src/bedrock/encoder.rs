//! Streamed answers, written.

use std::collections::BTreeMap;

use sabir_core::chat::{Content, Event, Part};
use sabir_core::dialect::Encoder;
use sabir_core::frame::event_stream;
use sabir_core::{Error, Loss};
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::NAME;
use super::block::Writer;
use super::error::words_for;
use super::response::{metadata, stop};
use super::wire::DeltaEvent;
use crate::blocks::{Place, Speaker};
use crate::json::{Fields, List, One, write_json};
use crate::places::Places;

/// Writes one streamed answer.
#[derive(Debug, Default)]
pub(super) struct ConverseEncoder {
    started: bool,
    blocks: u64,
    /// The text or thought that is open, by its block's number.
    open: Option<(u64, &'static str)>,
    /// The open text is complete but for its citations.
    ended: bool,
    /// The blocks of the calls that are open, by the calls' numbers.
    calls: BTreeMap<usize, u64>,
    place: Place,
    places: Places,
    writer: Writer,
    payload: Vec<u8>,
}

const TEXT: &str = "text";
const THOUGHT: &str = "reasoningContent";

impl Encoder for ConverseEncoder {
    fn content_type(&self) -> &'static str {
        "application/vnd.amazon.eventstream"
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.started, true) {
            self.frame("messageStart", &One("role", "assistant"), out);
        }
        self.place.part = self.places.of(event);
        let cites =
            |part: &Part| matches!(part.content, Content::Citation(_)) && part.meta.form(NAME, "apart").is_none();
        if self.ended && !matches!(event, Event::Part(part) if cites(part)) {
            self.close(out);
        }
        match event {
            Event::Text(delta) => self.said(TEXT, One(TEXT, delta), out),
            Event::Reasoning(delta) => self.said(THOUGHT, One(THOUGHT, One("text", delta)), out),
            Event::PartEnd { signature, .. } => {
                if let Some(signature) = signature {
                    self.said(THOUGHT, One(THOUGHT, One("signature", signature)), out);
                }
                match self.open {
                    Some((_, TEXT)) => self.ended = true,
                    _ => self.close(out),
                }
            }
            Event::ToolStart { index, id, name } => {
                let call = json!({ "toolUseId": self.writer.call_id(id), "name": name });
                let block = self.start("toolUse", call, out);
                self.calls.insert(*index, block);
            }
            Event::ToolArguments { index, fragment } => {
                if let Some(block) = self.calls.get(index).copied() {
                    self.delta(block, One("toolUse", One("input", fragment)), out);
                }
            }
            Event::ToolEnd { index, call, .. } => {
                self.writer.check(call, self.place);
                if let Some(block) = self.calls.remove(index) {
                    self.stop(block, out);
                }
            }
            Event::Part(part) => self.part(part, out),
            Event::Done(response) => {
                self.close(out);
                while let Some((_, block)) = self.calls.pop_first() {
                    self.stop(block, out);
                }
                let mut losses = std::mem::take(&mut self.writer.losses);
                self.frame("messageStop", &stop(response, &mut losses), out);
                self.frame("metadata", &metadata(response, &mut losses), out);
                self.writer.losses = losses;
            }
            _ => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        let headers = [
            (":exception-type", words_for(error.kind()).2),
            (":content-type", "application/json"),
            (":message-type", "exception"),
        ];
        event_stream::write(out, &headers, json!({ "message": error.message() }).to_string().as_bytes());
    }

    fn losses(&mut self) -> Vec<Loss> {
        self.writer.losses.0.clone()
    }
}

impl ConverseEncoder {
    fn frame(&mut self, event: &str, payload: &impl Serialize, out: &mut Vec<u8>) {
        self.payload.clear();
        write_json(&mut self.payload, payload);
        let headers = [(":event-type", event), (":content-type", "application/json"), (":message-type", "event")];
        event_stream::write(out, &headers, &self.payload);
    }

    fn start(&mut self, member: &str, start: impl Serialize, out: &mut Vec<u8>) -> u64 {
        self.close(out);
        let block = self.blocks;
        self.blocks += 1;
        let start = json!({ "contentBlockIndex": block, "start": { member: start } });
        self.frame("contentBlockStart", &start, out);
        block
    }

    fn delta(&mut self, content_block_index: u64, delta: impl Serialize, out: &mut Vec<u8>) {
        self.frame("contentBlockDelta", &DeltaEvent { content_block_index, delta }, out);
    }

    fn stop(&mut self, block: u64, out: &mut Vec<u8>) {
        self.frame("contentBlockStop", &One("contentBlockIndex", block), out);
    }

    /// Writes a delta of the open text or thought; such a block begins with its first delta.
    fn said(&mut self, kind: &'static str, delta: impl Serialize, out: &mut Vec<u8>) {
        if self.open.is_none_or(|(_, open)| open != kind) {
            self.close(out);
            self.open = Some((self.blocks, kind));
            self.blocks += 1;
        }
        if let Some((block, _)) = self.open {
            self.delta(block, delta, out);
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        self.ended = false;
        if let Some((block, _)) = self.open.take() {
            self.stop(block, out);
        }
    }

    /// Writes a part that came whole, as its blocks would have come in pieces.
    fn part(&mut self, part: &Part, out: &mut Vec<u8>) {
        if let Content::Citation(citation) = &part.content {
            if let Some(json) = self.writer.citation(citation, self.place) {
                self.said(TEXT, One("citation", json), out);
                self.ended = true;
            }
            return;
        }
        self.close(out);
        let mut blocks = List::default();
        self.writer.part(part, Speaker::Assistant, self.place, &mut blocks);
        let blocks = blocks.json();
        for block in serde_json::from_slice::<Vec<&RawValue>>(&blocks).unwrap_or_default() {
            if self.block(block, out).is_none() {
                self.writer.losses.part(self.place, &part.content);
            }
        }
    }

    /// Writes a block in pieces; `None` for one that cannot be cut.
    fn block(&mut self, block: &RawValue, out: &mut Vec<u8>) -> Option<()> {
        let mut fields = Fields::read(block, false).ok()?;
        let member = fields.first()?;
        // What a delta brings of it; all else stands at the start.
        let key = match &*member {
            TEXT => {
                self.said(TEXT, block, out);
                self.ended = true;
                return Some(());
            }
            THOUGHT => {
                let mut thought = fields.object(&member).ok()??;
                let mut open = thought.object("reasoningText").ok()?;
                for key in ["text", "signature", "redactedContent"] {
                    if let Some(value) = open.as_mut().unwrap_or(&mut thought).take(key) {
                        self.said(THOUGHT, One(THOUGHT, One(key, value)), out);
                    }
                }
                self.close(out);
                return Some(());
            }
            "toolUse" => "input",
            "toolResult" => "content",
            "image" => "source",
            _ => return None,
        };
        let mut inner = fields.object(&member).ok()??;
        let piece = inner.take(key);
        let number = self.start(&member, inner.rest().ok()?, out);
        match (key, piece) {
            (_, None) => {}
            ("input", Some(piece)) => self.delta(number, One(&member, One(key, piece.get())), out),
            ("content", Some(piece)) => self.delta(number, One(&member, piece), out),
            (_, Some(piece)) => self.delta(number, One(&member, One(key, piece)), out),
        }
        self.stop(number, out);
        Some(())
    }
}
