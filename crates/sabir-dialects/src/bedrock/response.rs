//! Whole answers: read from the provider, written to a client; and what whole and streamed answers share.

use http::HeaderMap;
use sabir_core::chat::{ChatResponse, Content, Finish, FinishReason, Latency, Part, Usage};
use sabir_core::dialect::{Answer, Responded, unreadable as not_json};
use sabir_core::{Error, ErrorKind, Feature, Loss, Result, Sink};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::NAME;
use super::block::{Blocks, Place, Speaker, Writer};
use super::error::{from_answer, unreadable};
use super::read::{self, From};
use super::wire::{Fields, Object, Wrong};

/// What was answered.
pub(super) fn decode(answer: Answer<'_>) -> Result<ChatResponse> {
    let Answer { status, headers, body } = answer;
    if !status.is_success() {
        return Err(from_answer(status, headers, body));
    }
    if body.trim_ascii().is_empty() {
        return Err(Error::new(ErrorKind::Decode, "the answer is empty"));
    }
    let read = |e: Wrong| unreadable(&e);
    let json: &RawValue = serde_json::from_slice(body).map_err(|e| not_json("the answer", &e))?;
    let mut fields = Fields::read(json, false).map_err(|e| read(e.within("the body")))?;
    let output = fields.object("output").map_err(read)?;
    if output.is_none() && fields.peek("stopReason").is_none() {
        let says_error = ["message", "Message", "__type", "Output"].iter().any(|key| fields.peek(key).is_some());
        return Err(if says_error {
            from_answer(status, headers, body)
        } else {
            read(Wrong::new("output: is missing"))
        });
    }
    let mut sink = Sink::whole();
    if let Some(mut output) = output
        && let Some(mut message) = output.object("message").map_err(|e| read(e.within("output")))?
    {
        let within = |e: Wrong| read(e.within("output.message"));
        let blocks = message.list("content").map_err(within)?;
        tell(read::blocks(blocks, From::Answer).map_err(|e| within(e.within("content")))?, &mut sink)?;
    }
    take_in(fields, &mut sink)?;
    Ok(sink.into_response())
}

/// Tells what an answer says besides its message: all that is left of the whole one, or of `messageStop` and
/// `metadata`.
pub(super) fn take_in(mut fields: Fields<'_>, sink: &mut Sink) -> Result<()> {
    let read = |e: Wrong| unreadable(&e);
    // Padding that hides the length of what is said.
    fields.take("p");
    if let Some(raw) = fields.text("stopReason").map_err(read)? {
        sink.finish(Finish::from_raw(&raw));
    }
    if let Some(counters) = fields.get::<Map<String, Value>>("usage").map_err(read)? {
        let (usage, rest) = usage_of(counters);
        sink.usage(usage);
        if !rest.is_empty() {
            sink.response_mut().meta.set(NAME, "usage", rest.into());
        }
    }
    for (key, value) in fields.rest().map_err(read)? {
        if key == "additionalModelResponseFields" && sink.response().finish.stop_sequence.is_none() {
            sink.response_mut().finish.stop_sequence = value["stop_sequence"].as_str().map(str::to_owned);
        }
        if key == "trace" {
            sink.identify(None, value["promptRouter"]["invokedModelId"].as_str());
        }
        sink.response_mut().meta.set(NAME, key, value);
    }
    Ok(())
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
                sink.part_end(thought.signature.as_deref(), part.meta);
            }
            Content::ToolCall(call) => {
                let number = sink.tool_start(&call.id, &call.name)?;
                sink.tool_arguments(number, &call.arguments);
                for (field, value) in part.meta.of(NAME).into_iter().flatten() {
                    sink.tool_meta(number, NAME, field, value.clone());
                }
                sink.tool_end(number);
            }
            _ => sink.part(part),
        }
    }
    Ok(())
}

/// The counters in buckets that do not overlap, as they are here already; and what is no counter. Cache counters come
/// under two names, of which the longer is the older.
fn usage_of(mut counters: Map<String, Value>) -> (Usage, Map<String, Value>) {
    let mut take = |key: &str| counters.shift_remove(key);
    let number = |value: Option<Value>| value.as_ref().and_then(Value::as_u64);
    let mut usage = Usage::default();
    (usage.input, usage.output) = (number(take("inputTokens")), number(take("outputTokens")));
    take("totalTokens");
    let older = (number(take("cacheReadInputTokenCount")), number(take("cacheWriteInputTokenCount")));
    usage.cache_read = number(take("cacheReadInputTokens")).or(older.0);
    usage.cache_write = number(take("cacheWriteInputTokens")).or(older.1);
    let details = take("cacheDetails").unwrap_or_default();
    let lasting = |hour: bool| {
        let of_ttl = details.as_array().into_iter().flatten().filter(|d| (d["ttl"] == "1h") == hour);
        of_ttl.filter_map(|d| d["inputTokens"].as_u64()).reduce(u64::saturating_add)
    };
    if let Some(total) = usage.cache_write {
        usage.cache_write_1h = lasting(true).map(|hour| hour.min(total));
        usage.cache_write = Some(total - usage.cache_write_1h.unwrap_or_default());
    } else {
        (usage.cache_write, usage.cache_write_1h) = (lasting(false), lasting(true));
    }
    if let Some(Value::Object(tools)) = take("serverToolUsage") {
        usage.tools = tools.into_iter().filter_map(|(tool, uses)| Some((tool, uses.as_u64()?))).collect();
    }
    counters.retain(|_, value| !value.is_null());
    (usage, counters)
}

