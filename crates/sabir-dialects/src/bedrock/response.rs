//! Whole answers: read from the provider, written to a client; and what whole and streamed answers share.

use http::HeaderMap;
use sabir_core::chat::{ChatRequest, ChatResponse, Finish, Latency, Meta, Usage};
use sabir_core::dialect::{Answer, Responded};
use sabir_core::{Result, Sink};
use serde_json::{Map, Value, json};

use super::NAME;
use super::block::{Writer, read_blocks};
use super::error::from_answer;
use crate::blocks::{Counters, Place, Speaker, stop_word, tell};
use crate::json::{Fields, List, Object, Wrong, known};
use crate::shared::Losses;

/// What a model alone says of its answer.
const MORE: &str = "additionalModelResponseFields";

/// What was answered.
pub(super) fn decode(answer: Answer<'_>) -> Result<ChatResponse> {
    let Answer { status, headers, body } = answer;
    if !status.is_success() {
        return Err(from_answer(status, headers, body));
    }
    let mut fields = Fields::of_answer(body)?;
    let says_error = ["message", "Message", "__type", "Output"].iter().any(|key| fields.peek(key).is_some());
    let parts = fields.inside("output", |output| {
        let parts = output.inside("message", |message| read_blocks(message, "content", None))?;
        Ok(parts.unwrap_or_default())
    });
    let parts = parts.map_err(|e| e.unreadable())?;
    if parts.is_none() && fields.peek("stopReason").is_none() {
        let nothing = || Wrong::new("output: is missing").unreadable();
        return Err(if says_error { from_answer(status, headers, body) } else { nothing() });
    }
    let mut sink = Sink::whole();
    tell(parts.unwrap_or_default(), &mut sink)?;
    take_in(fields, &mut sink).map_err(|e| e.unreadable())?;
    Ok(sink.into_response())
}

/// Tells what an answer says besides its message: all that is left of the whole one, or of `messageStop` and
/// `metadata`.
pub(super) fn take_in(mut fields: Fields<'_>, sink: &mut Sink) -> Result<(), Wrong> {
    // Padding that hides the length of what is said.
    fields.take("p");
    if let Some(raw) = fields.text("stopReason")? {
        sink.finish(Finish::from_raw(&raw));
    }
    if let Some(counters) = fields.object("usage")? {
        let usage = read_usage(counters, &mut sink.response_mut().meta)?;
        sink.usage(usage);
    }
    for (key, value) in fields.rest()? {
        if key == MORE && sink.response().finish.stop_sequence.is_none() {
            sink.response_mut().finish.stop_sequence = value["stop_sequence"].as_str().map(str::to_owned);
        }
        if key == "trace" {
            sink.identify(None, value["promptRouter"]["invokedModelId"].as_str());
        }
        sink.response_mut().meta.set(NAME, key, value);
    }
    Ok(())
}

/// The counters in buckets that do not overlap, as they are here already; what is no counter is metadata. Cache
/// counters come under two names, of which the longer is the older.
fn read_usage(mut counters: Fields<'_>, meta: &mut Meta) -> Result<Usage, Wrong> {
    let mut usage = Usage::default();
    (usage.input, usage.output) = (counters.count("inputTokens"), counters.count("outputTokens"));
    counters.take("totalTokens");
    let older = (counters.count("cacheReadInputTokenCount"), counters.count("cacheWriteInputTokenCount"));
    usage.cache_read = counters.count("cacheReadInputTokens").or(older.0);
    usage.cache_write = counters.count("cacheWriteInputTokens").or(older.1);
    let details = counters.value("cacheDetails")?.unwrap_or_default();
    let lasting = details.as_array().into_iter().flatten().filter(|detail| detail["ttl"] == "1h");
    let hour = lasting.filter_map(|detail| detail["inputTokens"].as_u64()).reduce(u64::saturating_add);
    usage.cache_write_1h = hour.map(|hour| usage.cache_write.map_or(hour, |all| hour.min(all)));
    usage.cache_write = usage.cache_write.map(|all| all - usage.cache_write_1h.unwrap_or_default());
    if let Some(Value::Object(tools)) = counters.value("serverToolUsage")? {
        usage.tools = tools.into_iter().filter_map(|(tool, uses)| Some((tool, uses.as_u64()?))).collect();
    }
    counters.keep("usage", NAME, meta)?;
    Ok(usage)
}

