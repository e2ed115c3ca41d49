//! Tells a sink what a whole answer or a chunk of one says: one reading for both, so that they cannot differ.

use sabir_core::chat::{Finish, FinishReason, Meta, Part};
use sabir_core::{Feature, Loss, Result, Sink};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::response::read_finish;
use super::usage::Counters;
use super::{ANSWER_FIELDS, NAME, USAGE_FIELDS, part, wire};
use crate::proto_json::{Rest, map_of, value};
use crate::{google_error as error, grounding, json_path};

/// The most different fields that are kept beside an answer.
const MOST_FIELDS: usize = 64;

/// What has to be kept between the chunks of one answer, or the turns of a conversation.
#[derive(Debug, Default)]
pub(super) struct Teller {
    counters: Counters,
    /// Whether the text that may still grow is a thought.
    open: Option<bool>,
    /// How many calls there were.
    pub(super) calls: usize,
    /// The number of the call whose arguments come in parts, and the arguments.
    running: Option<(usize, Map<String, Value>)>,
    /// Whether the last that came was an end: its reason, or that the prompt was refused.
    pub(super) has_finished: bool,
    has_others: bool,
    keeps_empty: bool,
    /// Fields that have no word: of the candidate, of the answer, of its usage.
    candidate: Map<String, Value>,
    answer: Map<String, Value>,
    usage: Map<String, Value>,
}

/// Keeps fields: an object's replace those of the earlier one, lists of log-probabilities grow, all else is replaced.
fn keep(rest: &Rest<'_>, kept: &mut Map<String, Value>) {
    let is_full = kept.len() >= MOST_FIELDS;
    for (name, raw) in rest {
        match (kept.get_mut(&**name), value(raw)) {
            (Some(Value::Object(kept)), Value::Object(later)) => {
                for (field, later) in later {
                    match (kept.get_mut(&field), later) {
                        (Some(Value::Array(kept)), Value::Array(later)) if name == "logprobsResult" => {
                            kept.extend(later);
                        }
                        (_, later) => drop(kept.insert(field, later)),
                    }
                }
            }
            (None, _) if is_full => {}
            (_, later) => drop(kept.insert(name.clone().into_owned(), later)),
        }
    }
}

/// Puts a piece of a call's arguments in its place; a text is appended to the one that is there.
pub(super) fn put(arguments: &mut Map<String, Value>, piece: wire::Piece<'_>) {
    match (json_path::place(arguments, &piece.path), piece.text, piece.number, piece.flag) {
        (Some(Value::String(all)), Some(more), ..) => all.push_str(&more),
        (Some(place), Some(text), ..) => *place = text.0.into(),
        (Some(place), None, Some(number @ Value::Number(_)), _) => *place = number,
        (Some(place), None, _, Some(flag)) => *place = flag.0.into(),
        _ => {}
    }
}

impl Teller {
    /// A teller of a client's turn, behind this many calls. Empty texts are parts there.
    pub(super) fn of_turn(calls: usize) -> Self {
        Self { calls, keeps_empty: true, ..Self::default() }
    }

    /// Tells what a chunk says. An error in it is told last, after what came with it.
    pub(super) fn tell(&mut self, chunk: wire::Chunk<'_>, sink: &mut Sink) -> Result<()> {
        sink.identify(Some(&chunk.id), Some(&chunk.model));
        keep(&chunk.rest, &mut self.answer);
        let is_answered = chunk.candidates.as_ref().is_some_and(|list| !list.0.is_empty());
        let refused = self.answer.get("promptFeedback").and_then(|feedback| feedback.get("blockReason"));
        if let Some(word) = refused.filter(|word| !word.is_null() && !is_answered) {
            let raw = word.as_str().map_or_else(|| word.to_string(), str::to_owned);
            sink.finish(Finish { raw: Some(raw), ..Finish::new(FinishReason::ContentFilter) });
            self.has_finished = true;
        }
        for (position, candidate) in chunk.candidates.into_iter().flat_map(|list| list.0).enumerate() {
            let index = candidate.index.0.unwrap_or(position as u64);
            if index == 0 {
                self.parts(candidate.content.parts.0, sink)?;
                if let Some(finish) = read_finish(&candidate.finish) {
                    sink.finish(finish);
                    self.has_finished = true;
                }
                keep(&candidate.rest, &mut self.candidate);
            } else if !std::mem::replace(&mut self.has_others, true) {
                let path = format!("candidates[{index}]");
                sink.loss(Loss::new(Feature::Choices, path, "only the first answer is kept"));
            }
        }
        if let Some(report) = chunk.usage {
            sink.usage(self.counters.update(&report));
            keep(&report.rest, &mut self.usage);
        }
        chunk.error.and_then(error::inside).map_or(Ok(()), Err)
    }

