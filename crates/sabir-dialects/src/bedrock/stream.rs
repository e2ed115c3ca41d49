//! Streamed answers, read and written: `messageStart`, blocks of deltas, `messageStop`, and after it `metadata`.

use std::collections::BTreeMap;

use sabir_core::chat::{ChatResponse, Content, Event, Meta, Part, Reasoning, ToolCall, from_base64, to_base64};
use sabir_core::dialect::{Decoder, truncated, unreadable as not_json};
use sabir_core::frame::{Frame, event_stream};
use sabir_core::{Error, ErrorKind, Result, Sink};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};

use super::NAME;
use super::block::{Writer, is_servers, made_id, read_block, read_citations};
use super::error::{from_exception, words_for};
use super::response::{metadata, stop, take_in};
use super::wire::{Delta, DeltaEvent};
use crate::blocks::{Around, BlockEncoder, BlockEvents, Grown, MAX_OPEN, Names, Pieces, Place, Speaker, join, tell};
use crate::json::{Fields, List, Object, One, json_of};
use crate::shared::Losses;

/// Reads one streamed answer.
#[derive(Debug, Default)]
pub(super) struct ConverseDecoder {
    /// The blocks that have begun and not stopped, by their numbers. A text begins with its first delta.
    open: BTreeMap<u64, Block>,
    has_stopped: bool,
    has_metadata: bool,
}

/// What is known of a block and not told yet.
#[derive(Debug, Default)]
struct Block {
    /// The number of the call that it is.
    call: Option<usize>,
    /// It has text of its own, and not citations alone.
    speaks: bool,
    citations: Vec<Value>,
    signature: String,
    sealed: Vec<String>,
    /// A block that is told when it is whole: what its start and its deltas say, joined.
    whole: Value,
}

impl Decoder for ConverseDecoder {
    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) -> Result<()> {
        let data = frame.data.trim_ascii();
        if frame.exception || frame.event.ends_with("Exception") {
            return Err(from_exception(frame.event, data));
        }
        match frame.event {
            "contentBlockDelta" => self.delta(data, sink)?,
            "contentBlockStart" | "contentBlockStop" => {
                let mut fields = Fields::of_answer(data)?;
                let index = fields.count("contentBlockIndex").unwrap_or_default();
                let start = fields.value("start").map_err(|e| e.unreadable())?;
                if start.is_some() || frame.event == "contentBlockStop" {
                    self.open.remove(&index).map_or(Ok(()), |block| block.stop(sink))?;
                }
                if let Some(start) = start {
                    self.open.insert(index, Block::start(start, sink)?);
                }
            }
            "messageStop" | "metadata" => {
                let fields = Fields::of_answer(data)?;
                if frame.event == "metadata" {
                    self.has_metadata = true;
                } else {
                    self.has_stopped = true;
                    std::mem::take(&mut self.open).into_values().try_for_each(|block| block.stop(sink))?;
                }
                take_in(fields, sink).map_err(|e| e.unreadable())?;
                if self.has_stopped && self.has_metadata {
                    sink.end();
                }
            }
            // `messageStart` says the role, which is always the same one.
            _ => {}
        }
        if self.open.len() > MAX_OPEN {
            return Err(Error::new(ErrorKind::Decode, format!("more than {MAX_OPEN} blocks are open at once")));
        }
        Ok(())
    }

    /// The usage comes after the end of the message: without it the answer is whole all the same.
    fn finish(&mut self, _: &mut Sink) -> Result<()> {
        if self.has_stopped { Ok(()) } else { Err(truncated()) }
    }
}

