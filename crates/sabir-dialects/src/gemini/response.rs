//! Whole answers: read as a client, written as a server.

use http::HeaderMap;
use sabir_core::chat::{ChatRequest, ChatResponse, Content, Finish, FinishReason, Part};
use sabir_core::dialect::{Answer, Responded, unreadable};
use sabir_core::{Error, ErrorKind, Feature, Result, Sink};

use super::tell::Teller;
use super::wire::Chunk;
use super::write::Parts;
use super::{ANSWER_FIELDS, Gemini, NAME, USAGE_FIELDS, usage};
use crate::json::{List, Object};
use crate::shared::{self, Losses};
use crate::{google_error as error, grounding};

pub(super) fn decode(answer: Answer<'_>) -> Result<ChatResponse> {
    shared::decode(&Gemini, answer, error::decode, decode_object)
}

fn decode_object(body: &[u8], sink: &mut Sink) -> Result<()> {
    let chunk = chunk(body, "the answer")?;
    let says = chunk.candidates.is_some()
        || chunk.rest.iter().any(|(name, _)| name == "promptFeedback")
        || chunk.usage.is_some();
    if !says && chunk.error.is_none() {
        return Err(Error::new(ErrorKind::Decode, "the answer has neither candidates nor an error"));
    }
    let mut teller = Teller::default();
    let told = teller.tell(chunk, sink);
    teller.close(sink);
    told
}

/// An answer, or a piece of one, from its JSON.
pub(super) fn chunk<'a>(json: &'a [u8], what: &str) -> Result<Chunk<'a>> {
    if !json.starts_with(b"{") {
        return Err(Error::new(ErrorKind::Decode, format!("{what} is no JSON object, which this dialect sends")));
    }
    // One look at all bytes is cheaper than one at each string.
    let parsed = match std::str::from_utf8(json) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(json),
    };
    parsed.map_err(|e| unreadable(what, &e))
}

pub(super) fn respond(response: &ChatResponse, _: &ChatRequest) -> Responded {
    let mut out = Parts { answers: true, ..Parts::default() };
    let mut parts = List::default();
    for (at, part) in response.parts.iter().enumerate().filter(|(_, part)| !is_citation(part)) {
        parts.add(out.write(part, &format!("parts[{at}]")));
    }
    let body = last_chunk(response, &parts, &mut out.losses).into();
    Responded { headers: HeaderMap::new(), body, losses: out.losses.0 }
}

/// A chunk: its one candidate with these parts, unless it has none, and what else is written in and beside it.
pub(super) fn write_chunk(
    parts: Option<&List>,
    finish: Option<&str>,
    in_candidate: impl FnOnce(&mut Object<'_>),
    beside: impl FnOnce(&mut Object<'_>),
) -> Vec<u8> {
    let (mut out, mut candidate) = (Vec::new(), List::default());
    if let Some(parts) = parts {
        candidate.object(|to| {
            to.object("content", |to| {
                to.list("parts", parts).field("role", "model");
            });
            to.some("finishReason", finish).field("index", &0);
            in_candidate(to);
        });
    }
    let mut to = Object::new(&mut out);
    to.list("candidates", &candidate);
    beside(&mut to);
    to.end();
    out
}

/// The chunk that says why the answer ends, and all that is known of it: a whole answer is this chunk alone.
pub(super) fn last_chunk(response: &ChatResponse, parts: &List, losses: &mut Losses) -> Vec<u8> {
    let own = response.meta.of(NAME);
    let fields = |name: &str| own.and_then(|own| own.get(name)?.as_object());
    let has = |name: &str| own.is_some_and(|own| own.contains_key(name));
    let finish = finish_word(&response.finish, losses);
    losses.stop_sequence(&response.finish);
    let says_sources = has("groundingMetadata") || has("citationMetadata");
    let sources = if says_sources { None } else { grounding::write(&response.parts, losses) };
    let feedback = fields(ANSWER_FIELDS).and_then(|fields| fields.get("promptFeedback"));
    let is_refused = response.parts.is_empty() && feedback.is_some_and(|feedback| !feedback["blockReason"].is_null());
    write_chunk(
        Some(parts).filter(|_| !is_refused),
        Some(finish),
        |to| {
            to.meta(own, &[ANSWER_FIELDS, USAGE_FIELDS]).some("groundingMetadata", sources);
        },
        |to| {
            usage::write(&response.usage, fields(USAGE_FIELDS), to, losses);
            who(&response.model, &response.id, to);
            to.meta(fields(ANSWER_FIELDS), &[]);
        },
    )
}

fn is_citation(part: &Part) -> bool {
    matches!(part.content, Content::Citation(_))
}

/// Who answers, as far as that is known.
pub(super) fn who(model: &str, id: &str, to: &mut Object<'_>) {
    to.some("modelVersion", Some(model).filter(|model| !model.is_empty()));
    to.some("responseId", Some(id).filter(|id| !id.is_empty()));
}

/// The reason in Google's words.
fn finish_word<'f>(finish: &'f Finish, losses: &mut Losses) -> &'f str {
    if let Some(word) = finish.raw.as_deref().filter(|raw| WORDS.split(' ').any(|word| word == *raw)) {
        return word;
    }
    match &finish.reason {
        FinishReason::Stop | FinishReason::ToolCalls => "STOP",
        FinishReason::Length => "MAX_TOKENS",
        FinishReason::ContentFilter => "SAFETY",
        reason => {
            let note = format!("Google has no word for {reason}; OTHER is sent");
            losses.lose(Feature::from("finish_reason"), "finish", &note);
            "OTHER"
        }
    }
}

/// The words that Google's clients know. The first twelve stand in the order of their numbers in the protocol buffer
/// of `generativelanguage.v1beta`, for clients that asked for integers; Vertex numbers those from 6 on otherwise.
const WORDS: &str = "FINISH_REASON_UNSPECIFIED STOP MAX_TOKENS SAFETY RECITATION OTHER LANGUAGE BLOCKLIST \
    PROHIBITED_CONTENT SPII MALFORMED_FUNCTION_CALL IMAGE_SAFETY IMAGE_PROHIBITED_CONTENT IMAGE_OTHER NO_IMAGE \
    IMAGE_RECITATION UNEXPECTED_TOOL_CALL TOO_MANY_TOOL_CALLS MISSING_THOUGHT_SIGNATURE MALFORMED_RESPONSE ESCALATION \
    CONTINUATION MODEL_ARMOR";
const NUMBERED: usize = 12;

/// A reason by its word or number; `None` where the answer has not ended: that is left out, or 0.
pub(super) fn read_finish(said: &str) -> Option<Finish> {
    let numbered = said.parse().ok().and_then(|number| WORDS.split(' ').take(NUMBERED).nth(number));
    let word = numbered.unwrap_or(said);
    let has_ended = !matches!(word, "" | "FINISH_REASON_UNSPECIFIED");
    has_ended.then(|| Finish { raw: Some(said.to_owned()), ..Finish::from_raw(word) })
}
