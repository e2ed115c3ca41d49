//! Streamed answers, read: `message_start`, blocks of deltas, `message_delta`, `message_stop`.

use sabir_core::chat::{Content, Meta, Part, Reasoning, ToolCall};
use sabir_core::dialect::{Decoder, unreadable as not_json};
use sabir_core::frame::Frame;
use sabir_core::{Error, ErrorKind, Result, Sink};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::block::{read_block, read_citation};
use super::error::{from_event, unreadable};
use super::response::{keep, take_in, tell, tool_start};
use super::wire::{Counters, Delta, Fields, StreamEvent, Wrong, value_of};

/// The most blocks that may be open at once. The protocol has one.
const MAX_OPEN: usize = 1024;

/// Reads one streamed answer.
#[derive(Debug, Default)]
pub(super) struct MessagesDecoder {
    open: Vec<Open>,
    counters: Counters,
}

/// A block that has started and not stopped.
#[derive(Debug)]
struct Open {
    index: Option<u64>,
    kind: Kind,
    meta: Meta,
}

#[derive(Debug)]
enum Kind {
    Text {
        citations: Vec<Part>,
    },
    Thinking {
        signature: Option<String>,
    },
    /// `input`: what the start said already, unless deltas follow.
    Tool {
        number: usize,
        input: String,
    },
    /// Any other block, as it started; the input that deltas write, and what else they bring.
    Other {
        start: Box<RawValue>,
        input: String,
        more: Map<String, Value>,
    },
}

impl Decoder for MessagesDecoder {
    fn frame(&mut self, frame: Frame<'_>, sink: &mut Sink) -> Result<()> {
        let data = frame.data.trim_ascii();
        // OpenRouter ends its streams of every dialect like this.
        if data.is_empty() || data == b"[DONE]" {
            return Ok(());
        }
        // One check of the whole is cheaper than one for each string in it.
        let data = std::str::from_utf8(data)
            .map_err(|_| Error::new(ErrorKind::Decode, "an event of the stream is not UTF-8"))?;
        let event = match serde_json::from_str::<StreamEvent<'_>>(data) {
            Ok(event) => event,
            Err(_) if frame.event == "error" => return Err(from_event(data.as_bytes())),
            Err(error) => return self.strange(data, &error),
        };
        // Some gateways say the type in the event's name alone.
        let kind = if event.kind.is_empty() { frame.event } else { &*event.kind };
        match (kind, &event.delta) {
            ("content_block_delta", Some(delta)) => self.delta(event.index, delta, data, sink),
            ("ping", _) => Ok(()),
            _ => self.rare(kind, event.index, data, sink),
        }
    }
}

impl MessagesDecoder {
    /// The block that an event is about: the last one where the event does not say.
    fn find(&self, index: Option<u64>) -> Option<usize> {
        match index {
            Some(_) => self.open.iter().rposition(|block| block.index == index),
            None => self.open.len().checked_sub(1),
        }
    }

    fn delta(&mut self, index: Option<u64>, delta: &Delta<'_>, data: &str, sink: &mut Sink) -> Result<()> {
        let Some(at) = self.find(index) else { return Ok(()) };
        match (&*delta.kind, &mut self.open[at].kind) {
            ("text_delta", Kind::Text { .. }) => sink.text(delta.text.as_ref().map_or("", |t| &t.0)),
            ("thinking_delta", Kind::Thinking { .. }) => sink.reasoning(delta.thinking.as_ref().map_or("", |t| &t.0)),
            ("input_json_delta", Kind::Tool { number, input }) => {
                if let Some(fragment) = delta.partial_json.as_ref().filter(|f| !f.0.is_empty()) {
                    input.clear();
                    sink.tool_arguments(*number, &fragment.0);
                }
            }
            ("input_json_delta", Kind::Other { input, .. }) => {
                input.push_str(delta.partial_json.as_ref().map_or("", |f| &f.0));
            }
            (_, kind) => rare_delta(kind, data)?,
        }
        Ok(())
    }

    /// An event of another shape than those we know is one that we do not know, or is broken.
    fn strange(&mut self, data: &str, error: &serde_json::Error) -> Result<()> {
        let json: Value = serde_json::from_str(data).unwrap_or_default();
        let kind = json["type"].as_str().unwrap_or_default();
        let known_delta = ["text_delta", "thinking_delta", "input_json_delta"].map(Value::from);
        if kind == "content_block_delta" && json["index"].is_u64() && !known_delta.contains(&json["delta"]["type"]) {
            return match self.find(json["index"].as_u64()) {
                Some(at) => rare_delta(&mut self.open[at].kind, data),
                None => Ok(()),
            };
        }
        if kind.is_empty() || kind.starts_with("message_") || kind.starts_with("content_block_") {
            return Err(not_json("an event of the stream", error));
        }
        Ok(())
    }