impl ConverseDecoder {
    fn delta(&mut self, data: &[u8], sink: &mut Sink) -> Result<()> {
        let broken = |e| not_json("an event of the stream", &e);
        let event: DeltaEvent<'_> = serde_json::from_slice(data).map_err(broken)?;
        let DeltaEvent { content_block_index: index, delta } = event;
        if !self.open.contains_key(&index) {
            sink.part_end(None, Meta::default());
        }
        let block = self.open.entry(index).or_default();
        match &delta {
            Delta { text: Some(text), .. } => {
                block.speaks |= !text.is_empty();
                sink.text(text);
            }
            Delta { tool_use: Some(more), .. } if block.whole.is_null() => {
                let number = match block.call {
                    Some(number) => number,
                    // Input of a call that was never announced: it is kept, without a name.
                    None => sink.tool_start(&made_id(usize::try_from(index).unwrap_or(usize::MAX)), "")?,
                };
                block.call = Some(number);
                sink.tool_arguments(number, more.input.as_deref().unwrap_or_default());
            }
            Delta { reasoning_content: Some(more), .. } => {
                block.signature.push_str(more.signature.as_deref().unwrap_or_default());
                block.sealed.extend(more.redacted_content.as_deref().map(str::to_owned));
                sink.reasoning(more.text.as_deref().unwrap_or_default());
            }
            // Citations, what the service's own tools are asked and give, images, and deltas that we do not know.
            _ => {
                let mut event: Map<String, Value> = serde_json::from_slice(data).map_err(broken)?;
                match event.get_mut("delta").map(Value::take) {
                    Some(mut delta) if delta["citation"].is_object() => block.citations.push(delta["citation"].take()),
                    Some(delta) => join(&mut block.whole, delta),
                    None => {}
                }
            }
        }
        Ok(())
    }
}

impl Block {
    fn start(start: Value, sink: &mut Sink) -> Result<Self> {
        let (call, mut block) = (&start["toolUse"], Self::default());
        if call.is_object() && !is_servers(call["type"].as_str().unwrap_or_default()) {
            let text = |key: &str| call[key].as_str().unwrap_or_default();
            block.call = Some(sink.tool_start(text("toolUseId"), text("name"))?);
        } else {
            block.whole = start;
        }
        Ok(block)
    }

    /// Tells what was held back until the block is complete.
    fn stop(self, sink: &mut Sink) -> Result<()> {
        if let Some(number) = self.call {
            sink.tool_end(number);
            return Ok(());
        }
        sink.part_end(Some(&*self.signature).filter(|signature| !signature.is_empty()), Meta::default());
        if let Some(sealed) = joined(self.sealed) {
            sink.part(Content::Reasoning(Reasoning { encrypted: Some(sealed), ..Reasoning::default() }).into());
        }
        read_citations(self.citations, !self.speaks).for_each(|citation| sink.part(citation));
        if self.whole.as_object().is_some_and(|whole| !whole.is_empty()) {
            let whole = to_raw_value(&self.whole).map_err(|e| not_json("a block", &e))?;
            let mut parts = Vec::new();
            read_block(&whole, None, &mut parts).map_err(|e| e.unreadable())?;
            tell(parts, sink)?;
        }
        Ok(())
    }
}

/// A sealed thought from its pieces, each base64 of its own.
fn joined(mut pieces: Vec<String>) -> Option<String> {
    if pieces.len() < 2 {
        return pieces.pop();
    }
    let bytes: Result<Vec<_>> = pieces.iter().map(|piece| from_base64(piece)).collect();
    Some(bytes.map_or_else(|_| pieces.concat(), |bytes| to_base64(&bytes.concat())))
}

/// Writes one streamed answer.
pub(super) type ConverseEncoder = BlockEncoder<ConverseEvents>;

/// What a stream is made of.
#[derive(Debug, Default)]
pub(super) struct ConverseEvents {
    started: bool,
    writer: Writer,
    payload: Vec<u8>,
}

const THOUGHT: &str = "reasoningContent";

