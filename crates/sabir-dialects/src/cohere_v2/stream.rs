//! Streamed answers: read from the provider, written to a client.

use std::borrow::Cow;

use sabir_core::chat::{Citation, Content, Event, Finish, Meta, Part, Usage};
use sabir_core::dialect::{Decoder, Encoder};
use sabir_core::frame::Frame;
use sabir_core::{Error, Feature, Loss, Result, Sink};
use serde_json::Value;
use serde_json::value::RawValue;

use super::NAME;
use super::part::{Block, Speaker, block_of, write_call};
use super::response::{start_call, tell_block};
use super::wire::{StreamEvent, citation_json, plan_of, plan_part, read_citation};
use crate::cohere::{code_of, finish_word, inside, read_usage, write_usage};
use crate::json::{Fields, Object, Wrong, value_of};
use crate::places::Places;
use crate::shared::{Complaint, Losses, write_event};

/// Reads events up to `message-end`. The `[DONE]` that follows it is not needed.
#[derive(Debug, Default)]
pub(super) struct EventDecoder {
    plan: String,
    /// Told at the end, as they stand at the end of a whole answer.
    citations: Vec<Part>,
    /// The provider's number of each call, and ours.
    calls: Vec<(u64, usize)>,
    logprobs: Vec<Value>,
}

impl Decoder for EventDecoder {
    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) -> Result<()> {
        let data = frame.data.trim_ascii();
        if data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        if let Ok(event) = serde_json::from_slice::<StreamEvent<'_>>(data)
            && self.frequent(&event, sink)?
        {
            return Ok(());
        }
        let mut fields = Fields::of_answer(data)?;
        let kind = fields.peek("type").map_or("", RawValue::get);
        if frame.event == "error" || kind.is_empty() || kind == "\"error\"" {
            return inside(data).map_or(Ok(()), Err);
        }
        let failed = self.tell(&mut fields, sink).map_err(|e| e.unreadable())?;
        failed.map_or(Ok(()), Err)
    }
}

impl EventDecoder {
    /// Takes more of a text, a thought or arguments in; `false` for any other event.
    fn frequent(&mut self, event: &StreamEvent<'_>, sink: &mut Sink) -> Result<bool> {
        let (Some(kind), Some(message)) = (&event.kind, event.delta.as_ref().and_then(|d| d.message.as_ref())) else {
            return Ok(false);
        };
        if kind.0 == "tool-call-delta" {
            let functions = message.tool_calls.0.iter().filter_map(|call| call.function.as_ref());
            for arguments in functions.filter_map(|function| function.arguments.as_ref()) {
                self.call(event.index.0).into_iter().for_each(|call| sink.tool_arguments(call, &arguments.0));
            }
            return Ok(true);
        }
        let Some(piece) = message.content.as_ref().filter(|_| kind.0 == "content-delta") else {
            return Ok(false);
        };
        if let Some(thought) = &piece.thinking {
            sink.reasoning(&thought.0);
        }
        if let Some(text) = &piece.text {
            sink.text(&text.0);
        }
        if let Some(logprobs) = event.logprobs {
            self.logprobs.push(value_of(logprobs).map_err(|e| e.unreadable())?);
        }
        Ok(true)
    }

    /// Our number of a call: the last one where the provider gives none.
    fn call(&self, index: Option<u64>) -> Option<usize> {
        let mut known = self.calls.iter().rev();
        let (_, call) = known.find(|(theirs, _)| index.is_none_or(|index| index == *theirs))?;
        Some(*call)
    }

