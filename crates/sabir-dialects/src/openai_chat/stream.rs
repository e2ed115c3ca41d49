//! Streamed answers: chunks in server-sent events, read as a client, written as a server.

use sabir_core::chat::{ChatRequest, Content, Event, Part, Usage};
use sabir_core::dialect::{Decoder, Encoder, truncated};
use sabir_core::frame::Frame;
use sabir_core::{Error, Feature, Loss, Result, Sink};
use serde_json::{Value, json};

use super::response::{Order, Place, fields_of, finish_of, id_of, is_custom, offers_custom};
use super::shortcut::Shortcut;
use super::tell::Teller;
use super::{NAME, error, part, usage, wire};

/// Reads chunks up to `[DONE]`.
#[derive(Debug, Default)]
pub(super) struct ChunkDecoder {
    teller: Teller,
    shortcut: Option<Shortcut>,
}

impl Decoder for ChunkDecoder {
    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) -> Result<()> {
        let data = frame.data.trim_ascii();
        if let Some((kind, text)) = self.shortcut.as_ref().and_then(|shortcut| shortcut.read(data))
            && frame.event.is_empty()
        {
            self.teller.tell_string(kind, text, sink);
            return Ok(());
        }
        if data == b"[DONE]" {
            self.teller.close(sink);
            sink.end();
            return Ok(());
        }
        if frame.event == "error" {
            return Err(error::event(data));
        }
        if data.is_empty() {
            return Ok(());
        }
        let chunk = wire::read("a chunk of the answer", data)?;
        // A frame without choices is the usage, a keep-alive, or an error in a shape of its own.
        if chunk.choices.is_none()
            && chunk.usage.0.is_none()
            && let Some(error) = error::instead(data)
        {
            return Err(error);
        }
        let learned = Shortcut::learn(data, &chunk);
        self.shortcut = learned.or(self.shortcut.take());
        self.teller.tell(*chunk, sink)
    }

    /// Without `[DONE]` an answer is whole if it said why it finished: several servers leave the marker out.
    fn finish(&mut self, sink: &mut Sink) -> Result<()> {
        if !self.teller.has_finished() {
            return Err(truncated());
        }
        self.teller.close(sink);
        Ok(())
    }
}

/// Writes chunks. Reasoning goes out as `reasoning_content`, the field that most clients read.
#[derive(Debug)]
pub(super) struct ChunkEncoder {
    /// What every chunk begins with, up to the choices.
    head: Vec<u8>,
    request: ChatRequest,
    calls: usize,
    /// The calls of custom tools that are open, by number.
    custom: Vec<usize>,
    usage: Usage,
    parts: usize,
    order: Order,
    losses: Vec<Loss>,
}

impl ChunkEncoder {
    pub(super) fn new(request: &ChatRequest) -> Self {
        let kept =
            ChatRequest { tools: request.tools.clone(), options: request.options.clone(), ..ChatRequest::default() };
        let (head, custom, losses) = (Vec::new(), Vec::new(), Vec::new());
        let (usage, order) = (Usage::default(), Order::default());
        Self { head, request: kept, calls: 0, custom, usage, parts: 0, order, losses }
    }

    /// The first chunk, which says who speaks.
    fn begin(&mut self, id: &str, model: &str, out: &mut Vec<u8>) {
        let (id, model) = (json!(id_of(id)), json!(model));
        self.head = format!(
            "data: {{\"id\":{id},\"object\":\"chat.completion.chunk\",\"created\":0,\"model\":{model},\"choices\":["
        )
        .into_bytes();
        self.delta(out, |out| {
            out.extend_from_slice(b"\"role\":\"assistant\",\"content\":\"\"");
        });
    }

    /// A chunk with a delta whose fields `write` puts in.
    fn delta(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"{\"index\":0,\"delta\":{");
        write(out);
        out.extend_from_slice(b"},\"finish_reason\":null}]}\n\n");
    }

    fn text(&self, field: &str, text: &str, out: &mut Vec<u8>) {
        self.delta(out, |out| {
            out.push(b'"');
            out.extend_from_slice(field.as_bytes());
            out.extend_from_slice(b"\":");
            string(text, out);
        });
    }

    fn field(&self, field: &str, value: &Value, out: &mut Vec<u8>) {
        self.delta(out, |out| {
            out.extend_from_slice(format!("\"{field}\":{value}").as_bytes());
        });
    }

    fn call(&self, index: usize, fields: &Value, out: &mut Vec<u8>) {
        let mut call = json!({ "index": index });
        if let (Value::Object(call), Value::Object(fields)) = (&mut call, fields) {
            call.extend(fields.clone());
        }
        self.field("tool_calls", &json!([call]), out);
    }

    fn part(&mut self, part: &Part, out: &mut Vec<u8>) {
        if let Content::ToolCall(_) = &part.content {
            let call = part::call(part, is_custom(&self.request, part));
            self.call(self.calls, &call, out);
            self.calls += 1;
            return;
        }
        for (field, value) in fields_of(part, self.parts, &mut self.losses) {
            self.field(field, &value, out);
        }
        self.parts += 1;
    }

    fn wants_usage(&self) -> bool {
        let options = self.request.options.get(NAME, "stream_options");
        options.is_some_and(|options| options["include_usage"] == true)
    }
}

