//! Tells a sink what the messages of an answer say, or their deltas.

use std::collections::HashMap;

use sabir_core::chat::{Content, Media, Meta, Part, Source, ToolCall, from_base64};
use sabir_core::{Result, Sink};
use serde_json::{Map, Value};

use super::thoughts::Thoughts;
use super::wire::{Call, Message};
use super::{NAME, part};
use crate::json::Text;
use crate::lenient::{Count, List, Object};
use crate::openai_answer::{Choice, Teller, parsed};

/// What has to be kept between the chunks of one answer.
#[derive(Debug, Default)]
pub(super) struct Messages {
    /// Where each call that has begun stands in the answer; its number in the sink is the one in the list.
    calls: Vec<usize>,
    /// The last call of each index.
    latest: HashMap<u64, usize>,
    thoughts: Thoughts,
    refusal: String,
    annotations: Vec<Value>,
    audio: Option<Voice>,
    extra_content: Option<Value>,
}

/// What the one string of a chunk is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Text,
    Thought,
    /// Arguments of the call with this index.
    Arguments(u64),
}

#[derive(Debug, Default)]
struct Voice {
    id: String,
    base64: String,
    transcript: String,
}

impl Teller for Messages {
    const DIALECT: &'static str = NAME;
    type Kind = Kind;
    type Message<'a> = Message<'a>;

    fn choice(&mut self, choice: Choice<'_, Message<'_>>, whole: bool, sink: &mut Sink) -> Result<()> {
        // One answer may hold both: the other is empty, or repeats all that was said so far.
        let (delta, message) = (choice.delta.0, choice.message.0);
        match if whole { message.or(delta) } else { delta.or(message) } {
            Some(message) => self.message(*message, whole, sink),
            None => Ok(()),
        }
    }

    fn only_string<'c>(choice: &'c Choice<'_, Message<'_>>) -> Option<(Kind, &'c str)> {
        let delta = choice.delta.0.as_deref()?;
        let adds = !delta.refusal.is_empty() || delta.function_call.0.is_some() || delta.audio.0.is_some();
        if adds || [&delta.reasoning_details, &delta.annotations, &delta.images].iter().any(|list| !list.0.is_empty()) {
            return None;
        }
        let content = delta.content.map_or(Some(""), |json| json.get().strip_prefix('"')?.strip_suffix('"'))?;
        let (index, arguments) = match delta.tool_calls.0.as_slice() {
            [] => (0, ""),
            [call] if call.id.is_empty() && call.custom.0.is_none() && call.extra_content.is_none() => {
                let function = call.function.0.as_deref().filter(|function| function.name.is_empty())?;
                (call.index.0?, &*function.arguments)
            }
            _ => return None,
        };
        let thoughts = [&*delta.reasoning_content, &*delta.reasoning].map(|text| (Kind::Thought, text));
        let strings = [(Kind::Text, content), (Kind::Arguments(index), arguments)].into_iter().chain(thoughts);
        let mut told = strings.filter(|(_, text)| !text.is_empty());
        told.next().filter(|_| told.next().is_none())
    }

    fn string(&mut self, kind: Kind, text: &str, sink: &mut Sink) {
        match kind {
            Kind::Text => self.text(text, sink),
            Kind::Thought => self.thoughts.say(text, sink),
            Kind::Arguments(index) => {
                if let Some(number) = self.latest.get(&index) {
                    sink.tool_arguments(*number, text);
                }
            }
        }
    }

    fn close(&mut self, sink: &mut Sink) {
        self.thoughts.flush(sink);
        if !self.refusal.is_empty() {
            let text = std::mem::take(&mut self.refusal);
            sink.part(Content::Refusal { text }.into());
        }
        self.annotations.drain(..).for_each(|annotation| sink.part(part::annotation(annotation)));
        if let Some(part) = self.audio.take().and_then(Voice::into_part) {
            sink.part(part);
        }
        if let (Some(extra), Some(part)) = (self.extra_content.take(), sink.response_mut().parts.last_mut()) {
            let fields = Map::from_iter([("extra_content".to_owned(), extra)]);
            part.meta.set(NAME, "message", fields.into());
        }
    }
}

