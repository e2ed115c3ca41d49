//! Streamed answers, read and written: `message_start`, blocks of deltas, `message_delta`, `message_stop`.

use http::StatusCode;
use sabir_core::chat::{ChatResponse, Content, Event, Finish, Meta, Part, Reasoning, ToolCall, Usage};
use sabir_core::dialect::{Decoder, unreadable};
use sabir_core::frame::Frame;
use sabir_core::{Error, ErrorKind, Feature, Result, Sink};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};

use super::NAME;
use super::block::{Writer, read_block, take_content};
use super::response::{WRITTEN, write_error, write_finish, write_head};
use super::wire::{Delta, StreamEvent, tell_usage, write_usage};
use crate::blocks::{
    Around, BlockEncoder, BlockEvents, Grown, MAX_OPEN, Names, Pieces, Place, Speaker, join, start_call, tell,
};
use crate::json::{Fields, List, Object, Wrong, plain_words, value_of};
use crate::shared::{Complaint, Losses, write_event};

/// Reads one streamed answer.
#[derive(Debug, Default)]
pub(super) struct MessagesDecoder {
    open: Vec<Open>,
    /// The provider's counters. Each report replaces the one before, field by field.
    usage: Map<String, Value>,
    /// What `message_start` said of the output: a beginning, not a count.
    provisional: Option<Value>,
}

/// A block that has started and not stopped.
#[derive(Debug)]
struct Open {
    index: Option<u64>,
    /// How it started, unless it is a call.
    start: Option<Box<RawValue>>,
    part: Part,
    citations: Vec<Part>,
    /// The number of the call that it is.
    call: Option<usize>,
    /// The input that deltas write.
    input: String,
    /// What else they bring.
    more: Value,
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
        let event = serde_json::from_str::<StreamEvent<'_>>(data);
        let event = match &event {
            Ok(event) => event,
            Err(_) if frame.event == "error" => return Err(failure(data)),
            Err(error) => return Err(unreadable("an event of the stream", error)),
        };
        // Some gateways say the type in the event's name alone.
        let kind = if event.kind.is_empty() { frame.event } else { &*event.kind };
        let read = match (kind, &event.delta) {
            ("content_block_delta", Some(delta)) => self.delta(event.index.0, delta, data, sink),
            ("ping", _) => Ok(()),
            ("error", _) => return Err(failure(data)),
            _ => {
                let json = serde_json::from_str(data).map_err(|e| unreadable("an event of the stream", &e))?;
                let fields = Fields::read(json, false).map_err(|e| e.unreadable())?;
                if event.kind.is_empty() && fields.peek("error").is_some() {
                    return Err(failure(data));
                }
                self.rare(kind, event.index.0, fields, sink)
            }
        };
        read.map_err(|e| e.unreadable())
    }
}

/// The error that an event is.
fn failure(data: &str) -> Error {
    let no_reason = || Error::new(ErrorKind::Provider, plain_words(StatusCode::OK, data.as_bytes()));
    Complaint::read(data.as_bytes()).map_or_else(no_reason, Complaint::into_error)
}

impl MessagesDecoder {
    /// Takes in what a message says of itself: a whole one, that of `message_start`, or what `message_delta` adds to
    /// it.
    pub(super) fn take_in(&mut self, mut fields: Fields<'_>, sink: &mut Sink) -> Result<(), Wrong> {
        fields.take("type");
        fields.take("role");
        sink.identify(fields.text("id")?.as_deref(), fields.text("model")?.as_deref());
        tell(take_content(&mut fields, "content", true)?, sink).map_err(|e| Wrong::new(e.message()))?;
        let usage: Map<_, _> = fields.get("usage")?.unwrap_or_default();
        self.usage.extend(usage.into_iter().filter(|(_, value)| !value.is_null()));
        let stop_sequence = fields.string("stop_sequence")?;
        if let Some(raw) = fields.text("stop_reason")? {
            sink.finish(Finish { stop_sequence, ..Finish::from_raw(&raw) });
        }
        sink.response_mut().meta.merge(fields.meta(NAME)?);
        Ok(())
    }

    /// Tells the counters of an answer that is whole.
    pub(super) fn settle(&mut self, sink: &mut Sink) {
        if let Some(output) = self.provisional.take() {
            // No report follows: a provisional count is better than none.
            self.usage.entry("output_tokens").or_insert(output);
        }
        tell_usage(std::mem::take(&mut self.usage), sink);
    }

