//! Streamed answers: chunks in server-sent events, read as a client, written as a server.

use sabir_core::chat::{ChatRequest, Event, Part, Usage};
use sabir_core::dialect::{Decoder, Encoder, truncated};
use sabir_core::frame::Frame;
use sabir_core::{Error, Feature, Loss, Result, Sink};
use serde_json::json;

use super::response::{Teller, chunk, finish_of, id_of, lose_prompts, text_of, usage};
use super::{NAME, error};

/// Reads chunks up to `[DONE]`.
#[derive(Debug, Default)]
pub(super) struct ChunkDecoder {
    teller: Teller,
}

impl Decoder for ChunkDecoder {
    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) -> Result<()> {
        let data = frame.data.trim_ascii();
        if data == b"[DONE]" {
            self.teller.close(sink);
            sink.end();
            return Ok(());
        }
        if data.is_empty() {
            return Ok(());
        }
        self.teller.tell(&chunk(data)?, data, sink)
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

/// Writes chunks.
#[derive(Debug)]
pub(super) struct ChunkEncoder {
    /// What every chunk begins with, up to the choices; empty before the first.
    head: String,
    wants_usage: bool,
    parts: usize,
    usage: Usage,
    losses: Vec<Loss>,
}

impl ChunkEncoder {
    pub(super) fn new(request: &ChatRequest) -> Self {
        let options = request.options.get(NAME, "stream_options");
        let wants_usage = options.is_some_and(|options| options["include_usage"] == true);
        let mut losses = Vec::new();
        lose_prompts(request, &mut losses);
        Self { head: String::new(), wants_usage, parts: 0, usage: Usage::default(), losses }
    }

    fn begin(&mut self, id: &str, model: &str) {
        let (id, model) = (json!(id_of(id)), json!(model));
        self.head =
            format!("data: {{\"id\":{id},\"object\":\"text_completion\",\"created\":0,\"model\":{model},\"choices\":[");
    }

    fn text(&self, text: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(self.head.as_bytes());
        out.extend_from_slice(b"{\"text\":");
        serde_json::to_writer(&mut *out, text).expect("a string can always be written to memory");
        out.extend_from_slice(b",\"index\":0,\"logprobs\":null,\"finish_reason\":null}]}\n\n");
    }

    fn lose(&mut self, part: &Part) {
        text_of(part, self.parts, &mut self.losses);
        self.parts += 1;
    }
}

impl Encoder for ChunkEncoder {
    fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model } => self.begin(id, model),
            Event::Done(response) if self.head.is_empty() => self.begin(&response.id, &response.model),
            _ if self.head.is_empty() => self.begin("", ""),
            _ => {}
        }
        match event {
            Event::Text(text) => self.text(text, out),
            Event::Reasoning(_) if !self.losses.iter().any(|loss| loss.feature == Feature::Reasoning) => {
                self.losses.push(Loss::new(Feature::Reasoning, "parts", "a completion is text"));
            }
            Event::PartEnd { .. } => self.parts += 1,
            Event::ToolEnd { call, .. } => {
                self.lose(&Part::tool_call(call.id.as_str(), call.name.as_str(), call.arguments.as_str()));
            }
            Event::Part(part) => {
                let text = text_of(part, self.parts, &mut self.losses);
                self.parts += 1;
                if !text.is_empty() {
                    self.text(text, out);
                }
            }
            Event::Usage(usage) => self.usage = usage.clone(),
            Event::Done(response) => {
                let logprobs = response.meta.get(NAME, "logprobs").cloned().unwrap_or_default();
                let reason = finish_of(response, &mut self.losses);
                let choice = json!({"text": "", "index": 0, "logprobs": logprobs, "finish_reason": reason});
                out.extend_from_slice(format!("{}{choice}]}}\n\n", self.head).as_bytes());
                let known = if response.usage.is_unknown() { &self.usage } else { &response.usage };
                if let Some(usage) = usage(known, &mut self.losses).filter(|_| self.wants_usage) {
                    out.extend_from_slice(format!("{}],\"usage\":{usage}}}\n\n", self.head).as_bytes());
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            _ => {}
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
