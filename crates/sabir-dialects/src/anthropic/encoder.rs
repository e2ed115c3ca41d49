//! Streamed answers, written: the reverse of `stream`.

use sabir_core::chat::{ChatResponse, Content, Event, Meta, Part, Reasoning, Usage};
use sabir_core::dialect::Encoder;
use sabir_core::{Error, Feature, Loss};
use serde_json::value::RawValue;

use super::NAME;
use super::block::own_citation;
use super::error::write as write_error;
use super::response::{message_id, rest_of, stop_reason, unknown_counters, usage};
use super::wire::Object;
use super::writer::{Blocks, Place, Speaker, Writer, made_id};

/// Writes one streamed answer.
#[derive(Debug, Default)]
pub(super) struct MessagesEncoder {
    /// Held back until it is known whether the usage follows.
    start: Option<(String, String)>,
    answer_id: String,
    blocks: usize,
    /// The text or thought that is open, by its block's number.
    open: Option<(usize, &'static str)>,
    /// The open text is complete but for its citations.
    ended: bool,
    /// Calls by number: the block, and the arguments while it is open.
    calls: Vec<Call>,
    losses: Vec<Loss>,
}

#[derive(Debug)]
struct Call {
    number: usize,
    block: usize,
    arguments: Option<String>,
}

impl Encoder for MessagesEncoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if let Event::Start { id, model } = event {
            id.clone_into(&mut self.answer_id);
            self.start = Some((id.clone(), model.clone()));
            return;
        }
        self.announce(event, out);
        if self.ended && !matches!(event, Event::Part(part) if own_citation(part).is_some()) {
            self.close(out);
        }
        match event {
            Event::Text(delta) => self.delta("text", delta, out),
            Event::Reasoning(delta) => self.delta("thinking", delta, out),
            Event::PartEnd { signature, meta } => self.part_end(signature.as_deref(), meta, out),
            Event::ToolStart { index, id, name } => self.tool_start(*index, id, name, out),
            Event::ToolArguments { index, fragment } => self.tool_arguments(*index, fragment, out),
            Event::ToolEnd { index, meta, .. } => {
                self.lose_meta(meta);
                self.tool_end(*index, out);
            }
            Event::Part(part) => self.part(part, out),
            Event::Done(response) => self.done(response, out),
            _ => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: error\ndata: ");
        write_error(error, out);
        out.extend_from_slice(b"\n\n");
    }

    fn losses(&mut self) -> Vec<Loss> {
        self.losses.clone()
    }
}

