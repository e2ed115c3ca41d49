//! Tells a sink what a whole answer or a chunk of one says: one reading for both, so that they cannot differ.

use sabir_core::chat::{Content, Finish, FinishReason, Meta, Part, Reasoning};
use sabir_core::{Feature, Loss, Result, Sink};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::args::Assembly;
use super::usage::Counters;
use super::wire::{Rest, camel, value};
use super::{NAME, error, grounding, part, wire};

/// The most different fields that are kept beside an answer.
const MOST_FIELDS: usize = 64;

/// What has to be kept between the chunks of one answer.
#[derive(Debug, Default)]
pub(super) struct Teller {
    counters: Counters,
    /// The text or thought that may still grow.
    open: Option<Kind>,
    calls: usize,
    /// The call whose arguments come in parts, by its number.
    assembly: Option<(usize, Assembly)>,
    finished: bool,
    has_others: bool,
    kept: Kept,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Thought,
}

/// Fields beside the content: of the candidate, of the answer, and of its usage.
#[derive(Debug, Default)]
struct Kept {
    candidate: Fields,
    answer: Fields,
    usage: Fields,
}

/// Fields by name, each with the JSON that it was read from.
#[derive(Debug, Default)]
struct Fields(Vec<(String, String, Value)>);

impl Fields {
    /// Takes over fields: an object's fields replace those of the earlier one, lists of log-probabilities grow, and
    /// anything else is replaced.
    fn take(&mut self, rest: &Rest<'_>) {
        for (name, raw) in rest {
            self.put(&camel(name), raw);
        }
    }

    fn put(&mut self, name: &str, raw: &RawValue) {
        let grows = name == "logprobsResult";
        let count = self.0.len();
        match self.0.iter_mut().find(|(known, ..)| known == name) {
            Some((_, last, _)) if last == raw.get() && !grows => {}
            Some((_, last, kept)) => {
                raw.get().clone_into(last);
                merge(kept, value(raw), grows);
            }
            None if count < MOST_FIELDS => self.0.push((name.to_owned(), raw.get().to_owned(), value(raw))),
            None => {}
        }
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, ..)| known == name).map(|(.., value)| value)
    }

    fn into_map(self) -> Map<String, Value> {
        self.0.into_iter().map(|(name, _, value)| (name, value)).collect()
    }
}

fn merge(kept: &mut Value, later: Value, grows: bool) {
    match (kept, later) {
        (Value::Object(kept), Value::Object(later)) => {
            for (name, value) in later {
                match (kept.get_mut(&name), value) {
                    (Some(Value::Array(kept)), Value::Array(later)) if grows => kept.extend(later),
                    (_, value) => {
                        kept.insert(name, value);
                    }
                }
            }
        }
        (kept, later) => *kept = later,
    }
}

impl Teller {
    /// Whether the last that came was an end: its reason, or that the prompt was refused.
    pub(super) fn has_finished(&self) -> bool {
        self.finished
    }

    /// Tells what a chunk says. An error in it is told last, after what came with it.
    pub(super) fn tell(&mut self, chunk: wire::Chunk<'_>, sink: &mut Sink) -> Result<()> {
        sink.identify(Some(&chunk.id), Some(&chunk.model));
        let mut is_answered = false;
        for (position, candidate) in chunk.candidates.into_iter().flat_map(|list| list.0).enumerate() {
            let index = candidate.index.0.unwrap_or(position as u64);
            if index == 0 {
                is_answered = true;
                self.candidate(candidate, sink)?;
            } else if !std::mem::replace(&mut self.has_others, true) {
                let path = format!("candidates[{index}]");
                sink.loss(Loss::new(Feature::Choices, path, "only the first answer is kept"));
            }
        }
        if let Some(report) = chunk.usage.0 {
            sink.usage(self.counters.update(&report));
            self.kept.usage.take(&report.rest);
        }
        if let Some(raw) = chunk.feedback {
            self.kept.answer.put("promptFeedback", raw);
            let feedback = value(raw);
            if let Some(word) = feedback.get("blockReason").filter(|word| !word.is_null() && !is_answered) {
                let raw = word.as_str().map_or_else(|| word.to_string(), str::to_owned);
                sink.finish(Finish { raw: Some(raw), ..Finish::new(FinishReason::ContentFilter) });
                self.finished = true;
            }
        }
        self.kept.answer.take(&chunk.rest);
        chunk.error.and_then(error::inside).map_or(Ok(()), Err)
    }

    fn candidate(&mut self, candidate: wire::Candidate<'_>, sink: &mut Sink) -> Result<()> {
        let mut had_text = false;
        for part in candidate.content.0.into_iter().flat_map(|turn| turn.parts.0) {
            // Texts in one chunk stand for themselves, as in a whole answer; across chunks they go on.
            let is_text = part.text.is_some();
            if is_text && had_text {
                self.close_part(sink);
            }
            had_text = is_text;
            // Where the provider runs tools itself, it goes on behind a reason to finish.
            let is_silent = part.text.as_deref().is_none_or(str::is_empty) && part.rest.is_empty();
            self.finished &= is_silent && part.call.0.is_none();
            self.part(part, sink)?;
        }
        // "Not yet" is left out, or 0.
        if !matches!(&*candidate.finish, "" | "0" | "FINISH_REASON_UNSPECIFIED") {
            let word = REASONS.get(candidate.finish.parse().unwrap_or(usize::MAX)).copied();
            sink.finish(Finish {
                raw: Some(candidate.finish.0.clone().into_owned()),
                ..Finish::from_raw(word.unwrap_or(&candidate.finish))
            });
            self.finished = true;
        }
        self.kept.candidate.take(&candidate.rest);
        Ok(())
    }

