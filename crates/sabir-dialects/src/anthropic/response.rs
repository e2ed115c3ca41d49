//! Whole answers: read from the provider, written to a client.

use http::HeaderMap;
use sabir_core::chat::{ChatResponse, Content, Finish, FinishReason, Meta, Part, Usage};
use sabir_core::dialect::{Answer, Responded, unreadable as not_json};
use sabir_core::{Error, ErrorKind, Feature, Loss, Result, Sink};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::NAME;
use super::block::read_content;
use super::error::{from_answer, unreadable};
use super::wire::{Counters, Fields, Object, Wrong};
use super::writer::{Blocks, Place, Speaker, Writer};

/// What was answered.
pub(super) fn decode(answer: Answer<'_>) -> Result<ChatResponse> {
    let Answer { status, headers, body } = answer;
    if !status.is_success() {
        return Err(from_answer(status, headers, body));
    }
    if body.trim_ascii().is_empty() {
        return Err(Error::new(ErrorKind::Decode, "the answer is empty"));
    }
    let json: &RawValue = serde_json::from_slice(body).map_err(|e| not_json("the answer", &e))?;
    let fields = Fields::read(json, false).map_err(|e| unreadable(&e.within("the body")))?;
    if fields.peek("error").is_some() {
        return Err(from_answer(status, headers, body));
    }
    if fields.peek("content").is_none() && fields.peek("stop_reason").is_none() {
        return Err(unreadable(&Wrong::new("content: is missing")));
    }
    let (mut sink, mut counters) = (Sink::whole(), Counters::default());
    take_in(fields, &mut counters, &mut sink)?;
    sink.usage(counters.usage());
    Ok(sink.into_response())
}

/// Tells what a message says of itself: a whole one, that of `message_start`, or what `message_delta` adds to it.
/// Its counters are taken in, and not yet told.
pub(super) fn take_in(mut fields: Fields<'_>, counters: &mut Counters, sink: &mut Sink) -> Result<()> {
    let read = |e: Wrong| unreadable(&e);
    fields.take("type");
    fields.take("role");
    let (id, model) = (fields.text("id").map_err(read)?, fields.text("model").map_err(read)?);
    sink.identify(id.as_deref(), model.as_deref());
    if let Some(content) = fields.take("content") {
        tell(read_content(content, false, true).map_err(|e| read(e.within("content")))?, sink)?;
    }
    if let Some(usage) = fields.get::<Map<String, Value>>("usage").map_err(read)? {
        counters.update(usage);
    }
    let stop_sequence = fields.text("stop_sequence").map_err(read)?;
    if let Some(raw) = fields.text("stop_reason").map_err(read)? {
        let mut finish = Finish::from_raw(&raw);
        finish.stop_sequence = stop_sequence.map(Into::into);
        sink.finish(finish);
    }
    let rest = fields.rest().map_err(read)?;
    keep(rest, counters, sink.response_mut());
    Ok(())
}

/// Keeps what has no word in the vocabulary.
pub(super) fn keep(rest: Map<String, Value>, counters: &Counters, response: &mut ChatResponse) {
    for (key, value) in rest {
        response.meta.set(NAME, key, value);
    }
    if !counters.rest.is_empty() {
        response.meta.set(NAME, "usage", Value::Object(counters.rest.clone()));
    }
}

/// Tells parts that came whole, in the words in which a stream tells them.
pub(super) fn tell(parts: Vec<Part>, sink: &mut Sink) -> Result<()> {
    for part in parts {
        match &part.content {
            Content::Text { text } => {
                sink.text(text);
                sink.part_end(None, part.meta);
            }
            Content::Reasoning(thought) if thought.encrypted.is_none() => {
                sink.reasoning(&thought.text);
                let signature = thought.signature.as_deref().filter(|s| !s.is_empty());
                sink.part_end(signature, part.meta);
            }
            Content::ToolCall(call) => {
                let number = tool_start(&call.id, &call.name, &part.meta, sink)?;
                sink.tool_arguments(number, &call.arguments);
                sink.tool_end(number);
            }
            _ => sink.part(part),
        }
    }
    Ok(())
}

/// Begins a call, with what this dialect alone says of it.
pub(super) fn tool_start(id: &str, name: &str, meta: &Meta, sink: &mut Sink) -> Result<usize> {
    let number = sink.tool_start(id, name)?;
    for (field, value) in meta.of(NAME).into_iter().flatten() {
        sink.tool_meta(number, NAME, field, value.clone());
    }
    Ok(number)
}