    /// Any event but the frequent deltas and pings.
    fn rare(&mut self, kind: &str, index: Option<u64>, data: &str, sink: &mut Sink) -> Result<()> {
        let read = |e: Wrong| unreadable(&e);
        let json: &RawValue = serde_json::from_str(data).map_err(|e| not_json("an event of the stream", &e))?;
        let mut fields = Fields::read(json, false).map_err(|e| read(e.within("the event")))?;
        match kind {
            "message_start" => {
                if let Some(message) = fields.object("message").map_err(read)? {
                    take_in(message, &mut self.counters, sink)?;
                    self.counters.output_is_provisional();
                    sink.usage(self.counters.usage());
                }
            }
            "content_block_start" => {
                if let Some(block) = fields.take("content_block") {
                    self.start(index, block, sink)?;
                }
            }
            "content_block_stop" => {
                if let Some(at) = self.find(index) {
                    let block = self.open.remove(at);
                    stop(block, sink)?;
                }
            }
            "message_delta" => {
                fields.take("type");
                let delta = fields.object("delta").map_err(read)?;
                if let Some(usage) = fields.get("usage").map_err(read)? {
                    self.counters.update(usage);
                }
                if let Some(delta) = delta {
                    take_in(delta, &mut self.counters, sink)?;
                }
                keep(fields.rest().map_err(read)?, &self.counters, sink.response_mut());
                sink.usage(self.counters.usage());
            }
            "message_stop" => {
                for block in std::mem::take(&mut self.open) {
                    stop(block, sink)?;
                }
                self.counters.settle();
                sink.usage(self.counters.usage());
                sink.end();
            }
            "error" => return Err(from_event(data.as_bytes())),
            _ if fields.peek("type").is_none() && fields.peek("error").is_some() => {
                return Err(from_event(data.as_bytes()));
            }
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, index: Option<u64>, json: &RawValue, sink: &mut Sink) -> Result<()> {
        // Blocks follow one another: one ends where another begins, or where its number is given again. Only calls
        // may overlap, as they are told apart by more than their order.
        let ends = |block: &Open| block.index == index || !matches!(block.kind, Kind::Tool { .. });
        while let Some(at) = self.open.iter().position(ends) {
            let block = self.open.remove(at);
            stop(block, sink)?;
        }
        if self.open.len() >= MAX_OPEN {
            let message = format!("the answer has more than {MAX_OPEN} blocks open at once");
            return Err(Error::new(ErrorKind::Decode, message));
        }
        let mut parts = Vec::new();
        read_block(json, false, true, &mut parts).map_err(|e| unreadable(&e.within("content_block")))?;
        let citations = parts.split_off(1.min(parts.len()));
        let Some(Part { content, meta, .. }) = parts.pop() else {
            return Ok(());
        };
        let kind = match content {
            Content::Text { text } => {
                sink.text(&text);
                Kind::Text { citations }
            }
            Content::Reasoning(Reasoning { text, signature, encrypted: None }) => {
                sink.reasoning(&text);
                Kind::Thinking { signature }
            }
            Content::ToolCall(ToolCall { id, name, arguments }) => {
                let number = tool_start(&id, &name, &meta, sink)?;
                let says_something = arguments.starts_with('{') && arguments[1..].trim_start() != "}";
                let input = if says_something { arguments } else { String::new() };
                Kind::Tool { number, input }
            }
            _ => Kind::Other { start: json.to_owned(), input: String::new(), more: Map::new() },
        };
        self.open.push(Open { index, kind, meta });
        Ok(())
    }
}

/// Signatures, citations, and deltas of kinds that we do not know.
fn rare_delta(kind: &mut Kind, data: &str) -> Result<()> {
    #[derive(serde::Deserialize)]
    struct Rare {
        delta: Map<String, Value>,
    }
    let Rare { delta } = serde_json::from_str(data).map_err(|e| not_json("an event of the stream", &e))?;
    match kind {
        Kind::Text { citations } => {
            if let Some(citation) = delta.get("citation").filter(|c| c.is_object()) {
                citations.push(read_citation(citation.clone()));
            }
        }
        Kind::Thinking { signature } => {
            if let Some(Value::String(signed)) = delta.get("signature") {
                *signature = Some(signed.clone());
            }
        }
        Kind::Tool { .. } => {}
        Kind::Other { more, .. } => {
            for (key, value) in delta.into_iter().filter(|(key, value)| key != "type" && !value.is_null()) {
                join(more, key, value);
            }
        }
    }
    Ok(())
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
fn stop(block: Open, sink: &mut Sink) -> Result<()> {
    match block.kind {
        Kind::Text { citations } => {
            sink.part_end(None, block.meta);
            for citation in citations {
                sink.part(citation);
            }
        }
        Kind::Thinking { signature } => {
            sink.part_end(signature.as_deref().filter(|s| !s.is_empty()), block.meta);
        }
        Kind::Tool { number, input } => {
            sink.tool_arguments(number, &input);
            sink.tool_end(number);
        }
        Kind::Other { start, input, more } => {
            let mut parts = Vec::new();
            let read = |e: Wrong| unreadable(&e.within("content_block"));
            if more.is_empty() {
                read_block(&start, false, true, &mut parts).map_err(read)?;
            } else if let Value::Object(mut whole) = value_of(&start).map_err(read)? {
                more.into_iter().for_each(|(key, value)| join(&mut whole, key, value));
                let whole = to_raw_value(&whole).map_err(|e| not_json("a block", &e))?;
                read_block(&whole, false, true, &mut parts).map_err(read)?;
            }
            if let Some(Part { content: Content::ServerToolUse(used), .. }) = parts.first_mut()
                && !input.is_empty()
            {
                used.input = input;
            }
            tell(parts, sink)?;
        }
    }
    Ok(())
}