    pub(super) fn parts(&mut self, parts: Vec<wire::Part<'_>>, sink: &mut Sink) -> Result<()> {
        let mut had_text = false;
        for mut part in parts {
            // Texts in one chunk stand for themselves, as in a whole answer; across chunks they go on.
            let is_text = part.text.is_some();
            if is_text && had_text {
                self.open = None;
                sink.part_end(None, Meta::default());
            }
            had_text = is_text;
            // Where the provider runs tools itself, it goes on behind a reason to finish.
            let is_silent = part.text.as_deref().is_none_or(str::is_empty) && part.rest.is_empty();
            self.has_finished &= is_silent && part.call.is_none();
            if let Some(call) = part.call.take() {
                self.call(call, part::beside(&part), sink)?;
            } else if is_text || part.rest.is_empty() {
                self.text(&part, sink);
            } else {
                self.open = None;
                sink.part(part::read(part));
            }
        }
        Ok(())
    }

    /// A text or a thought, or a signature alone, which belongs to the one that is open.
    fn text(&mut self, part: &wire::Part<'_>, sink: &mut Sink) {
        let is_thought = part.thought.0;
        let text = part.text.as_deref().unwrap_or_default();
        if !text.is_empty() {
            if is_thought {
                sink.reasoning(text);
            } else {
                sink.text(text);
            }
            self.open = Some(is_thought);
        }
        let meta = part::beside(part);
        if meta.is_empty() && (!self.keeps_empty || !text.is_empty()) {
            return;
        }
        let signature = Some(&*part.signature).filter(|signature| is_thought && !signature.is_empty());
        if self.open.take() == Some(is_thought) || signature.is_some() {
            sink.part_end(signature, meta);
        } else {
            sink.part(Part { meta, ..Part::text("") });
        }
    }

    fn call(&mut self, call: wire::Call<'_>, mut meta: Meta, sink: &mut Sink) -> Result<()> {
        self.open = None;
        // A part of the call before has no name of its own, and an empty call closes it.
        if !call.name.is_empty() {
            self.end_call(sink);
        }
        let is_whole = !call.goes_on.0 && call.pieces.0.is_empty();
        if self.running.is_none() {
            if call.name.is_empty() && call.args.is_none() && call.pieces.0.is_empty() {
                return Ok(());
            }
            let made = || part::made_id(&sink.response().id, self.calls);
            let id = if call.id.is_empty() { made() } else { call.id.0.into_owned() };
            self.calls += 1;
            let number = sink.tool_start(&id, &call.name)?;
            if !call.rest.is_empty() {
                meta.set(NAME, "functionCall", map_of(&call.rest).into());
            }
            sink.tool_part_meta(number, meta);
            if is_whole {
                let args = call.args.map_or("", RawValue::get);
                // A client's own arguments stay as they are.
                let args = if self.keeps_empty { args.into() } else { part::on_one_line(args) };
                sink.tool_arguments(number, &args);
                sink.tool_end(number);
                return Ok(());
            }
            self.running = Some((number, Map::new()));
        }
        if let Some((_, arguments)) = &mut self.running {
            if let Some(Value::Object(fields)) = call.args.map(value) {
                arguments.extend(fields);
            }
            for piece in call.pieces.0 {
                put(arguments, piece);
            }
        }
        if !call.goes_on.0 {
            self.end_call(sink);
        }
        Ok(())
    }

    fn end_call(&mut self, sink: &mut Sink) {
        if let Some((number, arguments)) = self.running.take() {
            sink.tool_arguments(number, &Value::Object(arguments).to_string());
            sink.tool_end(number);
        }
    }

    /// Tells what only the end makes whole.
    pub(super) fn close(&mut self, sink: &mut Sink) {
        self.end_call(sink);
        for citation in grounding::citations(&self.candidate) {
            sink.part(citation);
        }
        let meta = &mut sink.response_mut().meta;
        for (name, value) in std::mem::take(&mut self.candidate) {
            meta.set(NAME, name, value);
        }
        for (name, fields) in [(ANSWER_FIELDS, &mut self.answer), (USAGE_FIELDS, &mut self.usage)] {
            if !fields.is_empty() {
                meta.set(NAME, name, std::mem::take(fields).into());
            }
        }
    }
}