/// What we answer.
pub(super) fn respond(response: &ChatResponse) -> Responded {
    let mut writer = Writer { answers: true, answer_id: response.id.clone(), ..Writer::default() };
    let (mut results, mut blocks) = (Blocks::default(), Blocks::default());
    let place = Place::default();
    // An answer's blocks are never refused: what cannot be written is a loss.
    if let Err(error) = writer.parts(&response.parts, Speaker::Assistant, place, &mut results, &mut blocks) {
        writer.lose(Feature::Opaque, "parts", error.message());
    }
    for (i, part) in response.parts.iter().enumerate() {
        for dialect in part.meta.dialects().filter(|d| *d != NAME) {
            writer.lose(Feature::Signatures, format_args!("parts[{i}].meta.{dialect}"), "not in this dialect");
        }
    }
    let mut body = Vec::new();
    let mut object = Object::new(&mut body);
    object.field("id", message_id(&response.id)).field("type", "message");
    object.field("role", "assistant").field("model", &response.model);
    let out = object.key("content");
    out.push(b'[');
    out.extend_from_slice(blocks.as_bytes());
    out.push(b']');
    let reason = stop_reason(&response.finish, &mut writer.losses);
    object.field("stop_reason", &reason).field("stop_sequence", &response.finish.stop_sequence);
    object.field("usage", &usage(&response.usage, &response.meta));
    writer.losses.extend(unknown_counters(&response.usage));
    for (key, value) in rest_of(&response.meta) {
        object.field(key, value);
    }
    object.end();
    Responded { headers: HeaderMap::new(), body: body.into(), losses: writer.losses }
}

/// The answer's id, which clients need.
pub(super) fn message_id(id: &str) -> &str {
    if id.is_empty() { "msg_sabir" } else { id }
}

/// What this dialect alone said of an answer, but for its usage.
pub(super) fn rest_of(meta: &Meta) -> impl Iterator<Item = (&String, &Value)> {
    let own = ["id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"];
    let fields = meta.of(NAME).into_iter().flatten();
    fields.filter(move |(key, _)| !own.contains(&key.as_str()))
}

/// Why an answer ends, in one of the words that clients of this dialect know.
pub(super) fn stop_reason(finish: &Finish, losses: &mut Vec<Loss>) -> String {
    const WORDS: [&str; 8] = [
        "end_turn",
        "max_tokens",
        "stop_sequence",
        "tool_use",
        "pause_turn",
        "refusal",
        "model_context_window_exceeded",
        "compaction",
    ];
    if let Some(raw) = finish.raw.as_deref().filter(|raw| WORDS.contains(raw))
        && Finish::from_raw(raw).reason == finish.reason
    {
        return raw.to_owned();
    }
    let word = match &finish.reason {
        FinishReason::Stop if finish.stop_sequence.is_some() => "stop_sequence",
        FinishReason::Stop => "end_turn",
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::ContentFilter => "refusal",
        FinishReason::Pause => "pause_turn",
        other => {
            let note = format!("{other} is told as end_turn");
            losses.push(Loss::new(Feature::from("finish_reason"), "finish", note));
            "end_turn"
        }
    };
    word.to_owned()
}

/// The counters in this dialect's way. The two that its clients require are zero where they are unknown.
pub(super) fn usage(usage: &Usage, meta: &Meta) -> Value {
    let sum = |buckets: &[Option<u64>]| buckets.iter().flatten().fold(0_u64, |sum, n| sum.saturating_add(*n));
    let mut counters = Map::new();
    counters.insert("input_tokens".into(), sum(&[usage.input, usage.audio_input, usage.image_input]).into());
    if usage.cache_write.is_some() || usage.cache_write_1h.is_some() {
        let total = sum(&[usage.cache_write, usage.cache_write_1h]);
        counters.insert("cache_creation_input_tokens".into(), total.into());
    }
    if let Some(read) = usage.cache_read {
        counters.insert("cache_read_input_tokens".into(), read.into());
    }
    if let Some(hour) = usage.cache_write_1h {
        let minutes = usage.cache_write.unwrap_or_default();
        let split = json!({ "ephemeral_5m_input_tokens": minutes, "ephemeral_1h_input_tokens": hour });
        counters.insert("cache_creation".into(), split);
    }
    let output = [usage.output, usage.reasoning, usage.audio_output, usage.image_output];
    counters.insert("output_tokens".into(), sum(&output).into());
    if let Some(thinking) = usage.reasoning {
        counters.insert("output_tokens_details".into(), json!({ "thinking_tokens": thinking }));
    }
    if !usage.tools.is_empty() {
        let mut tools = json!({ "web_search_requests": 0 });
        for (tool, uses) in &usage.tools {
            tools[tool] = (*uses).into();
        }
        counters.insert("server_tool_use".into(), tools);
    }
    if let Some(rest) = meta.get(NAME, "usage").and_then(Value::as_object) {
        for (key, value) in rest {
            counters.entry(key).or_insert_with(|| value.clone());
        }
    }
    Value::Object(counters)
}

/// Zeroes that [`usage`] had to write.
pub(super) fn unknown_counters(usage: &Usage) -> impl Iterator<Item = Loss> {
    let counters = [(usage.input, "usage.input"), (usage.output, "usage.output")];
    let unknown = counters.into_iter().filter(|(known, _)| known.is_none());
    unknown.map(|(_, path)| Loss::new(Feature::Usage, path, "unknown; clients of this dialect are told 0"))
}
