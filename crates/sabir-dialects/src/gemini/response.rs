//! Whole answers: read as a client, written as a server.

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use sabir_core::chat::{ChatRequest, ChatResponse, Citation, Content, Finish, FinishReason};
use sabir_core::dialect::{Answer, Responded, unreadable};
use sabir_core::drive::client::decode_whole;
use sabir_core::{Error, ErrorKind, Feature, Loss, Result, Sink};
use serde_json::Value;

use super::part::Parts;
use super::tell::{ANSWER_FIELDS, Teller, USAGE_FIELDS};
use super::wire::{self, Writer};
use super::{Gemini, NAME, error, grounding, usage};

pub(super) fn decode(answer: Answer<'_>) -> Result<ChatResponse> {
    if !answer.status.is_success() {
        return Err(error::decode(answer.status, answer.headers, answer.body));
    }
    let body = answer.body.trim_ascii_start();
    // A stream is read as one, whatever it is called.
    if body.starts_with(b"data:") || body.starts_with(b"event:") || body.starts_with(b":") {
        return decode_whole(&Gemini, answer.status, &HeaderMap::new(), body, true);
    }
    if body.starts_with(b"[") {
        let json = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        return decode_whole(&Gemini, answer.status, &json, body, true);
    }
    let mut sink = Sink::whole();
    match decode_object(body, &mut sink) {
        Ok(()) => Ok(sink.into_response()),
        Err(error) => Err(error.with_partial(sink.into_response())),
    }
}

fn decode_object(body: &[u8], sink: &mut Sink) -> Result<()> {
    if body.is_empty() {
        return Err(Error::new(ErrorKind::Decode, "the answer is empty"));
    }
    let chunk = chunk(body, "the answer")?;
    let says = chunk.candidates.is_some() || chunk.feedback.is_some() || chunk.usage.0.is_some();
    if !says && chunk.error.is_none() {
        return Err(Error::new(ErrorKind::Decode, "the answer has neither candidates nor an error"));
    }
    let mut teller = Teller::default();
    let told = teller.tell(chunk, sink);
    teller.close(sink);
    told
}

/// An answer, or a piece of one, from its JSON.
pub(super) fn chunk<'a>(json: &'a [u8], what: &str) -> Result<wire::Chunk<'a>> {
    // One look at all bytes is cheaper than one at each string.
    let parsed: Result<wire::Object<wire::Chunk<'_>>, _> = match std::str::from_utf8(json) {
        Ok(text) => serde_json::from_str(text),
        Err(_) => serde_json::from_slice(json),
    };
    let parsed = parsed.map_err(|e| unreadable(what, &e))?;
    let no_object = || {
        Error::new(ErrorKind::Decode, format!("{what} is JSON, but no object, which is not what this dialect sends"))
    };
    parsed.0.ok_or_else(no_object)
}

pub(super) fn respond(response: &ChatResponse, _: &ChatRequest) -> Responded {
    let mut parts = Parts { answers: true, ..Parts::default() };
    let mut written = Vec::new();
    let mut citations = Vec::new();
    for (at, part) in response.parts.iter().enumerate() {
        match &part.content {
            Content::Citation(citation) => citations.push(citation.clone()),
            _ => written.extend(parts.write(part, &format!("parts[{at}]"))),
        }
    }
    let mut losses = parts.losses;
    let body = last_chunk(response, &written, &citations, &mut losses);
    Responded { headers: HeaderMap::new(), body: body.into(), losses }
}

/// The chunk that says why the answer ends, and all that is known of it: a whole answer is this chunk alone.
pub(super) fn last_chunk(
    response: &ChatResponse,
    parts: &[String],
    citations: &[Citation],
    losses: &mut Vec<Loss>,
) -> String {
    let own = |name: &str| response.meta.get(NAME, name);
    let fields = |name: &str| own(name).and_then(Value::as_object).into_iter().flatten();
    let mut out = Writer::new();
    let is_refused = own(ANSWER_FIELDS).and_then(|fields| fields.get("promptFeedback")?.get("blockReason"));
    if is_refused.is_none() || !response.parts.is_empty() {
        let mut candidate = Writer::new();
        let mut content = Writer::new();
        if !parts.is_empty() {
            content.raw("parts", &wire::list(parts));
        }
        content.field("role", "model");
        candidate.raw("content", &content.end());
        candidate.field("finishReason", finish_word(&response.finish, losses)).raw("index", "0");
        for (name, value) in response.meta.of(NAME).into_iter().flatten() {
            if name != ANSWER_FIELDS && name != USAGE_FIELDS {
                candidate.field(name, value);
            }
        }
        let has_sources = own("groundingMetadata").is_some() || own("citationMetadata").is_some();
        if !citations.is_empty() && !has_sources {
            candidate.field("groundingMetadata", &grounding::metadata(citations));
        }
        out.raw("candidates", &wire::list(&[candidate.end()]));
    }
    if let Some(mut usage) = usage::metadata(&response.usage, losses) {
        for (name, value) in fields(USAGE_FIELDS) {
            usage.entry(name).or_insert_with(|| value.clone());
        }
        out.field("usageMetadata", &usage);
    }
    who(response.model.as_str(), &response.id, &mut out);
    for (name, value) in fields(ANSWER_FIELDS) {
        out.field(name, value);
    }
    out.end()
}

/// Who answers, as far as that is known.
pub(super) fn who(model: &str, id: &str, out: &mut Writer) {
    let known = |text: &'_ str| !text.is_empty();
    out.some("modelVersion", Some(model).filter(|text| known(text)));
    out.some("responseId", Some(id).filter(|text| known(text)));
}

/// The reason in Google's words.
fn finish_word<'f>(finish: &'f Finish, losses: &mut Vec<Loss>) -> &'f str {
    let own = finish.raw.as_deref().filter(|raw| WORDS.contains(raw));
    let is_same = |raw: &&str| {
        let reason = Finish::from_raw(raw).reason;
        reason == finish.reason || (reason == FinishReason::Stop && finish.reason == FinishReason::ToolCalls)
    };
    if let Some(word) = own.filter(is_same) {
        return word;
    }
    match &finish.reason {
        FinishReason::Stop | FinishReason::ToolCalls => "STOP",
        FinishReason::Length => "MAX_TOKENS",
        FinishReason::ContentFilter => "SAFETY",
        reason => {
            let note = format!("Google has no word for {reason}; OTHER is sent");
            losses.push(Loss::new(Feature::from("finish_reason"), "finish", note));
            "OTHER"
        }
    }
}

/// The words that Google's clients know.
const WORDS: &[&str] = &[
    "STOP",
    "MAX_TOKENS",
    "SAFETY",
    "RECITATION",
    "LANGUAGE",
    "OTHER",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "MALFORMED_FUNCTION_CALL",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_OTHER",
    "NO_IMAGE",
    "IMAGE_RECITATION",
    "UNEXPECTED_TOOL_CALL",
    "TOO_MANY_TOOL_CALLS",
    "MISSING_THOUGHT_SIGNATURE",
    "MALFORMED_RESPONSE",
    "ESCALATION",
    "CONTINUATION",
    "MODEL_ARMOR",
];
