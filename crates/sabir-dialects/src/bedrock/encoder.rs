//! Streamed answers, written.

use sabir_core::chat::{ChatResponse, Content, Event, Part};
use sabir_core::dialect::Encoder;
use sabir_core::frame::event_stream;
use sabir_core::{Error, Feature, Loss};
use serde_json::{Value, json};

use super::NAME;
use super::block::{Place, Writer, object_text, start_server_use};
use super::error;
use super::media;
use super::response::{stop_reason, write_metadata, write_more};
use super::wire::{Object, write_json};

/// Writes one streamed answer.
#[derive(Debug)]
pub(super) struct ConverseEncoder {
    started: bool,
    blocks: u64,
    /// The text or thought that is open, by its block's number.
    open: Option<(u64, Kind)>,
    /// The open text is complete but for its citations.
    ended: bool,
    /// The calls that are open: number, block, and whether anything came for it.
    calls: Vec<(usize, u64, bool)>,
    parts: usize,
    writer: Writer,
    payload: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thought,
}

impl Default for ConverseEncoder {
    fn default() -> Self {
        let writer = Writer::answering();
        let (open, calls, payload) = (None, Vec::new(), Vec::new());
        Self { started: false, blocks: 0, open, ended: false, calls, parts: 0, writer, payload }
    }
}

impl Encoder for ConverseEncoder {
    fn content_type(&self) -> &'static str {
        "application/vnd.amazon.eventstream"
    }

    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if !self.started {
            self.started = true;
            self.frame("messageStart", out, |start| {
                start.field("role", "assistant");
            });
        }
        let cites =
            |part: &Part| matches!(part.content, Content::Citation(_)) && part.meta.get(NAME, "apart").is_none();
        if self.ended && !matches!(event, Event::Part(part) if cites(part)) {
            self.close(out);
        }
        match event {
            Event::Text(delta) => {
                let block = self.begin(Kind::Text, out);
                self.delta(block, out, |inner| {
                    inner.field("text", delta);
                });
            }
            Event::Reasoning(delta) => self.thought("text", delta, out),
            Event::PartEnd { signature, meta } => {
                let place = self.place();
                self.writer.lose_meta(&Part { meta: meta.clone(), ..Part::text("") }, place);
                if let Some(signature) = signature {
                    self.thought("signature", signature, out);
                }
                match self.open {
                    Some((_, Kind::Text)) => self.ended = true,
                    _ => self.close(out),
                }
                self.parts += 1;
            }
            Event::ToolStart { index, id, name } => self.tool_start(*index, id, name, out),
            Event::ToolArguments { index, fragment } => self.tool_arguments(*index, fragment, out),
            Event::ToolEnd { index, call, meta } => {
                let place = self.place();
                self.writer.lose_meta(&Part { meta: meta.clone(), ..Part::text("") }, place);
                if self.calls.iter().any(|(number, _, came)| number == index && !came) {
                    self.tool_arguments(*index, &call.arguments, out);
                }
                if let Some(at) = self.calls.iter().position(|(number, ..)| number == index) {
                    let (_, block, _) = self.calls.remove(at);
                    self.stop(block, out);
                }
                self.parts += 1;
            }
            Event::Part(part) => {
                self.part(part, out);
                self.parts += 1;
            }
            Event::Done(response) => self.done(response, out),
            _ => {}
        }
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        let mut payload = Vec::new();
        write_json(&mut payload, &json!({ "message": error.message() }));
        let headers = [
            (":exception-type", error::exception(error.kind())),
            (":content-type", "application/json"),
            (":message-type", "exception"),
        ];
        event_stream::write(out, &headers, &payload);
    }

    fn losses(&mut self) -> Vec<Loss> {
        self.writer.losses.clone()
    }
}

impl ConverseEncoder {
    fn frame(&mut self, event: &str, out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
        self.payload.clear();
        let mut object = Object::new(&mut self.payload);
        write(&mut object);
        object.end();
        let headers = [(":event-type", event), (":content-type", "application/json"), (":message-type", "event")];
        event_stream::write(out, &headers, &self.payload);
    }

    fn delta(&mut self, block: u64, out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
        self.frame("contentBlockDelta", out, |event| {
            event.field("contentBlockIndex", &block).object("delta", write);
        });
    }

    fn start(&mut self, out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) -> u64 {
        self.close(out);
        let block = self.next_block();
        self.frame("contentBlockStart", out, |event| {
            event.field("contentBlockIndex", &block).object("start", write);
        });
        block
    }

    fn stop(&mut self, block: u64, out: &mut Vec<u8>) {
        self.frame("contentBlockStop", out, |event| {
            event.field("contentBlockIndex", &block);
        });
    }

    fn next_block(&mut self) -> u64 {
        self.blocks += 1;
        self.blocks - 1
    }