    /// The block that an event is about: the last one where the event does not say.
    fn find(&self, index: Option<u64>) -> Option<usize> {
        match index {
            Some(_) => self.open.iter().rposition(|block| block.index == index),
            None => self.open.len().checked_sub(1),
        }
    }

    fn delta(&mut self, index: Option<u64>, delta: &Delta<'_>, data: &str, sink: &mut Sink) -> Result<(), Wrong> {
        let Some(at) = self.find(index) else { return Ok(()) };
        let block = &mut self.open[at];
        match (&*delta.kind, &mut block.part.content) {
            ("text_delta", Content::Text { .. }) => sink.text(&delta.text),
            ("thinking_delta", Content::Reasoning(_)) => sink.reasoning(&delta.thinking),
            ("input_json_delta", Content::ToolCall(call)) => {
                if let Some(number) = block.call.filter(|_| !delta.partial_json.is_empty()) {
                    call.arguments.clear();
                    sink.tool_arguments(number, &delta.partial_json);
                }
            }
            ("input_json_delta", _) => block.input.push_str(&delta.partial_json),
            _ => block.join_delta(data)?,
        }
        Ok(())
    }

    /// Any event but the frequent deltas and pings.
    fn rare(&mut self, kind: &str, index: Option<u64>, mut fields: Fields<'_>, sink: &mut Sink) -> Result<(), Wrong> {
        match kind {
            "message_start" => {
                if let Some(message) = fields.take("message") {
                    self.take_in(Fields::read(message, false).map_err(|e| e.within("message"))?, sink)?;
                    self.provisional = self.usage.shift_remove("output_tokens");
                    tell_usage(self.usage.clone(), sink);
                }
            }
            "content_block_start" => {
                if let Some(block) = fields.take("content_block") {
                    self.start(index, block, sink)?;
                }
            }
            "content_block_stop" => {
                if let Some(at) = self.find(index) {
                    self.open.remove(at).stop(sink)?;
                }
            }
            "message_delta" => {
                if let Some(delta) = fields.object("delta")? {
                    self.take_in(delta, sink)?;
                }
                self.take_in(fields, sink)?;
                tell_usage(self.usage.clone(), sink);
            }
            "message_stop" => {
                self.open.drain(..).try_for_each(|block| block.stop(sink))?;
                self.settle(sink);
                sink.end();
            }
            _ => {}
        }
        Ok(())
    }

    fn start(&mut self, index: Option<u64>, json: &RawValue, sink: &mut Sink) -> Result<(), Wrong> {
        // Blocks follow one another: one ends where another begins, or where its number is given again. Only calls
        // may overlap, as they are told apart by more than their order.
        let ends = |block: &Open| block.index == index || block.call.is_none();
        while let Some(at) = self.open.iter().position(ends) {
            self.open.remove(at).stop(sink)?;
        }
        if self.open.len() >= MAX_OPEN {
            return Err(Wrong::new(format!("more than {MAX_OPEN} blocks are open at once")));
        }
        let (mut part, citations) = read_block(json, false, true).map_err(|e| e.within("content_block"))?;
        let mut call = None;
        match &mut part.content {
            Content::Text { text } => sink.text(text),
            Content::Reasoning(thought) => sink.reasoning(&thought.text),
            Content::ToolCall(made) => {
                call = Some(start_call(made, part.meta.clone(), sink).map_err(|e| Wrong::new(e.message()))?);
                // An empty input only holds the place of what deltas bring.
                if made.arguments.strip_prefix('{').is_none_or(|rest| rest.trim_start() == "}") {
                    made.arguments.clear();
                }
            }
            _ => {}
        }
        let start = call.is_none().then(|| json.to_owned());
        self.open.push(Open { index, start, part, citations, call, input: String::new(), more: Value::Null });
        Ok(())
    }
}

impl Open {
    /// Keeps what a rare delta brings: a citation, a signature, anything for a block that we do not know.
    fn join_delta(&mut self, data: &str) -> Result<(), Wrong> {
        #[derive(Deserialize)]
        struct Rare {
            delta: Map<String, Value>,
        }
        let rare = serde_json::from_str(data).map_err(|_| Wrong::new("delta: is nested too deeply"));
        let Rare { mut delta } = rare?;
        delta.shift_remove("type");
        if let Some(citation) = delta.shift_remove("citation") {
            delta.insert("citations".to_owned(), vec![citation].into());
        }
        join(&mut self.more, Value::Object(delta));
        Ok(())
    }

