//! Streamed answers, written: the reverse of `stream`.

use sabir_core::chat::{ChatResponse, Content, Event, Meta, Part, Reasoning, Usage};
use sabir_core::dialect::Encoder;
use sabir_core::{Error, Feature, Loss};
use serde::Serialize;
use serde_json::value::RawValue;

use super::NAME;
use super::response::{WRITTEN, write_error, write_finish, write_head};
use super::wire::write_usage;
use super::writer::Writer;
use crate::blocks::{Place, Speaker};
use crate::json::{List, write_json};
use crate::places::Places;
use crate::shared::{Losses, write_event};

/// How deltas begin.
const TEXT: &str = r#"{"type":"text_delta","text":"#;
const THOUGHT: &str = r#"{"type":"thinking_delta","thinking":"#;
const SIGNATURE: &str = r#"{"type":"signature_delta","signature":"#;
const CITATION: &str = r#"{"type":"citations_delta","citation":"#;
const INPUT: &str = r#"{"type":"input_json_delta","partial_json":"#;

/// Writes one streamed answer.
#[derive(Debug, Default)]
pub(super) struct MessagesEncoder {
    writer: Writer,
    /// The model, held back with the start until it is known whether the usage follows.
    start: Option<String>,
    blocks: usize,
    /// The text or thought that is open, by its block's number.
    open: Option<(usize, &'static str)>,
    /// The open text is complete but for its citations.
    ended: bool,
    /// The calls that are open.
    calls: Vec<Call>,
    place: Place,
    places: Places,
}

#[derive(Debug)]
struct Call {
    number: usize,
    block: usize,
    arguments: String,
}

impl Encoder for MessagesEncoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if let Event::Start { id, model } = event {
            id.clone_into(&mut self.writer.answer_id);
            self.start = Some(model.clone());
            return;
        }
        self.place.part = self.places.of(event);
        self.announce(event, out);
        if self.ended && !matches!(event, Event::Part(part) if matches!(part.content, Content::Citation(_))) {
            self.close(out);
        }
        match event {
            Event::Text(delta) => self.delta("text", TEXT, delta, out),
            Event::Reasoning(delta) => self.delta("thinking", THOUGHT, delta, out),
            Event::PartEnd { signature, meta } => self.part_end(signature.as_deref(), meta, out),
            Event::ToolStart { index, id, name } => {
                if let Some(block) = self.whole(&Part::tool_call(id, name, ""), out) {
                    self.calls.push(Call { number: *index, block, arguments: String::new() });
                }
            }
            Event::ToolArguments { index, fragment } => {
                if let Some(call) = self.calls.iter_mut().rfind(|call| call.number == *index) {
                    call.arguments.push_str(fragment);
                    write_delta(out, call.block, INPUT, fragment);
                }
            }
            Event::ToolEnd { index, meta, .. } => {
                self.lose_meta(meta);
                self.calls.extract_if(.., |call| call.number == *index).for_each(|call| write_stop(out, call.block));
            }
            Event::Part(part) => self.part(part, out),
            Event::Done(response) => self.done(response, out),
            _ => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        write_event(out, "error", |event| write_error(event, error));
    }

    fn losses(&mut self) -> Vec<Loss> {
        self.writer.losses.0.clone()
    }
}

fn write_stop(out: &mut Vec<u8>, block: usize) {
    write_event(out, "content_block_stop", |event| {
        event.field("index", &block);
    });
}

/// Writes a delta. `start` is all of it that stands before the value.
fn write_delta(out: &mut Vec<u8>, block: usize, start: &str, value: &(impl Serialize + ?Sized)) {
    write_event(out, "content_block_delta", |event| {
        event.field("index", &block).write("delta", |out| {
            out.extend_from_slice(start.as_bytes());
            write_json(out, value);
            out.push(b'}');
        });
    });
}

impl MessagesEncoder {
    fn announce(&mut self, event: &Event, out: &mut Vec<u8>) {
        let Some(model) = self.start.take() else { return };
        let usage = if let Event::Usage(known) = event { known } else { &Usage::default() };
        write_event(out, "message_start", |start| {
            start.object("message", |message| {
                write_head(message, &self.writer.answer_id, &model);
                message.raw("content", "[]").raw("stop_reason", "null").raw("stop_sequence", "null");
                // What is unknown yet is no loss.
                write_usage(message, usage, &Meta::default(), &mut Losses::default());
            });
        });
    }

