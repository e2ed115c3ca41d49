//! Whole answers: read as a client, written as a server.

use http::HeaderMap;
use sabir_core::chat::{ChatRequest, ChatResponse, Content, Cost, CostBasis, Finish, FinishReason, Part, Usage};
use sabir_core::dialect::{Answer, Responded, unreadable};
use sabir_core::drive::client::decode_whole;
use sabir_core::{Error, ErrorKind, Feature, Loss, Result, Sink};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::item::Items;
use super::request::{instructions, settings};
use super::tell::Teller;
use super::{NAME, OpenAiResponses, error, wire};

/// Fields of an answer that repeat the request, or have a place of their own.
const NOT_KEPT: &[&str] = &[
    "id",
    "object",
    "model",
    "status",
    "output",
    "usage",
    "error",
    "output_text",
    "instructions",
    "metadata",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_output_tokens",
    "max_tool_calls",
    "temperature",
    "top_p",
    "top_logprobs",
    "text",
    "reasoning",
    "truncation",
    "background",
    "store",
    "user",
    "safety_identifier",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "presence_penalty",
    "frequency_penalty",
];

/// xAI's counter of its own tools' uses.
const TOOL_USES: &str = "num_server_side_tools_used";

/// Options of a request that its answer repeats.
const REPEATED: &[&str] =
    &["background", "max_tool_calls", "previous_response_id", "prompt", "store", "top_logprobs", "truncation"];

pub(super) fn decode(answer: Answer<'_>) -> Result<ChatResponse> {
    if !answer.status.is_success() {
        return Err(error::decode(answer.status, answer.headers, answer.body));
    }
    let body = answer.body.trim_ascii_start();
    if body.starts_with(b"data:") || body.starts_with(b"event:") || body.starts_with(b":") {
        // Some servers call a stream JSON. Without headers it is read as what it is.
        return decode_whole(&OpenAiResponses, answer.status, &HeaderMap::new(), body, true);
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
    let fields: wire::Answer<'_> = serde_json::from_slice(body).map_err(|e| unreadable("the answer", &e))?;
    if !fields.0.contains_key("output") && fields.text("status").is_empty() {
        let nothing = || Error::new(ErrorKind::Decode, "the answer has neither an output nor an error");
        return Err(serde_json::from_slice(body).ok().and_then(|json| error::inside(&json)).unwrap_or_else(nothing));
    }
    conclude(&fields, "completed", &mut Teller::default(), sink)
}

/// Tells what an answer's object says, but for the items that were told already. `status` is what to believe where it
/// says none.
pub(super) fn conclude(fields: &wire::Answer<'_>, status: &str, teller: &mut Teller, sink: &mut Sink) -> Result<()> {
    sink.identify(Some(&fields.text("id")), Some(&fields.text("model")));
    let output: Vec<&RawValue> = fields.get("output").unwrap_or_default();
    for (at, raw) in output.iter().enumerate() {
        if !teller.has(at as u64, output.len()) {
            let json = serde_json::from_str(raw.get()).map_err(|e| unreadable("an item of the answer", &e))?;
            teller.item(at as u64, json, sink)?;
        }
    }
    teller.leave(None, sink);
    if let Some(used) = fields.get::<wire::Usage<'_>>("usage") {
        usage_of(&used, sink);
    }
    for (name, raw) in fields.0.iter().filter(|(name, raw)| !NOT_KEPT.contains(&&***name) && raw.get() != "null") {
        if let Ok(value) = serde_json::from_str(raw.get()) {
            sink.response_mut().meta.set(NAME, name.as_ref(), value);
        }
    }
    let said = fields.text("status");
    let status = if said.is_empty() { status } else { &*said };
    sink.finish(finish_of(status, fields, sink.response()));
    let failed = fields.0.get("error").filter(|raw| raw.get() != "null");
    if status != "failed" && failed.is_none() {
        return Ok(());
    }
    let json = failed.and_then(|raw| Some(json!({"error": serde_json::from_str::<Value>(raw.get()).ok()?})));
    let nothing = || Error::new(ErrorKind::Provider, "the answer failed, and its provider does not say why");
    Err(json.and_then(|json| error::inside(&json)).unwrap_or_else(nothing))
}