impl BlockEvents for ConverseEvents {
    const DIALECT: &'static str = NAME;
    const CONTENT_TYPE: &'static str = "application/vnd.amazon.eventstream";
    const NAMES: Names = Names {
        start: "contentBlockStart",
        delta: "contentBlockDelta",
        stop: "contentBlockStop",
        number: "contentBlockIndex",
        block: "start",
        text: Grown(None, Around(r#"{"text":"#, "}")),
        thought: Grown(None, Around(r#"{"reasoningContent":{"text":"#, "}}")),
        signature: Around(r#"{"reasoningContent":{"signature":"#, "}}"),
        citation: Around(r#"{"citation":"#, "}"),
        input: Around(r#"{"toolUse":{"input":"#, "}}"),
    };
    const ONE_AT_A_TIME: bool = false;
    const TELLS_WORDS_OF_SEALED: bool = false;

    fn frame(&mut self, name: &str, out: &mut Vec<u8>, data: impl FnOnce(&mut Object<'_>)) {
        self.payload.clear();
        let mut object = Object::new(&mut self.payload);
        data(&mut object);
        object.end();
        let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
        event_stream::write(out, &headers, &self.payload);
    }

    fn announce(&mut self, _: &Event, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.started, true) {
            self.frame("messageStart", out, |payload| {
                payload.field("role", "assistant");
            });
        }
    }

    fn complete(&mut self, call: Option<&ToolCall>, _: &Meta, place: Place) {
        if let Some(call) = call {
            self.writer.arguments(call, place);
        }
    }

    fn citation(&mut self, part: &Part, _: bool, place: Place) -> Option<Value> {
        let Content::Citation(citation) = &part.content else { return None };
        self.writer.citation(citation, place)
    }

    fn pieces(&mut self, part: &Part, place: Place) -> Vec<Pieces> {
        let mut blocks = List::default();
        self.writer.part(part, Speaker::Assistant, place, &mut blocks);
        let blocks = blocks.json();
        let blocks: Vec<&RawValue> = serde_json::from_slice(&blocks).unwrap_or_default();
        let mut all = Vec::with_capacity(blocks.len());
        for block in blocks {
            match cut(block) {
                Some(pieces) => all.push(pieces),
                None => self.writer.outcome.losses.part(place, &part.content),
            }
        }
        all
    }

    fn done(&mut self, response: &ChatResponse, out: &mut Vec<u8>) {
        let losses = &mut self.writer.outcome.losses;
        let (stop, metadata) = (stop(response, losses), metadata(response, losses));
        self.frame("messageStop", out, |payload| {
            payload.meta(Some(&stop), &[]);
        });
        self.frame("metadata", out, |payload| {
            payload.meta(Some(&metadata), &[]);
        });
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        let headers = [
            (":exception-type", words_for(error.kind()).2),
            (":content-type", "application/json"),
            (":message-type", "exception"),
        ];
        event_stream::write(out, &headers, json!({ "message": error.message() }).to_string().as_bytes());
    }

    fn losses(&self) -> &Losses {
        &self.writer.outcome.losses
    }
}

/// A block in pieces; `None` for one that cannot be cut. A delta brings what is long, all else stands at the start.
fn cut(block: &RawValue) -> Option<Pieces> {
    let mut fields = Fields::read(block, false).ok()?;
    let member = &*fields.first()?;
    let key = match member {
        "text" => return Some(Pieces { start: None, deltas: vec![block.get().into()] }),
        THOUGHT => {
            let mut thought = fields.object(member).ok()??;
            let mut open = thought.object("reasoningText").ok()?;
            let thought = open.as_mut().unwrap_or(&mut thought);
            let pieces = ["text", "signature", "redactedContent"].map(|key| Some(One(key, thought.take(key)?)));
            let deltas = pieces.into_iter().flatten().map(|piece| json_of(&One(THOUGHT, piece)));
            return Some(Pieces { start: None, deltas: deltas.collect() });
        }
        "toolUse" => "input",
        "toolResult" => "content",
        "image" => "source",
        _ => return None,
    };
    let mut inner = fields.object(member).ok()??;
    let delta = inner.take(key).map(|piece| match key {
        // The arguments come as a text, in which their JSON is.
        "input" => json_of(&One(member, One(key, piece.get()))),
        "content" => json_of(&One(member, piece)),
        _ => json_of(&One(member, One(key, piece))),
    });
    let start = json_of(&One(member, inner.rest().ok()?));
    Some(Pieces { start: Some(start), deltas: delta.into_iter().collect() })
}