/// What we answer.
pub(super) fn respond(response: &ChatResponse, _: &ChatRequest) -> Responded {
    let (mut writer, mut blocks, mut body) = (Writer::default(), List::default(), Vec::new());
    writer.parts(&response.parts, Speaker::Assistant, Place::default(), &mut blocks);
    let mut losses = writer.outcome.losses;
    let mut object = Object::new(&mut body);
    object.object("output", |output| {
        output.object("message", |message| {
            message.field("role", "assistant").raw("content", blocks.json());
        });
    });
    object.meta(Some(&stop(response, &mut losses)), &[]).meta(Some(&metadata(response, &mut losses)), &[]);
    object.end();
    Responded { headers: HeaderMap::new(), body: body.into(), losses: losses.0 }
}

/// Why an answer ends, in one of the words that clients of this dialect know.
pub(super) fn stop(response: &ChatResponse, losses: &mut Losses) -> Map<String, Value> {
    // The first of those that mean the same is the usual one.
    const WORDS: &[&str] = &[
        "end_turn", "tool_use", "max_tokens", "stop_sequence", "content_filtered", "guardrail_intervened",
        "malformed_model_output", "malformed_tool_use", "model_context_window_exceeded",
    ];
    let more = response.meta.get(NAME, MORE).cloned();
    let sequence = response.finish.stop_sequence.as_ref().map(|sequence| json!({ "stop_sequence": sequence }));
    known([("stopReason", Some(stop_word(&response.finish, WORDS, losses).into())), (MORE, more.or(sequence))])
}

/// Usage and everything else that is known when an answer is over.
pub(super) fn metadata(response: &ChatResponse, losses: &mut Losses) -> Map<String, Value> {
    let measured = response.latency.map_or(0, |Latency { total, .. }| total.as_millis());
    let metrics = json!({ "latencyMs": u64::try_from(measured).unwrap_or(u64::MAX) });
    let mut all = known([("usage", Some(usage(response, losses).into())), ("metrics", Some(metrics))]);
    for (key, value) in response.meta.of(NAME).into_iter().flatten() {
        if !["usage", MORE, "output", "stopReason"].contains(&key.as_str()) {
            all.insert(key.clone(), value.clone());
        }
    }
    all
}

/// The counters in this dialect's way.
fn usage(response: &ChatResponse, losses: &mut Losses) -> Map<String, Value> {
    let Counters { input, cache_read, cache_write, minutes, hour, output, tools, .. } =
        Counters::of(&response.usage, "", losses);
    let cached = [cache_read, cache_write].into_iter().flatten();
    let total = cached.chain([output]).fold(input, u64::saturating_add);
    let minutes = minutes.filter(|n| *n > 0).map(|n| json!({ "ttl": "5m", "inputTokens": n }));
    let details = hour.map(|hour| {
        let hour = json!({ "ttl": "1h", "inputTokens": hour });
        minutes.into_iter().chain([hour]).collect::<Vec<_>>().into()
    });
    let mut counters = known([
        ("inputTokens", Some(input.into())),
        ("outputTokens", Some(output.into())),
        ("totalTokens", Some(total.into())),
        ("cacheReadInputTokens", cache_read.map(Value::from)),
        ("cacheWriteInputTokens", cache_write.map(Value::from)),
        ("cacheDetails", details),
        ("serverToolUsage", Some(json!(tools)).filter(|_| !tools.is_empty())),
    ]);
    for (key, value) in response.meta.get(NAME, "usage").and_then(Value::as_object).into_iter().flatten() {
        counters.entry(key).or_insert_with(|| value.clone());
    }
    counters
}
