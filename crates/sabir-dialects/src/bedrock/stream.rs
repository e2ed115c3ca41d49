//! Streamed answers, read: `messageStart`, blocks of deltas, `messageStop`, and after it `metadata`.

use std::collections::BTreeMap;

use sabir_core::chat::{Content, Meta, Part, Reasoning, from_base64, to_base64};
use sabir_core::dialect::{Decoder, truncated, unreadable as not_json};
use sabir_core::frame::Frame;
use sabir_core::{Result, Sink};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::block::made_id;
use super::error::{from_exception, unreadable};
use super::read::{self, From};
use super::response::{take_in, tell};
use super::wire::{Delta, DeltaEvent, Fields, Wrong};

/// Reads one streamed answer.
#[derive(Debug, Default)]
pub(super) struct ConverseDecoder {
    /// The blocks that have begun and not stopped, by their numbers. A text begins with its first delta.
    open: BTreeMap<u64, Block>,
    has_stopped: bool,
    has_metadata: bool,
}

#[derive(Debug)]
enum Block {
    Text {
        /// Whether it has text of its own, and not citations alone.
        speaks: bool,
        citations: Vec<Value>,
    },
    Thought {
        signature: String,
        sealed: Vec<String>,
    },
    Call(usize),
    /// A tool that the service runs itself.
    ServerUse {
        id: String,
        name: String,
        kind: String,
        input: String,
    },
    /// Any other block: its member of the union, and what start and deltas say, joined.
    Other {
        member: String,
        value: Map<String, Value>,
    },
}

impl Decoder for ConverseDecoder {
    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) -> Result<()> {
        let data = frame.data.trim_ascii();
        if frame.exception || frame.event.ends_with("Exception") {
            return Err(from_exception(frame.event, data));
        }
        match frame.event {
            "contentBlockDelta" => {
                let event: DeltaEvent<'_> =
                    serde_json::from_slice(data).map_err(|e| not_json("an event of the stream", &e))?;
                self.delta(&event, data, sink)
            }
            "contentBlockStart" | "contentBlockStop" | "messageStop" | "metadata" => {
                let json: &RawValue =
                    serde_json::from_slice(data).map_err(|e| not_json("an event of the stream", &e))?;
                let fields = Fields::read(json, false).map_err(|e| unreadable(&e.within("the event")))?;
                self.rare(frame.event, fields, sink)
            }
            // `messageStart` says the role, which is always the same one.
            _ => Ok(()),
        }
    }

    /// The usage comes after the end of the message: without it the answer is whole all the same.
    fn finish(&mut self, _: &mut Sink) -> Result<()> {
        if self.has_stopped { Ok(()) } else { Err(truncated()) }
    }
}

impl ConverseDecoder {
    fn delta(&mut self, event: &DeltaEvent<'_>, data: &[u8], sink: &mut Sink) -> Result<()> {
        let (index, delta) = (event.content_block_index, &event.delta);
        match delta {
            Delta { text: Some(text), .. } => {
                if let Block::Text { speaks, .. } = self.text_block(index, sink)? {
                    *speaks |= !text.0.is_empty();
                }
                sink.text(&text.0);
            }
            Delta { tool_use: Some(more), .. } => {
                let more = more.input.as_ref().map_or("", |input| &input.0);
                match self.open.get_mut(&index) {
                    Some(Block::Call(number)) => sink.tool_arguments(*number, more),
                    Some(Block::ServerUse { input, .. }) => input.push_str(more),
                    _ => {
                        // Input of a call that was never announced: it is kept, without a name.
                        self.stop(index, sink)?;
                        let number = sink.tool_start(&made_id(usize::try_from(index).unwrap_or(usize::MAX)), "")?;
                        sink.tool_arguments(number, more);
                        self.open.insert(index, Block::Call(number));
                    }
                }
            }
            Delta { reasoning_content: Some(more), .. } => {
                let fits = |block: &Block| matches!(block, Block::Thought { .. });
                let new = || Block::Thought { signature: String::new(), sealed: Vec::new() };
                if let Block::Thought { signature, sealed } = self.block(index, fits, new, sink)? {
                    signature.push_str(more.signature.as_ref().map_or("", |s| &s.0));
                    sealed.extend(more.redacted_content.as_ref().map(|piece| piece.0.clone().into_owned()));
                }
                sink.reasoning(more.text.as_ref().map_or("", |t| &t.0));
            }
            _ => self.rare_delta(index, data, sink)?,
        }
        Ok(())
    }

    /// The open block of this number, if it is of the kind; else a new one, and what was open there is complete.
    fn block(
        &mut self,
        index: u64,
        fits: impl Fn(&Block) -> bool,
        new: impl FnOnce() -> Block,
        sink: &mut Sink,
    ) -> Result<&mut Block> {
        if !self.open.get(&index).is_some_and(fits) {
            self.stop(index, sink)?;
            sink.part_end(None, Meta::default());
        }
        Ok(self.open.entry(index).or_insert_with(new))
    }

    fn text_block(&mut self, index: u64, sink: &mut Sink) -> Result<&mut Block> {
        let new = || Block::Text { speaks: false, citations: Vec::new() };
        self.block(index, |block| matches!(block, Block::Text { .. }), new, sink)
    }