/// What we answer.
pub(super) fn respond(response: &ChatResponse) -> Responded {
    let mut writer = Writer::answering();
    let mut blocks = Blocks::default();
    // An answer's blocks are never refused: what cannot be written is a loss.
    if let Err(error) = writer.parts(&response.parts, Speaker::Assistant, Place::default(), &mut blocks) {
        writer.lose(Feature::Opaque, "parts", error.message());
    }
    let mut body = Vec::new();
    let mut object = Object::new(&mut body);
    object.object("output", |output| {
        output.object("message", |message| {
            message.field("role", "assistant");
            blocks.write_to(message.key("content"));
        });
    });
    object.field("stopReason", stop_reason(&response.finish, &mut writer.losses));
    write_more(response, &mut object);
    write_metadata(response, &mut object, &mut writer.losses);
    object.end();
    Responded { headers: HeaderMap::new(), body: body.into(), losses: writer.losses }
}

/// What goes with the reason why an answer ends.
pub(super) fn write_more(response: &ChatResponse, to: &mut Object<'_>) {
    let key = "additionalModelResponseFields";
    if let Some(fields) = response.meta.get(NAME, key) {
        to.field(key, fields);
    } else if let Some(sequence) = &response.finish.stop_sequence {
        to.field(key, &json!({ "stop_sequence": sequence }));
    }
}

/// Usage and everything else that is known when an answer is over.
pub(super) fn write_metadata(response: &ChatResponse, to: &mut Object<'_>, losses: &mut Vec<Loss>) {
    to.field("usage", &usage(&response.usage, response.meta.get(NAME, "usage"), losses));
    let measured = response.latency.map(|Latency { total, .. }| u64::try_from(total.as_millis()).unwrap_or(u64::MAX));
    match response.meta.get(NAME, "metrics") {
        Some(metrics) => to.field("metrics", metrics),
        None => to.field("metrics", &json!({ "latencyMs": measured.unwrap_or_default() })),
    };
    let written = ["usage", "metrics", "additionalModelResponseFields", "output", "stopReason"];
    for (key, value) in response.meta.of(NAME).into_iter().flatten() {
        if !written.contains(&key.as_str()) {
            to.field(key, value);
        }
    }
}

/// Why an answer ends, in one of the words that clients of this dialect know.
pub(super) fn stop_reason(finish: &Finish, losses: &mut Vec<Loss>) -> &'static str {
    const WORDS: [&str; 9] = [
        "end_turn",
        "tool_use",
        "max_tokens",
        "stop_sequence",
        "guardrail_intervened",
        "content_filtered",
        "malformed_model_output",
        "malformed_tool_use",
        "model_context_window_exceeded",
    ];
    if let Some(raw) = WORDS.into_iter().find(|word| Some(*word) == finish.raw.as_deref()) {
        let reason = Finish::from_raw(raw).reason;
        // A stop of an answer with calls is a stop for tools.
        let settled = reason == FinishReason::Stop && finish.reason == FinishReason::ToolCalls;
        if reason == finish.reason || settled {
            return if settled { "tool_use" } else { raw };
        }
    }
    match &finish.reason {
        FinishReason::Stop if finish.stop_sequence.is_some() => "stop_sequence",
        FinishReason::Stop => "end_turn",
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::ContentFilter => "content_filtered",
        FinishReason::Error => "malformed_model_output",
        other => {
            losses.push(Loss::new(Feature::from("finish_reason"), "finish", format!("{other} is told as end_turn")));
            "end_turn"
        }
    }
}

/// The counters in this dialect's way. The ones that its clients require are zero where they are unknown.
fn usage(usage: &Usage, rest: Option<&Value>, losses: &mut Vec<Loss>) -> Value {
    let sum = |buckets: &[Option<u64>]| buckets.iter().flatten().fold(0_u64, |sum, n| sum.saturating_add(*n));
    let mut lose = |lost: bool, path: &str, note: &str| {
        if lost {
            losses.push(Loss::new(Feature::Usage, format!("usage.{path}"), note));
        }
    };
    let (told_0, joined) = ("unknown; clients of this dialect are told 0", "told as part of the whole");
    lose(usage.input.is_none(), "input", told_0);
    lose(usage.output.is_none(), "output", told_0);
    lose(usage.reasoning.is_some(), "reasoning", joined);
    lose(usage.audio_input.or(usage.image_input).is_some(), "input", joined);
    lose(usage.audio_output.or(usage.image_output).is_some(), "output", joined);
    let input = sum(&[usage.input, usage.audio_input, usage.image_input]);
    let written = sum(&[usage.cache_write, usage.cache_write_1h]);
    let output = sum(&[usage.output, usage.reasoning, usage.audio_output, usage.image_output]);
    let total = sum(&[Some(input), Some(output), usage.cache_read, Some(written)]);
    let mut counters = json!({ "inputTokens": input, "outputTokens": output, "totalTokens": total });
    if let Some(read) = usage.cache_read {
        counters["cacheReadInputTokens"] = read.into();
    }
    if usage.cache_write.is_some() || usage.cache_write_1h.is_some() {
        counters["cacheWriteInputTokens"] = written.into();
    }
    if let Some(hour) = usage.cache_write_1h {
        let minutes = usage.cache_write.filter(|n| *n > 0).map(|n| json!({ "ttl": "5m", "inputTokens": n }));
        let details: Vec<Value> = minutes.into_iter().chain([json!({ "ttl": "1h", "inputTokens": hour })]).collect();
        counters["cacheDetails"] = details.into();
    }
    if !usage.tools.is_empty() {
        counters["serverToolUsage"] = json!(usage.tools);
    }
    for (key, value) in rest.and_then(Value::as_object).into_iter().flatten() {
        if counters.get(key).is_none() {
            counters[key] = value.clone();
        }
    }
    counters
}
