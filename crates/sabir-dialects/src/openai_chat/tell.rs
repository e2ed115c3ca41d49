//! Tells a sink what the messages of an answer say, or their deltas.

use sabir_core::chat::{Content, Media, Part, Source, from_base64};
use sabir_core::{Result, Sink};
use serde_json::{Map, Value};

use super::wire::{Audio, Call, Message};
use super::{NAME, part};
use crate::fragments::{Begun, Fragment};
use crate::json::{self, parsed};
use crate::lenient::{Count, List, Object, Text};
use crate::openai_answer::{Choice, Teller};
use crate::reasoning_details::Thoughts;

/// What has to be kept between the chunks of one answer.
#[derive(Debug, Default)]
pub(super) struct Messages {
    calls: Begun,
    thoughts: Thoughts,
    refusal: String,
    annotations: Vec<Value>,
    audio: Option<Audio<'static>>,
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
                if let Some(number) = self.calls.at(index) {
                    sink.tool_arguments(number, text);
                }
            }
        }
    }

    fn close(&mut self, sink: &mut Sink) {
        self.thoughts.flush(NAME, sink);
        if !self.refusal.is_empty() {
            sink.part(Content::Refusal { text: std::mem::take(&mut self.refusal) }.into());
        }
        self.annotations.drain(..).for_each(|annotation| sink.part(part::annotation(annotation)));
        self.audio.take().and_then(sound).into_iter().for_each(|sound| sink.part(sound));
        if let (Some(extra), Some(part)) = (self.extra_content.take(), sink.response_mut().parts.last_mut()) {
            let fields = Map::from_iter([("extra_content".to_owned(), extra)]);
            part.meta.set(NAME, "message", fields.into());
        }
    }
}

impl Messages {
    fn message(&mut self, message: Message<'_>, whole: bool, sink: &mut Sink) -> Result<()> {
        let plain = if message.reasoning_content.is_empty() { &message.reasoning } else { &message.reasoning_content };
        self.thoughts.tell(plain, message.reasoning_details.0, NAME, sink);
        match message.content.map(|raw| (raw, serde_json::from_str::<json::Text<'_>>(raw.get()))) {
            Some((_, Ok(text))) => self.text(&text.0, sink),
            Some((raw, Err(_))) => {
                let parts: List<Value> = serde_json::from_str(raw.get()).unwrap_or_default();
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
        if let Some(more) = message.audio.0 {
            let audio = self.audio.get_or_insert_default();
            if !more.id.is_empty() {
                audio.id = Text(more.id.0.into_owned().into());
            }
            audio.data.0.to_mut().push_str(&more.data);
            audio.transcript.0.to_mut().push_str(&more.transcript);
        }
        if let Some(extra) = message.extra_content {
            self.extra_content = parsed(extra);
        }
        Ok(())
    }

    fn text(&mut self, text: &str, sink: &mut Sink) {
        if !text.is_empty() {
            self.thoughts.flush(NAME, sink);
            sink.text(text);
        }
    }

    /// A typed part of the content.
    fn part(&mut self, json: Value, sink: &mut Sink) {
        let part = part::read(json);
        match &part.content {
            Content::Text { text } => self.text(text, sink),
            Content::Refusal { text } => self.refusal.push_str(text),
            Content::Reasoning(thought) => {
                self.thoughts.say(&thought.text, sink);
                self.thoughts.sign(part.meta.get(NAME, "signature").and_then(Value::as_str).unwrap_or_default());
            }
            Content::Opaque { json: Value::Null, .. } => {}
            _ => {
                self.thoughts.flush(NAME, sink);
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
        let fragment = Fragment { index: call.index.0, id: &call.id, name: &name, arguments: &arguments };
        let begun = if whole { None } else { self.calls.find(fragment, sink) };
        if begun.is_none() {
            self.thoughts.flush(NAME, sink);
        }
        let number = begun.map_or_else(|| self.calls.begin(fragment, sink), Ok)?;
        if begun.is_none() && is_custom {
            sink.tool_meta(number, NAME, "type", "custom".into());
        }
        sink.tool_arguments(number, &arguments);
        if let Some(extra) = call.extra_content.and_then(parsed) {
            sink.tool_meta(number, NAME, "extra_content", extra);
        }
        Ok(())
    }
}

/// Sound, all of whose fragments are there.
fn sound(audio: Audio<'_>) -> Option<Part> {
    // Fragments may be cut anywhere, or be padded each: a padding ends a piece.
    let pieces = audio.data.split('=').filter_map(|piece| from_base64(piece).ok());
    let bytes = pieces.flatten().collect::<Vec<u8>>();
    if bytes.is_empty() && audio.transcript.is_empty() {
        return None;
    }
    let mut part = Part::from(Content::Audio(Media { source: Source::Bytes(bytes.into()), mime: None }));
    for (field, text) in [("id", audio.id), ("transcript", audio.transcript)] {
        if !text.is_empty() {
            part.meta.set(NAME, field, text.0.into());
        }
    }
    Some(part)
}