    /// Any other event. An error that it tells of is returned.
    fn tell(&mut self, event: &mut Fields<'_>, sink: &mut Sink) -> Result<Option<Error>, Wrong> {
        let kind = event.need("type")?;
        let index = event.count("index");
        if &*kind == "message-start" {
            sink.identify(event.text("id")?.as_deref(), None);
        }
        let Some(mut delta) = event.object("delta")? else {
            match &*kind {
                "content-end" => sink.part_end(None, Meta::default()),
                "tool-call-end" => self.call(index).into_iter().for_each(|call| sink.tool_end(call)),
                "message-end" => self.end(sink),
                _ => {}
            }
            return Ok(None);
        };
        if &*kind == "message-end" {
            let reason = delta.text("finish_reason")?;
            if let Some(usage) = delta.object("usage")? {
                let usage = read_usage(NAME, usage, &mut sink.response_mut().meta)?;
                sink.usage(usage);
            }
            if let Some(reason) = &reason {
                sink.finish(Finish::from_raw(reason));
            }
            let code = delta.text("error_type")?;
            let failed = delta.text("error")?.filter(|error| !error.is_empty());
            self.end(sink);
            let code = code.or(reason).map(Cow::into_owned);
            let said = failed.map(|message| Complaint { message: message.into_owned(), code, id: None, wait: None });
            return Ok(said.map(Complaint::into_error));
        }
        let Some(mut message) = delta.object("message")? else {
            return Ok(None);
        };
        match &*kind {
            "content-start" | "content-delta" => {
                if kind.ends_with("start") {
                    sink.part_end(None, Meta::default());
                }
                if let Some(content) = message.take("content") {
                    tell_block(content, sink)?;
                }
            }
            "tool-plan-delta" => self.plan.push_str(&message.text("tool_plan")?.unwrap_or_default()),
            "tool-call-start" => {
                self.tell_plan(sink);
                for call in message.objects("tool_calls")? {
                    let ours = start_call(call, sink)?;
                    self.calls.push((index.unwrap_or(ours as u64), ours));
                }
            }
            "citation-start" => {
                for citation in message.list("citations")? {
                    self.citations.push(read_citation(citation)?);
                }
            }
            _ => {}
        }
        Ok(None)
    }

    fn tell_plan(&mut self, sink: &mut Sink) {
        if !self.plan.is_empty() {
            sink.part(plan_part(&std::mem::take(&mut self.plan)));
        }
    }

    fn end(&mut self, sink: &mut Sink) {
        self.tell_plan(sink);
        sink.tools_end();
        for citation in self.citations.drain(..) {
            sink.part(citation);
        }
        if !self.logprobs.is_empty() {
            let logprobs = std::mem::take(&mut self.logprobs);
            sink.response_mut().meta.set(NAME, "logprobs", logprobs.into());
        }
        sink.end();
    }
}

/// Writes events.
#[derive(Debug, Default)]
pub(super) struct EventEncoder {
    started: bool,
    /// Whether the block that is open is a thought.
    open: Option<bool>,
    blocks: usize,
    places: Places,
    calls: usize,
    citations: usize,
    /// The number of the last part before them.
    last: Option<usize>,
    usage: Usage,
    losses: Losses,
}

