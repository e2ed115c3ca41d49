//! Answers as a server writes them: in chunks, as server-sent events.

use sabir_core::chat::{ChatRequest, Content, Event, Meta};
use sabir_core::dialect::Encoder;
use sabir_core::{Error, Feature, Loss};
use serde::Serialize;

use super::response::{NAMES, Told, extra_of, finish_of};
use super::{NAME, part};
use crate::json::{Object, write_json};
use crate::openai_answer::{Chunks, write_error};
use crate::reasoning_details::without_text;

/// Writes chunks. Reasoning goes out as `reasoning_content`, the field that most clients read.
#[derive(Debug)]
pub(super) struct ChunkEncoder {
    chunks: Chunks,
    told: Told,
    calls: usize,
    /// The calls of custom tools, by number.
    custom: Vec<usize>,
}

impl ChunkEncoder {
    pub(super) fn new(request: &ChatRequest) -> Self {
        Self { chunks: Chunks::new(request, NAME), told: Told::new(request), calls: 0, custom: Vec::new() }
    }

    /// A chunk with a delta whose fields `write` writes.
    fn delta(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        self.chunks.chunk(out, |out| {
            out.extend_from_slice(b"{\"index\":0,\"delta\":{");
            write(out);
            out.extend_from_slice(b"},\"finish_reason\":null}");
        });
    }

    fn field<T: Serialize + ?Sized>(&self, field: &str, value: &T, out: &mut Vec<u8>) {
        self.delta(out, |out| {
            out.push(b'"');
            out.extend_from_slice(field.as_bytes());
            out.extend_from_slice(b"\":");
            write_json(out, value);
        });
    }

    /// A chunk with more of a call, whose fields `write` writes.
    fn call(&self, index: usize, out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
        self.delta(out, |out| {
            out.extend_from_slice(b"\"tool_calls\":[");
            let mut call = Object::new(out);
            write(call.field("index", &index));
            call.end();
            out.push(b']');
        });
    }
}

impl Encoder for ChunkEncoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.chunks.heed(event, &NAMES) {
            // The first chunk says who speaks.
            self.delta(out, |out| out.extend_from_slice(b"\"role\":\"assistant\",\"content\":\"\""));
        }
        self.told.telling.heed(event);
        match event {
            Event::Start { .. } | Event::Usage(_) => {}
            Event::Text(text) | Event::Reasoning(text) => {
                let is_thought = matches!(event, Event::Reasoning(_));
                self.told.telling.says(is_thought);
                self.field(if is_thought { "reasoning_content" } else { "content" }, text, out);
            }
            Event::PartEnd { signature, meta } => {
                if let Some((field, details)) = without_text(meta, [signature.as_deref(), None], NAME) {
                    self.field(field, &details, out);
                }
            }
            Event::ToolStart { index, id, name } => {
                self.told.telling.rank(2);
                self.calls = self.calls.max(index + 1);
                let is_custom = self.told.is_custom(name, &Meta::default());
                if is_custom {
                    self.custom.push(*index);
                }
                let begun = part::call_json(id, name, "", is_custom);
                self.call(*index, out, |call| _ = call.meta(begun.as_object(), &[]));
            }
            Event::ToolArguments { index, fragment } => {
                let is_custom = self.custom.contains(index);
                let (kind, field) = if is_custom { ("custom", "input") } else { ("function", "arguments") };
                self.call(*index, out, |call| _ = call.object(kind, |to| _ = to.field(field, fragment)));
            }
            Event::ToolEnd { index, meta, .. } => {
                if let Some(extra) = meta.get(NAME, "extra_content") {
                    self.call(*index, out, |call| _ = call.field("extra_content", extra));
                }
            }
            Event::Part(part) => {
                for (field, value) in self.told.fields_of(part) {
                    match (&part.content, &value[0]) {
                        (Content::ToolCall(_), call) => {
                            self.call(self.calls, out, |to| _ = to.meta(call.as_object(), &[]));
                            self.calls += 1;
                        }
                        _ => self.field(field, &value, out),
                    }
                }
            }
            Event::Done(response) => {
                if let Some(extra) = extra_of(response) {
                    self.field("extra_content", extra, out);
                }
                self.chunks.choice(out, |choice| {
                    choice.field("index", &0).raw("delta", "{}");
                    choice.some("logprobs", response.meta.get(NAME, "logprobs"));
                    choice.field("finish_reason", finish_of(response));
                });
                self.chunks.end(self.told.end(response, self.chunks.used(response)), out);
            }
            _ => self.told.telling.losses.lose(Feature::Streaming, "events", "an event that has no chunk"),
        }
    }

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        write_error(error, out);
    }

    fn losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.told.telling.losses.0)
    }
}