    /// Begins a block, after everything that can be known to be complete has ended.
    fn begin(&mut self, block: impl AsRef<[u8]>, out: &mut Vec<u8>) -> usize {
        self.close(out);
        // Arguments that are whole cannot go on. Half ones may: their block stays open, told apart by its number.
        let is_whole = |call: &mut Call| serde_json::from_str::<&RawValue>(&call.arguments).is_ok();
        self.calls.extract_if(.., is_whole).for_each(|call| write_stop(out, call.block));
        let number = self.blocks;
        self.blocks += 1;
        write_event(out, "content_block_start", |event| {
            event.field("index", &number).raw("content_block", block);
        });
        number
    }

    /// Ends the open text or thought.
    fn close(&mut self, out: &mut Vec<u8>) {
        self.ended = false;
        if let Some((block, _)) = self.open.take() {
            write_stop(out, block);
        }
    }

    /// More of a text or a thought, in the block that is open or in a new one.
    fn delta(&mut self, kind: &'static str, start: &str, value: &str, out: &mut Vec<u8>) {
        let block = match self.open {
            Some((block, open)) if open == kind => block,
            _ if kind == "text" => self.begin(r#"{"type":"text","text":""}"#, out),
            _ => self.begin(r#"{"type":"thinking","thinking":"","signature":""}"#, out),
        };
        self.open = Some((block, kind));
        write_delta(out, block, start, value);
    }

    fn part_end(&mut self, signature: Option<&str>, meta: &Meta, out: &mut Vec<u8>) {
        self.lose_meta(meta);
        if let Some(signature) = signature {
            self.delta("thinking", SIGNATURE, signature, out);
        }
        match self.open {
            // Its citations may follow, and belong into the block.
            Some((_, "text")) => self.ended = true,
            _ => self.close(out),
        }
    }

    /// A part that came whole.
    fn part(&mut self, part: &Part, out: &mut Vec<u8>) {
        let mut start = part.clone();
        let input = match &mut start.content {
            Content::Text { text } => {
                self.delta("text", TEXT, text, out);
                return self.part_end(None, &part.meta, out);
            }
            Content::Citation(_) if self.ended => {
                let json = self.writer.citation(part, Speaker::Assistant, self.place);
                if let (Some((block, _)), Some(json)) = (self.open, json) {
                    write_delta(out, block, CITATION, json);
                }
                return;
            }
            Content::Reasoning(Reasoning { text, signature, encrypted }) if !text.is_empty() || encrypted.is_none() => {
                self.delta("thinking", THOUGHT, text, out);
                self.part_end(signature.as_deref(), &part.meta, out);
                if encrypted.is_none() {
                    return;
                }
                text.clear();
                None
            }
            Content::ToolCall(call) => Some(std::mem::take(&mut call.arguments)),
            Content::ServerToolUse(used) => Some(std::mem::take(&mut used.input)),
            _ => None,
        };
        if let Some(block) = self.whole(&start, out) {
            if let Some(input) = input {
                write_delta(out, block, INPUT, &input);
            }
            write_stop(out, block);
        }
    }

    /// Writes the start of a block that is all there is of it; `None` where it cannot be written.
    fn whole(&mut self, part: &Part, out: &mut Vec<u8>) -> Option<usize> {
        let mut block = List::default();
        self.writer.part(part, Speaker::Assistant, self.place, &mut block);
        (!block.is_empty()).then(|| self.begin(block.items(), out))
    }

    fn done(&mut self, response: &ChatResponse, out: &mut Vec<u8>) {
        self.close(out);
        self.calls.drain(..).for_each(|call| write_stop(out, call.block));
        let (losses, meta) = (&mut self.writer.losses, &response.meta);
        write_event(out, "message_delta", |event| {
            event.object("delta", |delta| {
                write_finish(delta, &response.finish, losses);
                delta.meta(meta.of(NAME), &[WRITTEN, &["context_management"]].concat());
            });
            write_usage(event, &response.usage, meta, losses);
            event.some("context_management", meta.get(NAME, "context_management"));
        });
        write_event(out, "message_stop", |_| {});
    }

    /// What this dialect alone says of a block comes too late at its end: its start is written.
    fn lose_meta(&mut self, meta: &Meta) {
        if meta.of(NAME).is_some() {
            let path = format!("{}.meta.{NAME}", self.place);
            self.writer.losses.lose(Feature::Meta, path, "it came after the start of its block");
        }
    }
}
