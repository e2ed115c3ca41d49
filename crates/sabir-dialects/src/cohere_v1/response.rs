//! Whole answers: read from the provider, written to a client.

use std::collections::HashMap;

use http::HeaderMap;
use sabir_core::chat::{ChatResponse, Content, Finish, Meta, Part};
use sabir_core::dialect::{Answer, Responded};
use sabir_core::drive::client::decode_whole;
use sabir_core::{Error, ErrorKind, Feature, Result, Sink};
use serde_json::{Value, json};

use super::wire::{citation_part, read_call};
use super::{CohereV1, NAME};
use crate::cohere::{BESIDE_TOKENS, failure, finish_word, inside, read_usage, write_usage};
use crate::json::{Fields, List, Object, Wrong, object_text, value_of, write_json};
use crate::lines::are_lines;
use crate::shared::{Losses, made_id};
use crate::texts::Texts;

/// What was answered.
pub(super) fn decode(answer: Answer<'_>) -> Result<ChatResponse> {
    let Answer { status, headers, body } = answer;
    if !status.is_success() {
        return Err(failure(status, headers, body));
    }
    let body = body.trim_ascii();
    if body.starts_with(b"data:") || body.starts_with(b"event:") || are_lines(body) {
        // A stream that calls itself JSON.
        return decode_whole(&CohereV1, status, &HeaderMap::new(), body, true);
    }
    let fields = Fields::of_answer(body)?;
    if ["text", "tool_calls", "generation_id", "chat_history"].iter().all(|key| fields.peek(key).is_none()) {
        let nothing = || Error::new(ErrorKind::Decode, "the answer has neither a text nor an error");
        return Err(inside(body).unwrap_or_else(nothing));
    }
    let mut sink = Sink::whole();
    let mut told = Told::default();
    told.whole(fields, &mut sink).map_err(|e| e.unreadable())?;
    told.end(&mut sink);
    Ok(sink.into_response())
}

/// What was told so far: events say first in pieces and then again what the whole answer says.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) text: bool,
    pub(super) calls: Vec<Begun>,
    /// Where among them a call of the provider's number stands: the last one that has it.
    numbers: HashMap<Option<u64>, usize>,
    /// How many of them were told whole, and how often each was.
    whole: usize,
    times: HashMap<(String, String), usize>,
    /// Told at the end, when the documents are known.
    pub(super) citations: Vec<Value>,
}

/// A call of which something was told.
#[derive(Debug)]
pub(super) struct Begun {
    /// Our number.
    pub(super) index: usize,
    /// Whether there is something of its arguments.
    pub(super) has_begun: bool,
}

impl Told {
    /// A whole answer, or what of it was not told yet.
    pub(super) fn whole(&mut self, mut fields: Fields<'_>, sink: &mut Sink) -> Result<(), Wrong> {
        let (id, response_id) = (fields.text("generation_id")?, fields.value("response_id")?);
        let id = id.as_deref().or(response_id.as_ref().and_then(Value::as_str));
        sink.identify(id, None);
        if let Some(text) = fields.text("text")?.filter(|_| !self.text) {
            self.text |= !text.is_empty();
            sink.text(&text);
        }
        self.whole_calls(fields.objects("tool_calls")?, sink)?;
        let citations = fields.list("citations")?;
        if self.citations.is_empty() {
            self.citations = citations.into_iter().map(value_of).collect::<Result<_, _>>()?;
        }
        if let Some(reason) = fields.text("finish_reason")? {
            sink.finish(Finish::from_raw(&reason));
        }
        let meta = &mut sink.response_mut().meta;
        if let Some(response_id) = response_id {
            meta.set(NAME, "response_id", response_id);
        }
        if let Some(counted) = fields.object("meta")? {
            let usage = read_usage(NAME, counted, &mut sink.response_mut().meta)?;
            sink.usage(usage);
        }
        keep(fields, sink)
    }

    /// Calls, whole. Those that were told in pieces are complete, in their order; what was told whole as often as it
    /// stands here is a repeat.
    pub(super) fn whole_calls(&mut self, calls: Vec<Fields<'_>>, sink: &mut Sink) -> Result<(), Wrong> {
        let mut here: HashMap<(String, String), usize> = HashMap::new();
        for mut call in calls {
            let (name, arguments) = read_call(&mut call)?;
            let times = here.entry((name.clone(), arguments.clone())).or_default();
            *times += 1;
            let before = self.times.entry((name.clone(), arguments.clone())).or_default();
            if *before >= *times {
                continue;
            }
            *before += 1;
            if self.whole == self.calls.len() {
                self.start(None, &name, sink)?;
            }
            let Begun { index, has_begun } = self.calls[self.whole];
            self.whole += 1;
            if !has_begun {
                sink.tool_arguments(index, &arguments);
            }
            sink.tool_end(index);
        }
        Ok(())
    }