/// Writes one event: its name, and its data, in which `type` says it again.
fn write_event(out: &mut Vec<u8>, name: &str, data: impl FnOnce(&mut Object<'_>)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let mut object = Object::typed(out, name);
    data(&mut object);
    object.end();
    out.extend_from_slice(b"\n\n");
}

fn write_stop(out: &mut Vec<u8>, block: usize) {
    write_event(out, "content_block_stop", |event| {
        event.field("index", &block);
    });
}

fn write_delta(out: &mut Vec<u8>, block: usize, kind: &str, field: &str, value: &(impl serde::Serialize + ?Sized)) {
    write_event(out, "content_block_delta", |event| {
        event.field("index", &block);
        let mut delta = Object::typed(event.key("delta"), kind);
        delta.field(field, value);
        delta.end();
    });
}

impl MessagesEncoder {
    fn announce(&mut self, event: &Event, out: &mut Vec<u8>) {
        let Some((id, model)) = self.start.take() else { return };
        let (unknown, no_meta) = (Usage::default(), Meta::default());
        let known = match event {
            Event::Usage(known) => known,
            _ => &unknown,
        };
        write_event(out, "message_start", |start| {
            let mut message = Object::new(start.key("message"));
            message.field("id", message_id(&id)).field("type", "message").field("role", "assistant");
            message.field("model", &model).raw("content", "[]");
            message.raw("stop_reason", "null").raw("stop_sequence", "null");
            message.field("usage", &usage(known, &no_meta));
            message.end();
        });
    }

    /// Begins a block, after everything that can be known to be complete has ended.
    fn begin(&mut self, out: &mut Vec<u8>, block: impl FnOnce(&mut Vec<u8>)) -> usize {
        self.close(out);
        for call in &mut self.calls {
            // Arguments that are whole cannot go on. Half ones may: their block stays open, told apart by its number.
            if call.arguments.as_deref().is_some_and(|a| serde_json::from_str::<&RawValue>(a).is_ok()) {
                call.arguments = None;
                write_stop(out, call.block);
            }
        }
        let number = self.blocks;
        self.blocks += 1;
        write_event(out, "content_block_start", |event| {
            event.field("index", &number);
            block(event.key("content_block"));
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
    fn delta(&mut self, kind: &'static str, delta: &str, out: &mut Vec<u8>) {
        let block = self.open_block(kind, out);
        let name = if kind == "text" { "text_delta" } else { "thinking_delta" };
        write_delta(out, block, name, kind, delta);
    }

    fn open_block(&mut self, kind: &'static str, out: &mut Vec<u8>) -> usize {
        match self.open {
            Some((block, open)) if open == kind => block,
            _ => {
                let block = self.begin(out, |block| {
                    let mut object = Object::typed(block, kind);
                    object.field(kind, "");
                    if kind == "thinking" {
                        object.field("signature", "");
                    }
                    object.end();
                });
                self.open = Some((block, kind));
                block
            }
        }
    }

    fn part_end(&mut self, signature: Option<&str>, meta: &Meta, out: &mut Vec<u8>) {
        self.lose_meta(meta);
        if let Some(signature) = signature {
            let block = self.open_block("thinking", out);
            write_delta(out, block, "signature_delta", "signature", signature);
        }
        match self.open {
            // Its citations may follow, and belong into the block.
            Some((_, "text")) => self.ended = true,
            _ => self.close(out),
        }
    }

    fn tool_start(&mut self, number: usize, id: &str, name: &str, out: &mut Vec<u8>) {
        let made = if id.is_empty() { made_id(&self.answer_id, number) } else { id.to_owned() };
        let block = self.begin(out, |block| {
            let mut object = Object::typed(block, "tool_use");
            object.field("id", &made).field("name", name).raw("input", "{}");
            object.end();
        });
        self.calls.push(Call { number, block, arguments: Some(String::new()) });
    }

    fn tool_arguments(&mut self, number: usize, fragment: &str, out: &mut Vec<u8>) {
        let call = self.calls.iter_mut().rfind(|call| call.number == number);
        if let Some((block, arguments)) = call.and_then(|c| Some((c.block, c.arguments.as_mut()?))) {
            arguments.push_str(fragment);
            write_delta(out, block, "input_json_delta", "partial_json", fragment);
        }
    }

    fn tool_end(&mut self, number: usize, out: &mut Vec<u8>) {
        let call = self.calls.iter_mut().rfind(|call| call.number == number);
        if let Some(call) = call.filter(|call| call.arguments.is_some()) {
            call.arguments = None;
            write_stop(out, call.block);
        }
    }

    /// A part that came whole.
    fn part(&mut self, part: &Part, out: &mut Vec<u8>) {
        match &part.content {
            Content::Text { text } => {
                self.delta("text", text, out);
                self.part_end(None, &part.meta, out);
            }
            Content::ToolCall(call) => {
                let number = self.calls.len();
                self.tool_start(number, &call.id, &call.name, out);
                self.tool_arguments(number, &call.arguments, out);
                self.tool_end(number, out);
            }
            Content::Citation(_) if self.ended => {
                if let (Some((block, _)), Some(json)) = (self.open, own_citation(part)) {
                    write_delta(out, block, "citations_delta", "citation", json);
                }
            }
            Content::Reasoning(thought) if !thought.text.is_empty() || thought.encrypted.is_none() => {
                self.delta("thinking", &thought.text, out);
                self.part_end(thought.signature.as_deref(), &part.meta, out);
                if thought.encrypted.is_some() {
                    let sealed = Reasoning { text: String::new(), ..thought.clone() };
                    self.part(&Content::Reasoning(sealed).into(), out);
                }
            }
            Content::ServerToolUse(used) => {
                let mut start = part.clone();
                if let Content::ServerToolUse(start) = &mut start.content {
                    start.input = String::new();
                }
                if let Some(block) = self.whole(&start, out) {
                    write_delta(out, block, "input_json_delta", "partial_json", &used.input);
                    write_stop(out, block);
                }
            }
            _ => {
                if let Some(block) = self.whole(part, out) {
                    write_stop(out, block);
                }
            }
        }
    }

    /// Writes the start of a block that is all there is of it; `None` where it cannot be written.
    fn whole(&mut self, part: &Part, out: &mut Vec<u8>) -> Option<usize> {
        let mut writer = Writer { answers: true, ..Writer::default() };
        let mut block = Blocks::default();
        let place = Place { part: self.blocks, ..Place::default() };
        let written = writer.part(part, Speaker::Assistant, place, &mut block);
        self.losses.append(&mut writer.losses);
        written.ok()?;
        (!block.is_empty()).then(|| self.begin(out, |out| out.extend_from_slice(block.as_bytes())))
    }

    fn done(&mut self, response: &ChatResponse, out: &mut Vec<u8>) {
        self.close(out);
        for call in std::mem::take(&mut self.calls).iter().filter(|call| call.arguments.is_some()) {
            write_stop(out, call.block);
        }
        let reason = stop_reason(&response.finish, &mut self.losses);
        self.losses.extend(unknown_counters(&response.usage));
        write_event(out, "message_delta", |event| {
            let mut delta = Object::new(event.key("delta"));
            delta.field("stop_reason", &reason).field("stop_sequence", &response.finish.stop_sequence);
            for (key, value) in rest_of(&response.meta).filter(|(key, _)| *key != "context_management") {
                delta.field(key, value);
            }
            delta.end();
            event.field("usage", &usage(&response.usage, &response.meta));
            if let Some(edits) = response.meta.get(NAME, "context_management") {
                event.field("context_management", edits);
            }
        });
        write_event(out, "message_stop", |_| {});
    }

    /// What a dialect says of a block at its end comes too late: its start is written.
    fn lose_meta(&mut self, meta: &Meta) {
        for dialect in meta.dialects() {
            let note = "it came after the start of its block";
            self.losses.push(Loss::new(Feature::Opaque, format!("meta.{dialect}"), note));
        }
    }
}
