//! Tells a sink what a whole answer or a chunk of one says: one reading for both, so that they cannot differ.

use sabir_core::chat::{Citation, Content, Finish, Media, Meta, Part, Source, from_base64};
use sabir_core::{Feature, Loss, Result, Sink};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::shortcut::Kind;
use super::thoughts::Thoughts;
use super::{NAME, error, usage, wire};
use crate::lenient::{Count, Object};

/// What has to be kept between the chunks of one answer.
#[derive(Debug, Default)]
pub(super) struct Teller {
    /// Whether the answer comes whole: each call in it is a call of its own.
    whole: bool,
    greeted: bool,
    finished: bool,
    has_others: bool,
    calls: Vec<Known>,
    thoughts: Thoughts,
    refusal: String,
    annotations: Vec<Value>,
    audio: Option<Voice>,
    extra_content: Option<Value>,
    logprobs: Map<String, Value>,
}

/// A call that has begun.
#[derive(Debug)]
struct Known {
    index: Option<u64>,
    id: String,
    name: String,
    /// Its number in the sink.
    number: usize,
    /// Whether its arguments end like a whole object.
    closed: bool,
}

#[derive(Debug, Default)]
struct Voice {
    id: String,
    base64: String,
    bytes: Vec<u8>,
    transcript: String,
    /// What came is no base64 so far: not to be tried again with every fragment.
    broken: bool,
}

impl Teller {
    /// For an answer that comes whole.
    pub(super) fn whole() -> Self {
        Self { whole: true, ..Self::default() }
    }

    /// Whether a reason to finish was given.
    pub(super) fn has_finished(&self) -> bool {
        self.finished
    }