/// Writes an event that has a message in its delta.
fn write_message(out: &mut Vec<u8>, name: &str, index: Option<usize>, message: impl FnOnce(&mut Object<'_>)) {
    write_event(out, name, |event| {
        event.some("index", index);
        event.object("delta", |delta| {
            delta.object("message", message);
        });
    });
}

impl EventEncoder {
    fn start(&mut self, id: &str, out: &mut Vec<u8>) {
        self.started = true;
        write_event(out, "message-start", |event| {
            event.field("id", id);
            event.object("delta", |delta| {
                delta.object("message", |message| {
                    message.field("role", "assistant").raw("content", "[]").field("tool_plan", "");
                    message.raw("tool_calls", "[]").raw("citations", "[]");
                });
            });
        });
    }

    fn text(&mut self, is_thought: bool, text: &str, out: &mut Vec<u8>) {
        let field = if is_thought { "thinking" } else { "text" };
        if self.open != Some(is_thought) {
            self.close(out);
            self.open = Some(is_thought);
            write_message(out, "content-start", Some(self.blocks), |message| {
                message.object("content", |content| {
                    content.field("type", field).field(field, "");
                });
            });
        }
        write_message(out, "content-delta", Some(self.blocks), |message| {
            message.object("content", |content| {
                content.field(field, text);
            });
        });
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            write_event(out, "content-end", |event| {
                event.field("index", &self.blocks);
            });
            self.blocks += 1;
        }
    }

    fn call(&mut self, index: usize, id: &str, name: &str, arguments: &str, out: &mut Vec<u8>) {
        self.close(out);
        self.calls = self.calls.max(index + 1);
        write_message(out, "tool-call-start", Some(index), |message| {
            message.object("tool_calls", |call| write_call(call, id, name, arguments));
        });
    }

    fn part(&mut self, at: usize, part: &Part, out: &mut Vec<u8>) {
        match &part.content {
            Content::ToolCall(call) => {
                let index = self.calls;
                self.call(index, &call.id, &call.name, &call.arguments, out);
                end_call(index, out);
            }
            Content::Citation(citation) => self.citation(citation, out),
            Content::Opaque { dialect, json } if dialect == NAME && plan_of(json).is_some() => {
                self.close(out);
                write_message(out, "tool-plan-delta", None, |message| {
                    message.some("tool_plan", plan_of(json));
                });
            }
            _ => {
                self.close(out);
                match block_of(Speaker::Assistant, &format!("parts[{at}]"), part, &mut self.losses) {
                    Some(Block::Text(text)) => self.text(false, text, out),
                    Some(Block::Thinking(text)) => self.text(true, text, out),
                    Some(block) => {
                        write_message(out, "content-start", Some(self.blocks), |message| {
                            message.object("content", |content| block.write(content, None));
                        });
                        self.open = Some(false);
                    }
                    None => {}
                }
                self.close(out);
            }
        }
    }

    fn citation(&mut self, citation: &Citation, out: &mut Vec<u8>) {
        self.close(out);
        let json = citation_json(citation, self.blocks.checked_sub(1));
        let index = self.citations;
        self.citations += 1;
        write_message(out, "citation-start", Some(index), |message| {
            message.field("citations", &json);
        });
        write_event(out, "citation-end", |event| {
            event.field("index", &index);
        });
    }

    /// A block cannot follow a citation: the client reads those as standing behind everything.
    fn after_citation(&mut self, at: usize) {
        if self.citations == 0 {
            self.last = Some(at);
        } else if self.open.is_none() {
            // Of the part that they stood behind, too: it is followed by another now.
            for at in self.last.take().into_iter().chain([at]) {
                self.losses.order(format!("parts[{at}]"), "citations stand behind all else in this dialect");
            }
        }
    }

    fn message_end(&mut self, reason: &str, failed: Option<&Error>, meta: &Meta, out: &mut Vec<u8>) {
        self.close(out);
        write_event(out, "message-end", |event| {
            event.object("delta", |delta| {
                delta.field("finish_reason", reason);
                if let Some(failed) = failed {
                    delta.field("error", failed.message()).some("error_type", code_of(failed));
                }
                write_usage(delta, "usage", &self.usage, Some(meta), NAME);
            });
        });
        out.extend_from_slice(b"data: [DONE]\n\n");
    }
}

fn end_call(index: usize, out: &mut Vec<u8>) {
    write_event(out, "tool-call-end", |event| {
        event.field("index", &index);
    });
}

impl Encoder for EventEncoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if !self.started && !matches!(event, Event::Start { .. }) {
            self.start(if let Event::Done(response) = event { &response.id } else { "" }, out);
        }
        let at = self.places.of(event);
        match event {
            Event::Start { id, .. } => self.start(id, out),
            Event::Text(text) | Event::Reasoning(text) => {
                self.after_citation(at);
                self.text(matches!(event, Event::Reasoning(_)), text, out);
            }
            Event::PartEnd { signature, meta } => {
                self.close(out);
                if signature.is_some() {
                    self.losses.signature(format!("parts[{at}]"));
                }
                if meta.of(NAME).is_some() {
                    self.losses.lose(Feature::Opaque, format!("parts[{at}].meta"), "it has no place in a stream");
                }
            }
            Event::ToolStart { index, id, name } => {
                self.after_citation(at);
                self.call(*index, id, name, "", out);
            }
            Event::ToolArguments { index, fragment } => {
                write_message(out, "tool-call-delta", Some(*index), |message| {
                    message.object("tool_calls", |call| {
                        call.object("function", |function| {
                            function.field("arguments", fragment);
                        });
                    });
                });
            }
            Event::ToolEnd { index, .. } => end_call(*index, out),
            Event::Part(part) => {
                if !matches!(part.content, Content::Citation(_)) {
                    self.after_citation(at);
                }
                self.part(at, part, out);
            }
            Event::Usage(usage) => self.usage.clone_from(usage),
            Event::Done(response) => {
                if !response.usage.is_unknown() {
                    self.usage = response.usage.clone();
                }
                let reason = finish_word(&response.finish, "TOOL_CALL", &mut self.losses);
                self.losses.usage(&self.usage, &["cache_read", "reasoning"]);
                self.message_end(reason, None, &response.meta, out);
            }
            _ => self.losses.lose(Feature::Streaming, "events", "an event that this dialect has not"),
        }
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        if !self.started {
            self.start("", out);
        }
        self.message_end("ERROR", Some(error), &Meta::default(), out);
    }

    fn losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses.0)
    }
}