impl Encoder for ChunkEncoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        if self.head.is_empty() && !matches!(event, Event::Start { .. }) {
            let (id, model) = match event {
                Event::Done(response) => (response.id.as_str(), response.model.as_str()),
                _ => ("", ""),
            };
            self.begin(id, model, out);
        }
        let place = match event {
            Event::Text(_) => Some(Place::Text),
            Event::Reasoning(_) => Some(Place::Thought),
            Event::ToolStart { .. } => Some(Place::Call),
            _ => None,
        };
        if let Some(place) = place {
            self.order.watch(place, self.parts, &mut self.losses);
        }
        match event {
            Event::Start { id, model } => self.begin(id, model, out),
            Event::Text(text) => self.text("content", text, out),
            Event::Reasoning(text) => self.text("reasoning_content", text, out),
            Event::PartEnd { signature, meta } => {
                let details = match (meta.get(NAME, "reasoning_details"), signature) {
                    (Some(Value::Array(details)), _) => details.clone(),
                    (_, Some(signature)) => vec![json!({"type": "reasoning.text", "signature": signature})],
                    _ => Vec::new(),
                };
                // The text went out as it came: here it would be read twice.
                let details: Vec<Value> = details.into_iter().map(part::without_text).collect();
                if !details.is_empty() {
                    self.field("reasoning_details", &details.into(), out);
                }
                self.parts += 1;
            }
            Event::ToolStart { index, id, name } => {
                self.calls = self.calls.max(index + 1);
                let call = if offers_custom(&self.request, name) {
                    self.custom.push(*index);
                    json!({"id": id, "type": "custom", "custom": {"name": name, "input": ""}})
                } else {
                    json!({"id": id, "type": "function", "function": {"name": name, "arguments": ""}})
                };
                self.call(*index, &call, out);
            }
            Event::ToolArguments { index, fragment } => {
                let (kind, field) =
                    if self.custom.contains(index) { ("custom", "input") } else { ("function", "arguments") };
                self.delta(out, |out| {
                    let head = format!("\"tool_calls\":[{{\"index\":{index},\"{kind}\":{{\"{field}\":");
                    out.extend_from_slice(head.as_bytes());
                    string(fragment, out);
                    out.extend_from_slice(b"}}]");
                });
            }
            Event::ToolEnd { index, meta, .. } => {
                if let Some(extra) = meta.get(NAME, "extra_content") {
                    self.call(*index, &json!({ "extra_content": extra }), out);
                }
                self.parts += 1;
            }
            Event::Part(part) => self.part(part, out),
            Event::Usage(usage) => self.usage = usage.clone(),
            Event::Done(response) => {
                out.extend_from_slice(&self.head);
                let logprobs = response.meta.get(NAME, "logprobs").map(|l| format!("\"logprobs\":{l},"));
                let (logprobs, reason) = (logprobs.unwrap_or_default(), json!(finish_of(response)));
                let end = format!("{{\"index\":0,\"delta\":{{}},{logprobs}\"finish_reason\":{reason}}}]}}\n\n");
                out.extend_from_slice(end.as_bytes());
                let known = if response.usage.is_unknown() { &self.usage } else { &response.usage };
                if let Some(usage) = usage::respond(known).filter(|_| self.wants_usage()) {
                    out.extend_from_slice(&self.head);
                    out.extend_from_slice(format!("],\"usage\":{usage}}}\n\n").as_bytes());
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            _ => self.losses.push(Loss::new(Feature::Streaming, "events", "an event that has no chunk")),
        }
    }

    /// The error's own frame is the last: OpenAI's clients raise at it and read no further.
    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("data: {}\n\n", json!({ "error": error::shape(error) })).as_bytes());
    }

    fn losses(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses)
    }
}

/// A JSON string.
fn string(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a string can always be written to memory");
}