    /// Tells what a chunk says. An error in it is told last, after what came with it.
    pub(super) fn tell(&mut self, chunk: wire::Chunk<'_>, sink: &mut Sink) -> Result<()> {
        sink.identify(Some(&chunk.id), Some(&chunk.model));
        if !self.greeted {
            self.greeted = true;
            greet(&chunk, sink);
        }
        let mut failed = chunk.error;
        for (position, choice) in chunk.choices.into_iter().flat_map(|list| list.0).enumerate() {
            let index = choice.index.0.unwrap_or(position as u64);
            if index != 0 {
                if !std::mem::replace(&mut self.has_others, true) {
                    sink.loss(Loss::new(
                        Feature::Choices,
                        format!("choices[{index}]"),
                        "only the first answer is kept",
                    ));
                }
                continue;
            }
            failed = failed.or(choice.error);
            // One answer may hold both: the other is empty, or repeats all that was said so far.
            let (delta, message) = (choice.delta.0, choice.message.0);
            if let Some(message) = if self.whole { message.or(delta) } else { delta.or(message) } {
                self.message(*message, sink)?;
            }
            if let Some(logprobs) = choice.logprobs {
                self.logprobs(logprobs);
            }
            // Some servers write "" for "not yet", others at the very end: it counts while there is no better word.
            if let Some(word) = choice.finish_reason
                && (!word.is_empty() || !self.finished)
            {
                self.finished = !word.is_empty();
                sink.finish(Finish::from_raw(&word));
            }
        }
        let used = chunk.usage.0.or(chunk.x_groq.0.and_then(|groq| groq.usage.0));
        if let Some(used) = used {
            usage::tell(&used, sink);
        }
        sources(chunk.citations, "citations", sink);
        sources(chunk.search_results, "search_results", sink);
        match failed.and_then(error::inside).or_else(|| error::beside(chunk.base_resp.0.as_ref()?)) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Tells what a chunk says that says one string only.
    pub(super) fn tell_string(&mut self, kind: Kind, text: &str, sink: &mut Sink) {
        match kind {
            Kind::Text => self.text(text, sink),
            Kind::Thought => self.thoughts.say(text, sink),
            Kind::Arguments(index) => {
                if let Some(known) = self.calls.iter_mut().rev().find(|known| known.index == Some(index)) {
                    known.closed = text.ends_with('}');
                    sink.tool_arguments(known.number, text);
                }
            }
        }
    }

    /// Tells what only the end makes whole.
    pub(super) fn close(&mut self, sink: &mut Sink) {
        self.thoughts.flush(sink);
        if !self.refusal.is_empty() {
            let text = std::mem::take(&mut self.refusal);
            sink.part(Content::Refusal { text }.into());
        }
        for annotation in self.annotations.drain(..) {
            sink.part(annotated(annotation));
        }
        if let Some(part) = self.audio.take().and_then(Voice::into_part) {
            sink.part(part);
        }
        let response = sink.response_mut();
        if let (Some(extra), Some(part)) = (self.extra_content.take(), response.parts.last_mut()) {
            let fields = Map::from_iter([("extra_content".to_owned(), extra)]);
            part.meta.set(NAME, "message", Value::Object(fields));
        }
        if self.logprobs.values().any(|list| !list.is_null()) {
            response.meta.set(NAME, "logprobs", Value::Object(std::mem::take(&mut self.logprobs)));
        }
    }

    fn message(&mut self, message: wire::Message<'_>, sink: &mut Sink) -> Result<()> {
        let plain = if message.reasoning_content.is_empty() { &message.reasoning } else { &message.reasoning_content };
        if !plain.is_empty() || !message.reasoning_details.0.is_empty() {
            self.thoughts.tell(plain, message.reasoning_details.0, sink);
        }
        match message.content {
            wire::Body::Empty => {}
            wire::Body::Text(text) => self.text(&text, sink),
            wire::Body::Parts(parts) => parts.into_iter().for_each(|part| self.part(part, sink)),
        }
        for image in message.images.0 {
            self.part(image, sink);
        }
        for call in message.tool_calls.0 {
            self.call(call, sink)?;
        }
        if let Some(function) = message.function_call.0.filter(|f| !f.name.is_empty() || !f.arguments.is_empty()) {
            // The deprecated single call: a number of its own keeps it apart from the others.
            let index = Count(Some(u64::MAX));
            self.call(wire::Call { index, function: Object(Some(function)), ..wire::Call::default() }, sink)?;
        }
        self.refusal.push_str(&message.refusal);
        self.annotations.extend(message.annotations.0);
        if let Some(audio) = message.audio.0
            && !(audio.data.is_empty() && audio.transcript.is_empty() && audio.id.is_empty())
        {
            self.audio.get_or_insert_default().take(&audio);
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
    fn part(&mut self, part: Value, sink: &mut Sink) {
        let field = |name: &str| part.get(name).and_then(Value::as_str);
        match field("type") {
            Some("text" | "output_text") => self.text(field("text").unwrap_or_default(), sink),
            Some("thinking") => {
                match part.get("thinking") {
                    Some(Value::Array(pieces)) => {
                        for piece in pieces {
                            self.thoughts.say(super::thoughts::text_of(piece), sink);
                        }
                    }
                    other => self.thoughts.say(other.and_then(Value::as_str).unwrap_or_default(), sink),
                }
                self.thoughts.sign(field("signature").unwrap_or_default());
            }
            Some("refusal") => self.refusal.push_str(field("refusal").unwrap_or_default()),
            Some("image_url") => {
                let url = part.get("image_url").and_then(|image| image.as_str().or(image.get("url")?.as_str()));
                self.thoughts.flush(sink);
                sink.part(match url.and_then(|url| Media::from_url(url).ok()) {
                    Some(media) => Part::image(media),
                    None => opaque(part),
                });
            }
            _ => match part {
                Value::String(text) => self.text(&text, sink),
                Value::Null => {}
                part => {
                    self.thoughts.flush(sink);
                    sink.part(opaque(part));
                }
            },
        }
    }

    fn call(&mut self, call: wire::Call<'_>, sink: &mut Sink) -> Result<()> {
        let function = call.function.0.unwrap_or_default();
        // Some servers put an empty one of the other kind beside it.
        let is_function = !function.name.is_empty() || !function.arguments.is_empty();
        let custom = call.custom.0.filter(|c| !(is_function || c.name.is_empty() && c.input.is_empty()));
        let is_custom = custom.is_some();
        let (name, arguments) = custom.map_or((function.name, function.arguments), |c| (c.name, c.input));
        let at = if let Some(at) = self.known(call.index.0, &call.id, &name, &arguments) {
            self.complete(at, &call.id, &name, sink);
            at
        } else {
            self.thoughts.flush(sink);
            let number = sink.tool_start(&call.id, &name)?;
            if is_custom {
                sink.tool_meta(number, NAME, "type", "custom".into());
            }
            let (id, name) = (call.id.to_string(), name.to_string());
            self.calls.push(Known { index: call.index.0, id, name, number, closed: false });
            self.calls.len() - 1
        };
        let known = &mut self.calls[at];
        if !arguments.is_empty() {
            known.closed = arguments.ends_with('}');
            sink.tool_arguments(known.number, &arguments);
        }
        if let Some(extra) = call.extra_content.and_then(parsed) {
            sink.tool_meta(known.number, NAME, "extra_content", extra);
        }
        Ok(())
    }

    /// Which of the calls that have begun a fragment belongs to. An id of its own makes a new call, whatever the
    /// index; so does another name, or a second whole object, where there is no id.
    fn known(&self, index: Option<u64>, id: &str, name: &str, arguments: &str) -> Option<usize> {
        if self.whole {
            return None;
        }
        let differs = |known: &Known| {
            if id.is_empty() || known.id.is_empty() {
                !name.is_empty()
                    && !known.name.is_empty()
                    && (name != known.name || known.closed && arguments.starts_with('{'))
            } else {
                id != known.id
            }
        };
        let at = match index {
            Some(_) => self.calls.iter().rposition(|known| known.index == index),
            None if !id.is_empty() => self.calls.iter().rposition(|known| known.id == id),
            None => self.calls.len().checked_sub(1),
        };
        at.filter(|at| !differs(&self.calls[*at]))
    }

    /// An id or a name that came after the call had begun.
    fn complete(&mut self, at: usize, id: &str, name: &str, sink: &mut Sink) {
        let known = &mut self.calls[at];
        let (late_id, late_name) = (known.id.is_empty() && !id.is_empty(), known.name.is_empty() && !name.is_empty());
        if !late_id && !late_name {
            return;
        }
        let mut calls = sink.response_mut().parts.iter_mut().filter_map(|part| match &mut part.content {
            Content::ToolCall(call) => Some(call),
            _ => None,
        });
        if let Some(call) = calls.nth(known.number) {
            if late_id {
                (known.id, call.id) = (id.to_owned(), id.to_owned());
            }
            if late_name {
                (known.name, call.name) = (name.to_owned(), name.to_owned());
            }
        }
    }

    /// Each chunk has the tokens of its own text: lists grow, the rest is as it was last said.
    fn logprobs(&mut self, raw: &RawValue) {
        let Some(Value::Object(fields)) = parsed(raw) else {
            return;
        };
        for (key, value) in fields {
            match (self.logprobs.get_mut(&key), value) {
                (Some(_), Value::Null) => {}
                (Some(Value::Array(all)), Value::Array(more)) => all.extend(more),
                (_, value) => {
                    self.logprobs.insert(key, value);
                }
            }
        }
    }
}

impl Voice {
    fn take(&mut self, audio: &wire::Audio<'_>) {
        if !audio.id.is_empty() {
            (*audio.id).clone_into(&mut self.id);
        }
        self.transcript.push_str(&audio.transcript);
        self.base64.push_str(&audio.data);
        // Fragments may be padded each, or cut anywhere: four characters at a time are whole in both cases.
        if self.base64.len().is_multiple_of(4) && !self.broken {
            self.settle();
        }
    }

    fn settle(&mut self) {
        match from_base64(&self.base64) {
            Ok(bytes) => {
                self.bytes.extend_from_slice(&bytes);
                self.base64.clear();
            }
            Err(_) => self.broken = true,
        }
    }

    fn into_part(mut self) -> Option<Part> {
        self.settle();
        if self.bytes.is_empty() && self.transcript.is_empty() {
            return None;
        }
        let media = Media { source: Source::Bytes(self.bytes.into()), mime: None };
        let mut part = Part::from(Content::Audio(media));
        for (field, value) in [("id", self.id), ("transcript", self.transcript)] {
            if !value.is_empty() {
                part.meta.set(NAME, field, value.into());
            }
        }
        Some(part)
    }
}

/// What an answer says of itself, once.
fn greet(chunk: &wire::Chunk<'_>, sink: &mut Sink) {
    let meta = &mut sink.response_mut().meta;
    if let Some(created) = chunk.created.0 {
        meta.set(NAME, "created", created.into());
    }
    for (field, text) in [("system_fingerprint", &chunk.system_fingerprint), ("service_tier", &chunk.service_tier)] {
        if !text.is_empty() {
            meta.set(NAME, field, (**text).into());
        }
    }
}

fn sources(raw: Option<&RawValue>, field: &str, sink: &mut Sink) {
    if let Some(value) = raw.and_then(parsed) {
        sink.response_mut().meta.set(NAME, field, value);
    }
}

pub(super) fn parsed(raw: &RawValue) -> Option<Value> {
    serde_json::from_str(raw.get()).ok()
}

fn opaque(json: Value) -> Part {
    Content::Opaque { dialect: NAME.to_owned(), json }.into()
}

fn annotated(json: Value) -> Part {
    let Some(cited) = json.get("url_citation") else {
        return opaque(json);
    };
    let text = |name: &str| cited.get(name).and_then(Value::as_str).filter(|t| !t.is_empty()).map(str::to_owned);
    let at = |name: &str| cited.get(name).and_then(Value::as_u64);
    let citation = Citation {
        url: text("url"),
        title: text("title"),
        quote: text("content"),
        // From 0 to 0 is nowhere: what servers write that do not know.
        span: at("start_index").zip(at("end_index")).filter(|span| *span != (0, 0)),
        json: json.clone(),
    };
    Part { meta: Meta::default(), ..Content::Citation(citation).into() }
}