/// The reason in Sabir's words; the raw word is the status.
fn finish_of(status: &str, fields: &wire::Answer<'_>, response: &ChatResponse) -> Finish {
    let why: Option<Value> = fields.get("incomplete_details");
    let why = why.as_ref().and_then(|why| why.get("reason")?.as_str());
    let reason = match (status, why) {
        ("completed", _) if response.refusal().is_some() => FinishReason::ContentFilter,
        ("completed", _) => FinishReason::Stop,
        ("incomplete", None) => FinishReason::Length,
        ("incomplete", Some(why)) => Finish::from_raw(why).reason,
        ("failed", _) => FinishReason::Error,
        (other, _) => FinishReason::Other(other.to_owned()),
    };
    Finish { raw: Some(status.to_owned()), ..Finish::new(reason) }
}

/// Takes the counters apart: the input contains what was cached, the output what was thought.
fn usage_of(wire: &wire::Usage<'_>, sink: &mut Sink) {
    let mut usage = Usage::default();
    if let Some(details) = &wire.input_tokens_details {
        (usage.cache_read, usage.cache_write) = (details.cached_tokens.0, details.cache_write_tokens.0);
        (usage.audio_input, usage.image_input) = (details.audio_tokens.0, details.image_tokens.0);
    }
    if let Some(details) = &wire.output_tokens_details {
        usage.reasoning = details.reasoning_tokens.0;
        (usage.audio_output, usage.image_output) = (details.audio_tokens.0, details.image_tokens.0);
    }
    usage.input_from_total(wire.input_tokens.0);
    usage.output_from_total(wire.output_tokens.0);
    if let Some(uses) = wire.num_server_side_tools_used.0.filter(|uses| *uses > 0) {
        usage.tools.insert(TOOL_USES.to_owned(), uses);
    }
    if !usage.is_unknown() {
        sink.usage(usage);
    }
    // A tick of xAI's is 10⁻¹⁰ USD.
    let ticks = wire.cost_in_usd_ticks.0.map(|ticks| Cost { nano_usd: ticks / 10, basis: CostBasis::Reported });
    if let Some(cost) = wire.cost.and_then(|raw| Cost::reported(raw.get())).or(ticks) {
        sink.response_mut().cost = Some(cost);
    }
}

pub(super) fn respond(response: &ChatResponse, request: &ChatRequest) -> Responded {
    let (body, losses) = body(response, request);
    Responded { headers: HeaderMap::new(), body: Value::Object(body).to_string().into(), losses }
}

/// The object that a whole answer is, and that ends a stream.
pub(super) fn body(response: &ChatResponse, request: &ChatRequest) -> (Map<String, Value>, Vec<Loss>) {
    let mut items = Items::answered(&request.tools, 0);
    for (at, part) in response.parts.iter().enumerate() {
        items.part(part, &format!("parts[{at}]"));
    }
    items.flush();
    let mut losses = items.losses;
    let (status, why) = status_of(response, &mut losses);
    let mut body = blank(&response.id, &response.model, status, request);
    body.insert("output".into(), items.out.into());
    body.insert("incomplete_details".into(), why.map(|why| json!({ "reason": why })).into());
    body.insert("usage".into(), usage(&response.usage, &mut losses));
    for (name, value) in response.meta.of(NAME).into_iter().flatten() {
        if name != "incomplete_details" || status == "incomplete" {
            body.insert(name.clone(), value.clone());
        }
    }
    (body, losses)
}