    /// The block of the open text or thought; such a block begins with its first delta.
    fn begin(&mut self, kind: Kind, out: &mut Vec<u8>) -> u64 {
        match self.open {
            Some((block, open)) if open == kind => block,
            _ => {
                self.close(out);
                let block = self.next_block();
                self.open = Some((block, kind));
                block
            }
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        self.ended = false;
        if let Some((block, _)) = self.open.take() {
            self.stop(block, out);
        }
    }

    fn thought(&mut self, field: &str, value: &str, out: &mut Vec<u8>) {
        let block = self.begin(Kind::Thought, out);
        self.delta(block, out, |inner| {
            inner.object("reasoningContent", |thought| {
                thought.field(field, value);
            });
        });
    }

    fn tool_start(&mut self, index: usize, id: &str, name: &str, out: &mut Vec<u8>) {
        let id = self.writer.call_id(id).into_owned();
        let block = self.start(out, |start| {
            start.object("toolUse", |call| {
                call.field("toolUseId", &id).field("name", name);
            });
        });
        self.calls.push((index, block, false));
    }

    fn tool_arguments(&mut self, index: usize, fragment: &str, out: &mut Vec<u8>) {
        let Some(call) = self.calls.iter_mut().rfind(|(number, ..)| *number == index) else {
            return;
        };
        call.2 = true;
        let block = call.1;
        self.input(block, fragment, out);
    }

    fn input(&mut self, block: u64, fragment: &str, out: &mut Vec<u8>) {
        self.delta(block, out, |inner| {
            inner.object("toolUse", |call| {
                call.field("input", fragment);
            });
        });
    }

    fn place(&self) -> Place {
        Place { part: self.parts, ..Place::default() }
    }

    /// Writes a part that came whole.
    fn part(&mut self, part: &Part, out: &mut Vec<u8>) {
        let place = self.place();
        self.writer.lose_meta(part, place);
        match &part.content {
            Content::Citation(_) => {
                if let Some(json) = self.writer.citation(part, place) {
                    let block = self.begin(Kind::Text, out);
                    self.delta(block, out, |inner| {
                        inner.field("citation", &json);
                    });
                    self.ended = true;
                }
            }
            Content::Text { text } => self.whole_text(text, out),
            Content::Refusal { text } => {
                self.writer.lose(Feature::Refusals, place, "told as text");
                self.whole_text(text, out);
            }
            Content::Reasoning(thought) => {
                self.close(out);
                if let Some(sealed) = &thought.encrypted {
                    self.thought("redactedContent", sealed, out);
                } else {
                    self.thought("text", &thought.text, out);
                }
                if let Some(signature) = &thought.signature {
                    self.thought("signature", signature, out);
                }
                self.close(out);
            }
            Content::ToolCall(call) => {
                let id = self.writer.call_id(&call.id).into_owned();
                let block = self.start(out, |start| {
                    start.object("toolUse", |inner| {
                        inner.field("toolUseId", &id).field("name", &call.name);
                    });
                });
                self.input(block, &call.arguments, out);
                self.stop(block, out);
            }
            Content::ServerToolUse(used) if part.meta.of(NAME).is_some() => {
                let block = self.start(out, |start| {
                    start.object("toolUse", |inner| start_server_use(inner, used));
                });
                self.input(block, object_text(&used.input).unwrap_or("{}"), out);
                self.stop(block, out);
            }
            Content::ServerToolResult(result) if result.json["toolUseId"].is_string() => self.result(&result.json, out),
            Content::Image(image) => {
                let Some(format) = media::image_format(image) else {
                    self.writer.lose(Feature::Images, place, "its MIME type is not known or not taken; left out");
                    return;
                };
                let block = self.start(out, |start| {
                    start.object("image", |inner| {
                        inner.field("format", &*format);
                    });
                });
                self.delta(block, out, |inner| {
                    inner.object("image", |inner| {
                        let owner = part.meta.get(NAME, "bucketOwner");
                        inner.object("source", |source| media::write_source(source, image, false, owner));
                    });
                });
                self.stop(block, out);
            }
            Content::Audio(_) => self.writer.lose(Feature::Audio, place, "not in a stream of this dialect"),
            Content::Video(_) => self.writer.lose(Feature::Video, place, "not in a stream of this dialect"),
            Content::Document(_) => self.writer.lose(Feature::Documents, place, "not in a stream of this dialect"),
            Content::ServerToolUse(_) | Content::ServerToolResult(_) => {
                self.writer.lose(Feature::ServerTools, place, "it is another provider's tool");
            }
            _ => self.writer.lose(Feature::Opaque, place, "it has no meaning in a stream of this dialect"),
        }
    }

    fn whole_text(&mut self, text: &str, out: &mut Vec<u8>) {
        self.close(out);
        let block = self.begin(Kind::Text, out);
        self.delta(block, out, |inner| {
            inner.field("text", text);
        });
        self.ended = true;
    }

    /// Writes what a tool of the service's gave: all but its content at the start.
    fn result(&mut self, json: &Value, out: &mut Vec<u8>) {
        let block = self.start(out, |start| {
            start.object("toolResult", |inner| {
                for (key, value) in json.as_object().into_iter().flatten().filter(|(key, _)| *key != "content") {
                    inner.field(key, value);
                }
            });
        });
        if json["content"].is_array() {
            self.delta(block, out, |inner| {
                inner.field("toolResult", &json["content"]);
            });
        }
        self.stop(block, out);
    }

    fn done(&mut self, response: &ChatResponse, out: &mut Vec<u8>) {
        self.close(out);
        for (_, block, _) in std::mem::take(&mut self.calls) {
            self.stop(block, out);
        }
        let mut losses = Vec::new();
        let reason = stop_reason(&response.finish, &mut losses);
        self.frame("messageStop", out, |stop| {
            stop.field("stopReason", reason);
            write_more(response, stop);
        });
        self.frame("metadata", out, |metadata| write_metadata(response, metadata, &mut losses));
        self.writer.losses.append(&mut losses);
    }
}