    /// The block is complete.
    fn stop(mut self, sink: &mut Sink) -> Result<(), Wrong> {
        if let Some(number) = self.call {
            if let Content::ToolCall(call) = &self.part.content {
                sink.tool_arguments(number, &call.arguments);
            }
            sink.tool_end(number);
            return Ok(());
        }
        if let Some(start) = self.start.filter(|_| !self.more.is_null()) {
            let mut whole = value_of(&start)?;
            join(&mut whole, self.more);
            let whole = to_raw_value(&whole).map_err(|_| Wrong::new("content_block: cannot be kept"))?;
            (self.part, self.citations) = read_block(&whole, false, true).map_err(|e| e.within("content_block"))?;
        }
        match &mut self.part.content {
            // The deltas have told it.
            Content::Text { text } | Content::Reasoning(Reasoning { text, .. }) => text.clear(),
            Content::ServerToolUse(used) if !self.input.is_empty() => used.input = self.input,
            _ => {}
        }
        tell(std::iter::once(self.part).chain(self.citations), sink).map_err(|e| Wrong::new(e.message()))
    }
}

/// Writes one streamed answer.
pub(super) type MessagesEncoder = BlockEncoder<MessagesEvents>;

/// What a stream is made of.
#[derive(Debug, Default)]
pub(super) struct MessagesEvents {
    writer: Writer,
    /// The model, held back with the start until it is known whether the usage follows.
    model: Option<String>,
}

impl BlockEvents for MessagesEvents {
    const DIALECT: &'static str = NAME;
    const CONTENT_TYPE: &'static str = "text/event-stream";
    const NAMES: Names = Names {
        start: "content_block_start",
        delta: "content_block_delta",
        stop: "content_block_stop",
        number: "index",
        block: "content_block",
        text: Grown(Some(r#"{"type":"text","text":""}"#), Around(r#"{"type":"text_delta","text":"#, "}")),
        thought: Grown(
            Some(r#"{"type":"thinking","thinking":"","signature":""}"#),
            Around(r#"{"type":"thinking_delta","thinking":"#, "}"),
        ),
        signature: Around(r#"{"type":"signature_delta","signature":"#, "}"),
        citation: Around(r#"{"type":"citations_delta","citation":"#, "}"),
        input: Around(r#"{"type":"input_json_delta","partial_json":"#, "}"),
    };
    const ONE_AT_A_TIME: bool = true;
    const TELLS_WORDS_OF_SEALED: bool = true;

    fn frame(&mut self, name: &str, out: &mut Vec<u8>, data: impl FnOnce(&mut Object<'_>)) {
        write_event(out, name, data);
    }

    fn announce(&mut self, event: &Event, out: &mut Vec<u8>) {
        if let Event::Start { id, model } = event {
            id.clone_into(&mut self.writer.answer_id);
            self.model = Some(model.clone());
            return;
        }
        let Some(model) = self.model.take() else { return };
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

    /// What this dialect alone says of a block comes too late at its end: its start is written.
    fn complete(&mut self, _: Option<&ToolCall>, meta: &Meta, place: Place) {
        if meta.of(NAME).is_some() {
            let path = format!("{place}.meta.{NAME}");
            self.writer.outcome.losses.lose(Feature::Meta, path, "it came after the start of its block");
        }
    }

    fn citation(&mut self, part: &Part, cites: bool, place: Place) -> Option<Value> {
        if !cites {
            self.writer.outcome.losses.part(place, &part.content);
            return None;
        }
        self.writer.citation(part, Speaker::Assistant, place).cloned()
    }

    /// The input of a tool comes as a delta, as it would have come; all else of a block stands in its start.
    fn pieces(&mut self, part: &Part, place: Place) -> Vec<Pieces> {
        let mut part = part.clone();
        let input = match &mut part.content {
            Content::ToolCall(call) => Some(std::mem::take(&mut call.arguments)),
            Content::ServerToolUse(used) => Some(std::mem::take(&mut used.input)),
            _ => None,
        };
        let mut block = List::default();
        self.writer.part(&part, Speaker::Assistant, place, &mut block);
        if block.is_empty() {
            return Vec::new();
        }
        let deltas = input.iter().map(|input| Self::NAMES.input.delta(input)).collect();
        vec![Pieces { start: Some(block.items().to_vec()), deltas }]
    }

    fn done(&mut self, response: &ChatResponse, out: &mut Vec<u8>) {
        let (losses, meta) = (&mut self.writer.outcome.losses, &response.meta);
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

    fn error(&mut self, error: &Error, out: &mut Vec<u8>) {
        write_event(out, "error", |event| write_error(event, error));
    }

    fn losses(&self) -> &Losses {
        &self.writer.outcome.losses
    }
}