    fn part(&mut self, mut part: wire::Part<'_>, sink: &mut Sink) -> Result<()> {
        if let Some(call) = part.call.0.take() {
            let meta = part::beside(&part);
            return self.call(call, meta, sink);
        }
        let is_sidecar = part.text.is_none() && part.rest.is_empty();
        if part.text.is_some() || is_sidecar {
            self.text(&part, sink);
        } else {
            self.open = None;
            sink.part(part::read(part));
        }
        Ok(())
    }

    /// A text or a thought, or a signature alone, which belongs to the one that is open.
    fn text(&mut self, part: &wire::Part<'_>, sink: &mut Sink) {
        let kind = if part.thought.0 { Kind::Thought } else { Kind::Text };
        let text = part.text.as_deref().unwrap_or_default();
        if !text.is_empty() {
            match kind {
                Kind::Text => sink.text(text),
                Kind::Thought => sink.reasoning(text),
            }
            self.open = Some(kind);
        }
        let meta = part::beside(part);
        if meta.is_empty() {
            return;
        }
        let signature = Some(&*part.signature).filter(|signature| kind == Kind::Thought && !signature.is_empty());
        if self.open == Some(kind) {
            sink.part_end(signature, meta);
        } else {
            let content = match kind {
                Kind::Text => Content::Text { text: String::new() },
                Kind::Thought => {
                    Content::Reasoning(Reasoning { signature: signature.map(str::to_owned), ..Reasoning::default() })
                }
            };
            sink.part(Part { content, cache: None, meta });
        }
        self.open = None;
    }

    fn close_part(&mut self, sink: &mut Sink) {
        if self.open.take().is_some() {
            sink.part_end(None, Meta::default());
        }
    }

    fn call(&mut self, call: wire::Call<'_>, mut meta: Meta, sink: &mut Sink) -> Result<()> {
        self.open = None;
        let goes_on = call.goes_on.0;
        let mut assembled = match self.assembly.take() {
            // A part of the call before has no name of its own, and an empty call closes it.
            Some(running) if call.name.is_empty() => Some(running),
            Some((number, assembly)) => {
                finish_call(number, assembly, sink);
                None
            }
            None => None,
        };
        if assembled.is_none() {
            if call.name.is_empty() && call.args.is_none() && call.pieces.0.is_empty() {
                return Ok(());
            }
            let made = || part::made_id(&sink.response().id, self.calls);
            let id = if call.id.is_empty() { made() } else { call.id.0.into_owned() };
            self.calls += 1;
            let number = sink.tool_start(&id, &call.name)?;
            part::set_inner(&mut meta, "functionCall", &call.rest);
            for (name, field) in meta.of(NAME).into_iter().flatten() {
                sink.tool_meta(number, NAME, name, field.clone());
            }
            if !goes_on && call.pieces.0.is_empty() {
                sink.tool_arguments(number, call.args.map_or("", |raw| raw.get()));
                sink.tool_end(number);
                return Ok(());
            }
            assembled = Some((number, Assembly::default()));
        }
        if let Some((number, mut assembly)) = assembled {
            if let Some(args) = call.args {
                assembly.whole(value(args));
            }
            for piece in call.pieces.0 {
                assembly.piece(piece);
            }
            if goes_on {
                self.assembly = Some((number, assembly));
            } else {
                finish_call(number, assembly, sink);
            }
        }
        Ok(())
    }

    /// Tells what only the end makes whole.
    pub(super) fn close(&mut self, sink: &mut Sink) {
        if let Some((number, assembly)) = self.assembly.take() {
            finish_call(number, assembly, sink);
        }
        let Kept { candidate, answer, usage } = std::mem::take(&mut self.kept);
        for citation in grounding::citations(candidate.get("groundingMetadata"), candidate.get("citationMetadata")) {
            sink.part(citation);
        }
        let meta = &mut sink.response_mut().meta;
        for (name, value) in candidate.into_map() {
            meta.set(NAME, name, value);
        }
        for (name, fields) in [(ANSWER_FIELDS, answer.into_map()), (USAGE_FIELDS, usage.into_map())] {
            if !fields.is_empty() {
                meta.set(NAME, name, fields.into());
            }
        }
    }
}

fn finish_call(number: usize, assembly: Assembly, sink: &mut Sink) {
    sink.tool_arguments(number, &assembly.finish());
    sink.tool_end(number);
}

/// The metadata of an answer that are fields of the answer itself; all others are the candidate's.
pub(super) const ANSWER_FIELDS: &str = "response";
/// The metadata of an answer that are fields of its usage.
pub(super) const USAGE_FIELDS: &str = "usageMetadata";

/// The reasons to finish, by their number in the protocol buffer of `generativelanguage.v1beta`, for clients that
/// asked for integers. Vertex numbers those from 6 on otherwise.
const REASONS: &[&str] = &[
    "FINISH_REASON_UNSPECIFIED",
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "OTHER",
    "LANGUAGE",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "IMAGE_SAFETY",
];