    /// The call of the provider's number that is being told in pieces; the last one without a number. One with a name
    /// begins anew where the one of that number is whole.
    pub(super) fn in_pieces(&mut self, theirs: Option<u64>, is_named: bool) -> Option<&mut Begun> {
        let last = self.calls.len().checked_sub(1);
        let at = if theirs.is_some() { self.numbers.get(&theirs).copied() } else { last };
        self.calls.get_mut(at.filter(|at| *at >= self.whole || !is_named)?)
    }

    /// A call begins.
    pub(super) fn start(&mut self, theirs: Option<u64>, name: &str, sink: &mut Sink) -> Result<(), Wrong> {
        let at = self.calls.len();
        let index = sink.tool_start(&made_id(at, name), name).map_err(|e| Wrong::new(e.message()))?;
        sink.tool_meta(index, NAME, Meta::FORM, json!({"made_id": true}));
        self.numbers.insert(theirs, at);
        self.calls.push(Begun { index, has_begun: false });
        Ok(())
    }

    /// The citations, and the end of what is open.
    pub(super) fn end(&mut self, sink: &mut Sink) {
        sink.tools_end();
        let documents = sink.response().meta.get(NAME, "documents").cloned();
        for citation in self.citations.drain(..) {
            sink.part(citation_part(citation, documents.as_ref()));
        }
    }
}

/// What only the provider understands. The history repeats what was asked.
pub(super) fn keep(mut fields: Fields<'_>, sink: &mut Sink) -> Result<(), Wrong> {
    for known in ["chat_history", "is_finished", "event_type", "text"] {
        fields.take(known);
    }
    for (key, value) in fields.rest()? {
        sink.response_mut().meta.set(NAME, key, value);
    }
    Ok(())
}

/// What we answer.
pub(super) fn respond(response: &ChatResponse) -> Responded {
    let (mut out, mut losses) = (Vec::new(), Losses::default());
    let mut body = Object::new(&mut out);
    write_response(&mut body, response, &mut losses);
    body.end();
    Responded { headers: HeaderMap::new(), body: out.into(), losses: losses.0 }
}

/// A whole answer's fields.
pub(super) fn write_response(body: &mut Object<'_>, response: &ChatResponse, losses: &mut Losses) {
    let (calls, citations) = calls_and_citations(response, losses);
    let (mut text, mut is_late) = (Texts::default(), false);
    for (at, part) in response.parts.iter().enumerate() {
        if matches!(part.content, Content::ToolCall(_)) || own_citation(part).is_some() {
            is_late = true;
            continue;
        }
        let path = format!("parts[{at}]");
        let Some(words) = losses.words(path.clone(), &part.content) else { continue };
        if is_late {
            losses.order(&*path, "calls and citations stand behind all text in this dialect");
        }
        text.add(path, "", words, losses);
    }
    let meta = response.meta.of(NAME);
    body.some("response_id", response.meta.get(NAME, "response_id"));
    body.field("text", &text.text).field("generation_id", &response.id);
    body.field("finish_reason", finish_word(&response.finish, "COMPLETE", losses));
    losses.usage(&response.usage, &["cache_read", "reasoning"]);
    write_usage(body, "meta", &response.usage, Some(&response.meta), NAME);
    body.list("tool_calls", &calls).list("citations", &citations);
    let written =
        ["response_id", "text", "generation_id", "finish_reason", "meta", "tokens", "tool_calls", "citations"];
    body.meta(meta, &[&written, BESIDE_TOKENS].concat());
}

/// An answer's calls, and those of its citations that are this dialect's own.
pub(super) fn calls_and_citations(response: &ChatResponse, losses: &mut Losses) -> (List, List) {
    let (mut calls, mut citations) = (List::default(), List::default());
    for (at, part) in response.parts.iter().enumerate() {
        if let Some(json) = own_citation(part) {
            write_json(citations.item(), json);
        }
        let Content::ToolCall(call) = &part.content else { continue };
        if part.meta.form(NAME, "made_id").is_none() {
            losses.lose(Feature::Tools, format!("parts[{at}]"), "calls have no ids in this dialect");
        }
        let arguments = object_text(&call.arguments);
        if arguments.is_none() {
            let (feature, note) =
                (Feature::Other("arguments".into()), "arguments that are not a JSON object became {}");
            losses.lose(feature, format!("parts[{at}]"), note);
        }
        calls.object(|to| {
            to.field("name", &call.name).raw("parameters", arguments.unwrap_or("{}"));
        });
    }
    (calls, citations)
}

/// A citation as it came; those of others cannot be told.
pub(super) fn own_citation(part: &Part) -> Option<&Value> {
    match &part.content {
        Content::Citation(citation) => Some(&citation.json).filter(|json| json["document_ids"].is_array()),
        _ => None,
    }
}