impl Messages {
    fn message(&mut self, message: Message<'_>, whole: bool, sink: &mut Sink) -> Result<()> {
        let plain = if message.reasoning_content.is_empty() { &message.reasoning } else { &message.reasoning_content };
        if !plain.is_empty() || !message.reasoning_details.0.is_empty() {
            self.thoughts.tell(plain, message.reasoning_details.0, sink);
        }
        match message.content.map(|json| (json, serde_json::from_str::<Text<'_>>(json.get()))) {
            Some((_, Ok(text))) => self.text(&text.0, sink),
            Some((json, Err(_))) => {
                let parts: List<Value> = serde_json::from_str(json.get()).unwrap_or_default();
                parts.0.into_iter().for_each(|part| self.part(part, sink));
            }
            None => {}
        }
        message.images.0.into_iter().for_each(|image| self.part(image, sink));
        for call in message.tool_calls.0 {
            self.call(call, whole, sink)?;
        }
        if let Some(function) = message.function_call.0.filter(|f| !f.name.is_empty() || !f.arguments.is_empty()) {
            // The deprecated single call: a number of its own keeps it apart from the others.
            let index = Count(Some(u64::MAX));
            self.call(Call { index, function: Object(Some(function)), ..Call::default() }, whole, sink)?;
        }
        self.refusal.push_str(&message.refusal);
        self.annotations.extend(message.annotations.0);
        if let Some(audio) = message.audio.0 {
            let voice = self.audio.get_or_insert_default();
            if !audio.id.is_empty() {
                (*audio.id).clone_into(&mut voice.id);
            }
            voice.base64.push_str(&audio.data);
            voice.transcript.push_str(&audio.transcript);
        }
        if let Some(extra) = message.extra_content {
            self.extra_content = parsed(extra);
        }
        Ok(())
    }

    fn text(&mut self, text: &str, sink: &mut Sink) {
        if !text.is_empty() {
            self.thoughts.flush(sink);
            sink.text(text);
        }
    }

    /// A typed part of the content.
    fn part(&mut self, json: Value, sink: &mut Sink) {
        let signature = json["signature"].as_str().unwrap_or_default().to_owned();
        let part = part::read(json);
        match &part.content {
            Content::Text { text } => self.text(text, sink),
            Content::Refusal { text } => self.refusal.push_str(text),
            Content::Reasoning(thought) => {
                self.thoughts.say(&thought.text, sink);
                self.thoughts.sign(&signature);
            }
            Content::Opaque { json: Value::Null, .. } => {}
            _ => {
                self.thoughts.flush(sink);
                sink.part(part);
            }
        }
    }

    fn call(&mut self, call: Call<'_>, whole: bool, sink: &mut Sink) -> Result<()> {
        let function = call.function.0.unwrap_or_default();
        // Some servers put an empty one of the other kind beside it.
        let is_function = !function.name.is_empty() || !function.arguments.is_empty();
        let custom = call.custom.0.filter(|c| !(is_function || c.name.is_empty() && c.input.is_empty()));
        let is_custom = custom.is_some();
        let (name, arguments) = custom.map_or((function.name, function.arguments), |c| (c.name, c.input));
        let begun = if whole { None } else { self.begun(call.index.0, &call.id, &name, &arguments, sink) };
        let number = if let Some(number) = begun {
            // An id or a name may come after the call had begun.
            if let Some(begun) = self.calls.get(number).and_then(|at| call_mut(*at, sink)) {
                for (known, late) in [(&mut begun.id, &call.id), (&mut begun.name, &name)] {
                    if known.is_empty() && !late.is_empty() {
                        (**late).clone_into(known);
                    }
                }
            }
            number
        } else {
            self.thoughts.flush(sink);
            let number = sink.tool_start(&call.id, &name)?;
            self.calls.push(sink.response().parts.len() - 1);
            self.latest.extend(call.index.0.map(|index| (index, number)));
            if is_custom {
                sink.tool_meta(number, NAME, "type", "custom".into());
            }
            number
        };
        sink.tool_arguments(number, &arguments);
        if let Some(extra) = call.extra_content.and_then(parsed) {
            sink.tool_meta(number, NAME, "extra_content", extra);
        }
        Ok(())
    }

    /// Which of the calls that have begun a fragment belongs to. An id of its own makes a new call, whatever the
    /// index; so does another name, or a second whole object, where there is no id.
    fn begun(&self, index: Option<u64>, id: &str, name: &str, arguments: &str, sink: &mut Sink) -> Option<usize> {
        let number = match index {
            Some(index) => self.latest.get(&index).copied(),
            None if id.is_empty() => self.calls.len().checked_sub(1),
            None => self.calls.iter().rposition(|at| call_mut(*at, sink).is_some_and(|call| call.id == id)),
        }?;
        let begun = call_mut(*self.calls.get(number)?, sink)?;
        let is_other = if id.is_empty() || begun.id.is_empty() {
            let repeats = begun.arguments.ends_with('}') && arguments.starts_with('{');
            !name.is_empty() && !begun.name.is_empty() && (name != begun.name || repeats)
        } else {
            id != begun.id
        };
        (!is_other).then_some(number)
    }
}

impl Voice {
    fn into_part(self) -> Option<Part> {
        // Fragments may be cut anywhere, or be padded each: a padding ends a piece.
        let pieces = self.base64.split('=').filter_map(|piece| from_base64(piece).ok());
        let bytes = pieces.flatten().collect::<Vec<u8>>();
        if bytes.is_empty() && self.transcript.is_empty() {
            return None;
        }
        let media = Media { source: Source::Bytes(bytes.into()), mime: None };
        let known = [("id", self.id), ("transcript", self.transcript)];
        let mut meta = Meta::default();
        for (field, value) in known.into_iter().filter(|(_, value)| !value.is_empty()) {
            meta.set(NAME, field, value.into());
        }
        Some(Part { meta, ..Content::Audio(media).into() })
    }
}

/// A call that has begun, by where it stands in the answer.
fn call_mut(part: usize, sink: &mut Sink) -> Option<&mut ToolCall> {
    match &mut sink.response_mut().parts.get_mut(part)?.content {
        Content::ToolCall(call) => Some(call),
        _ => None,
    }
}