/// An answer of which nothing is known but the request.
pub(super) fn blank(id: &str, model: &str, status: &str, request: &ChatRequest) -> Map<String, Value> {
    let mut asked = Map::new();
    // Losses of the request were told when it was sent on.
    settings(request, &mut asked, &mut Vec::new());
    let mut take = |name: &str, default: Value| asked.shift_remove(name).unwrap_or(default);
    let mut body = json!({
        "id": if id.is_empty() { "resp_sabir" } else { id },
        "object": "response",
        "created_at": 0,
        "status": status,
        "background": false,
        "error": null,
        "incomplete_details": null,
        "instructions": instructions(&request.messages).0,
        "max_output_tokens": take("max_output_tokens", Value::Null),
        "metadata": request.metadata,
        "model": model,
        "output": [],
        "parallel_tool_calls": take("parallel_tool_calls", true.into()),
        "previous_response_id": null,
        "reasoning": take("reasoning", json!({"effort": null})),
        "store": false,
        "temperature": take("temperature", Value::Null),
        "text": take("text", json!({"format": {"type": "text"}})),
        "tool_choice": take("tool_choice", "auto".into()),
        "tools": take("tools", json!([])),
        "top_p": take("top_p", Value::Null),
        "truncation": "disabled",
        "usage": null,
    });
    let options = request.options.of(NAME).into_iter().flatten();
    for (name, value) in options.filter(|(name, _)| REPEATED.contains(&name.as_str())) {
        body[name] = value.clone();
    }
    match body {
        Value::Object(body) => body,
        _ => Map::new(),
    }
}

fn status_of<'r>(response: &'r ChatResponse, losses: &mut Vec<Loss>) -> (&'r str, Option<&'static str>) {
    let refuses = || response.parts.iter().any(|part: &Part| matches!(part.content, Content::Refusal { .. }));
    match &response.finish.reason {
        FinishReason::Stop | FinishReason::ToolCalls => ("completed", None),
        FinishReason::ContentFilter if refuses() => ("completed", None),
        FinishReason::ContentFilter => ("incomplete", Some("content_filter")),
        FinishReason::Length => ("incomplete", Some("max_output_tokens")),
        FinishReason::Other(word) if matches!(word.as_str(), "queued" | "in_progress" | "cancelled") => (word, None),
        other => {
            let note = format!("there is no status for {other}; the answer is said to be complete");
            losses.push(Loss::new(Feature::Other("finish_reason".to_owned()), "finish", note));
            ("completed", None)
        }
    }
}

/// The counters; null where the totals are not known. Clients read the details unasked, so that they must be there.
fn usage(usage: &Usage, losses: &mut Vec<Loss>) -> Value {
    let (input, output) = (usage.input_total(), usage.output_total());
    if input.is_none() && output.is_none() {
        return Value::Null;
    }
    let mut lose = |name: &str, note: &str| losses.push(Loss::new(Feature::Usage, format!("usage.{name}"), note));
    let mut known = |name: &str, count: Option<u64>| {
        if count.is_none() {
            lose(name, "not known; this dialect must say a number, and says 0");
        }
        count.unwrap_or(0)
    };
    let (input, output) = (known("input", input), known("output", output));
    let (cached, thought) = (known("cache_read", usage.cache_read), known("reasoning", usage.reasoning));
    let others = [
        ("audio_input", usage.audio_input),
        ("image_input", usage.image_input),
        ("audio_output", usage.audio_output),
        ("image_output", usage.image_output),
        ("cache_write_1h", usage.cache_write_1h),
    ];
    for (name, _) in others.into_iter().filter(|(_, count)| count.is_some_and(|count| count > 0)) {
        lose(name, "counted in the total only");
    }
    for name in usage.tools.keys().filter(|name| *name != TOOL_USES) {
        lose(&format!("tools.{name}"), "not in this dialect");
    }
    let mut inputs = json!({ "cached_tokens": cached });
    if let Some(written) = [usage.cache_write, usage.cache_write_1h].into_iter().flatten().reduce(u64::saturating_add) {
        inputs["cache_write_tokens"] = written.into();
    }
    let mut json = json!({
        "input_tokens": input,
        "input_tokens_details": inputs,
        "output_tokens": output,
        "output_tokens_details": {"reasoning_tokens": thought},
        "total_tokens": input.saturating_add(output),
    });
    if let Some(uses) = usage.tools.get(TOOL_USES) {
        json[TOOL_USES] = (*uses).into();
    }
    json
}