    /// Citations, results of the service's tools, images, and deltas that we do not know.
    fn rare_delta(&mut self, index: u64, data: &[u8], sink: &mut Sink) -> Result<()> {
        #[derive(serde::Deserialize)]
        struct Rare {
            delta: Map<String, Value>,
        }
        let Rare { delta } = serde_json::from_slice(data).map_err(|e| not_json("an event of the stream", &e))?;
        let Some((member, more)) = delta.into_iter().find(|(_, value)| !value.is_null()) else {
            return Ok(());
        };
        if member == "citation" {
            if let Block::Text { citations, .. } = self.text_block(index, sink)? {
                citations.push(more);
            }
            return Ok(());
        }
        let fits = |block: &Block| matches!(block, Block::Other { member: of, .. } if *of == member);
        let new = || Block::Other { member: member.clone(), value: Map::new() };
        if let Block::Other { value, .. } = self.block(index, fits, new, sink)? {
            match more {
                Value::Object(more) => more.into_iter().for_each(|(key, more)| join(value, key, more)),
                // A result's content comes as a list; text and what else is bare has no better name.
                more => join(value, "content".to_owned(), more),
            }
        }
        Ok(())
    }

    /// Any event but deltas.
    fn rare(&mut self, event: &str, mut fields: Fields<'_>, sink: &mut Sink) -> Result<()> {
        let read = |e: Wrong| unreadable(&e.within(event));
        match event {
            "contentBlockStart" => {
                let index = fields.get("contentBlockIndex").map_err(read)?.unwrap_or_default();
                if let Some(start) = fields.object("start").map_err(read)? {
                    self.stop(index, sink)?;
                    self.start(index, start, sink)?;
                }
            }
            "contentBlockStop" => {
                let index = fields.get("contentBlockIndex").map_err(read)?.unwrap_or_default();
                self.stop(index, sink)?;
            }
            "messageStop" => {
                for (_, block) in std::mem::take(&mut self.open) {
                    stop(block, sink)?;
                }
                take_in(fields, sink)?;
                self.has_stopped = true;
            }
            _ => {
                take_in(fields, sink)?;
                self.has_metadata = true;
            }
        }
        if self.has_stopped && self.has_metadata {
            sink.end();
        }
        Ok(())
    }

    fn start(&mut self, index: u64, mut start: Fields<'_>, sink: &mut Sink) -> Result<()> {
        let read = |e: Wrong| unreadable(&e.within("contentBlockStart.start"));
        if let Some(mut call) = start.object("toolUse").map_err(read)? {
            let (id, name) = (call.need("toolUseId").map_err(read)?, call.need("name").map_err(read)?);
            let kind = call.text("type").map_err(read)?.filter(|kind| read::is_servers(Some(kind)));
            let block = if let Some(kind) = kind {
                let (id, name, kind) = (id.into_owned(), name.into_owned(), kind.into_owned());
                Block::ServerUse { id, name, kind, input: String::new() }
            } else {
                Block::Call(sink.tool_start(&id, &name)?)
            };
            self.open.insert(index, block);
            return Ok(());
        }
        if let Some((member, value)) = start.rest().map_err(read)?.into_iter().next() {
            let value = match value {
                Value::Object(value) => value,
                _ => Map::new(),
            };
            self.open.insert(index, Block::Other { member, value });
        }
        Ok(())
    }

    fn stop(&mut self, index: u64, sink: &mut Sink) -> Result<()> {
        self.open.remove(&index).map_or(Ok(()), |block| stop(block, sink))
    }
}

/// Adds what a delta brings to what is there: text to text, items to a list; anything else is replaced.
fn join(fields: &mut Map<String, Value>, key: String, value: Value) {
    match (fields.get_mut(&key), value) {
        (Some(Value::String(all)), Value::String(more)) => all.push_str(&more),
        (Some(Value::Array(all)), Value::Array(more)) => all.extend(more),
        (_, value) => {
            fields.insert(key, value);
        }
    }
}

/// A block is complete.
fn stop(block: Block, sink: &mut Sink) -> Result<()> {
    match block {
        Block::Text { speaks, citations } => {
            sink.part_end(None, Meta::default());
            for citation in read::citations(citations, !speaks) {
                sink.part(citation);
            }
        }
        Block::Thought { signature, sealed } => {
            sink.part_end(Some(&*signature).filter(|s| !s.is_empty()), Meta::default());
            if let Some(sealed) = joined(sealed) {
                let thought = Reasoning { encrypted: Some(sealed), ..Reasoning::default() };
                sink.part(Content::Reasoning(thought).into());
            }
        }
        Block::Call(number) => sink.tool_end(number),
        Block::ServerUse { id, name, kind, input } => {
            let input = if input.trim().is_empty() { "{}".to_owned() } else { input };
            sink.part(read::server_use(id, name, input, kind));
        }
        Block::Other { member, value } => {
            let whole = Map::from_iter([(member, Value::Object(value))]);
            let whole = to_raw_value(&whole).map_err(|e| not_json("a block", &e))?;
            let mut parts: Vec<Part> = Vec::new();
            read::block(&whole, From::Answer, &mut parts).map_err(|e| unreadable(&e))?;
            tell(parts, sink)?;
        }
    }
    Ok(())
}

/// A sealed thought from its pieces, each base64 of its own.
fn joined(mut pieces: Vec<String>) -> Option<String> {
    if pieces.len() < 2 {
        return pieces.pop();
    }
    let bytes: Option<Vec<_>> = pieces.iter().map(|piece| from_base64(piece).ok()).collect();
    Some(bytes.map_or_else(|| pieces.concat(), |bytes| to_base64(&bytes.concat())))
}
