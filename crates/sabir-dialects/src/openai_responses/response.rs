//! Whole answers: read as a client, written as a server.

use http::HeaderMap;
use sabir_core::chat::{ChatRequest, ChatResponse, Content, Cost, CostBasis, Finish, FinishReason};
use sabir_core::dialect::{Answer, Responded, unreadable};
use sabir_core::{Error, ErrorKind, Feature, Result, Sink};
use serde_json::{Value, json};

use super::item::Items;
use super::request::{instructions, settings};
use super::tell::Teller;
use super::{NAME, OpenAiResponses, error};
use crate::json::{Fields, value_of};
use crate::openai::{count, read_usage, write_usage};
use crate::openai_tools::write_flat;
use crate::shared::{self, Losses};

/// Fields of an answer that repeat the request, or have a place of their own.
const NOT_KEPT: &str = "id object model status output usage error output_text instructions metadata tools tool_choice \
    parallel_tool_calls max_output_tokens max_tool_calls temperature top_p top_logprobs text reasoning truncation \
    background store user safety_identifier previous_response_id prompt prompt_cache_key prompt_cache_options \
    prompt_cache_retention presence_penalty frequency_penalty";

/// Options of a request that its answer repeats.
const REPEATED: &str = "background max_tool_calls previous_response_id prompt store top_logprobs truncation";

/// What the format calls the two sides of the counters, and the details that it has.
const SIDES: [&str; 2] = ["input", "output"];
const DETAILS: &[&str] = &["cached_tokens", "cache_write_tokens", "reasoning_tokens"];

/// xAI's counter of its own tools' uses.
const TOOL_USES: &str = "num_server_side_tools_used";

pub(super) fn decode(answer: Answer<'_>) -> Result<ChatResponse> {
    shared::decode(&OpenAiResponses, answer, error::decode, |body, sink| {
        let fields = Fields::of_answer(body)?;
        if fields.peek("output").is_none() && fields.peek("status").is_none() {
            let nothing = || Error::new(ErrorKind::Decode, "the answer has neither an output nor an error");
            return Err(error::instead(body).unwrap_or_else(nothing));
        }
        conclude(fields, "completed", &mut Teller::default(), sink)
    })
}

/// Who answers.
pub(super) fn identify(fields: &mut Fields<'_>, sink: &mut Sink) {
    let [id, model] = ["id", "model"].map(|field| fields.string(field).ok().flatten());
    sink.identify(id.as_deref(), model.as_deref());
}

/// The error of an answer that only says that it failed.
pub(super) fn silent() -> Error {
    Error::new(ErrorKind::Provider, "the answer failed, and its provider does not say why")
}

/// Tells what an answer's object says, but for the items that were told already. `status` is what to believe where it
/// says none.
pub(super) fn conclude(mut fields: Fields<'_>, status: &str, teller: &mut Teller, sink: &mut Sink) -> Result<()> {
    identify(&mut fields, sink);
    let output = fields.list("output").map_err(|e| e.unreadable())?;
    for (at, raw) in output.iter().enumerate() {
        if !teller.has(at as u64, output.len()) {
            let json = serde_json::from_str(raw.get()).map_err(|e| unreadable("an item of the answer", &e))?;
            teller.item(at as u64, json, sink)?;
        }
    }
    teller.leave(None, sink);
    let failed = fields.value("error").map_err(|e| e.unreadable())?;
    let said = fields.string("status").map_err(|e| e.unreadable())?.unwrap_or_else(|| status.to_owned());
    if let Some(used) = fields.value("usage").map_err(|e| e.unreadable())? {
        tell_usage(&used, sink);
    }
    let why = fields.peek("incomplete_details").and_then(|raw| value_of(raw).ok()).unwrap_or_default();
    sink.finish(finish_of(&said, &why, sink.response()));
    for name in NOT_KEPT.split(' ') {
        fields.take(name);
    }
    sink.response_mut().meta.merge(fields.meta(NAME).map_err(|e| e.unreadable())?);
    match failed {
        None if said != "failed" => Ok(()),
        None => Err(silent()),
        Some(error) => Err(error::inside(&json!({ "error": error })).unwrap_or_else(silent)),
    }
}

/// The reason in Sabir's words; the raw word is the status.
fn finish_of(status: &str, why: &Value, response: &ChatResponse) -> Finish {
    let reason = match (status, why["reason"].as_str()) {
        ("completed", _) if response.refusal().is_some() => FinishReason::ContentFilter,
        ("completed", _) => FinishReason::Stop,
        ("incomplete", None) => FinishReason::Length,
        ("incomplete", Some(why)) => Finish::from_raw(why).reason,
        ("failed", _) => FinishReason::Error,
        (other, _) => FinishReason::Other(other.to_owned()),
    };
    Finish { raw: Some(status.to_owned()), ..Finish::new(reason) }
}

fn tell_usage(used: &Value, sink: &mut Sink) {
    let mut usage = read_usage(used, SIDES);
    usage.tools.extend(count(&used[TOOL_USES]).filter(|uses| *uses > 0).map(|uses| (TOOL_USES.to_owned(), uses)));
    if !usage.is_unknown() {
        sink.usage(usage);
    }
    // A tick of xAI's is 10⁻¹⁰ USD.
    let ticks = || Some(Cost { nano_usd: count(&used["cost_in_usd_ticks"])? / 10, basis: CostBasis::Reported });
    if let Some(cost) = Cost::reported(&used["cost"].to_string()).or_else(ticks) {
        sink.response_mut().cost = Some(cost);
    }
}

pub(super) fn respond(response: &ChatResponse, request: &ChatRequest) -> Responded {
    let (body, losses) = body(response, request);
    Responded { headers: HeaderMap::new(), body: body.to_string().into(), losses: losses.0 }
}

/// The object that a whole answer is, and that ends a stream.
pub(super) fn body(response: &ChatResponse, request: &ChatRequest) -> (Value, Losses) {
    let mut items = Items::new(&request.tools, true);
    for (at, part) in response.parts.iter().enumerate() {
        items.part(part, &format!("parts[{at}]"));
    }
    items.flush();
    let Items { out, mut losses, .. } = items;
    let (status, why) = status_of(response, &mut losses);
    let mut body = blank(&response.id, &response.model, status, request);
    body["output"] = out.into();
    body["incomplete_details"] = why.map(|why| json!({ "reason": why })).into();
    body["usage"] = usage_json(response, &mut losses);
    for (name, value) in response.meta.of(NAME).into_iter().flatten() {
        if name != "incomplete_details" || status == "incomplete" {
            body[name] = value.clone();
        }
    }
    (body, losses)
}

/// An answer of which nothing is known but the request.
pub(super) fn blank(id: &str, model: &str, status: &str, request: &ChatRequest) -> Value {
    let mut body = json!({
        "id": if id.is_empty() { "resp_sabir" } else { id }, "object": "response", "created_at": 0, "status": status,
        "background": false, "error": null, "incomplete_details": null,
        "instructions": instructions(&request.messages).0, "max_output_tokens": null, "metadata": request.metadata,
        "model": model, "output": [], "parallel_tool_calls": true, "previous_response_id": null,
        "reasoning": {"effort": null}, "store": false, "temperature": null, "text": {"format": {"type": "text"}},
        "tool_choice": "auto", "tools": [], "top_p": null, "truncation": "disabled", "usage": null,
    });
    // Losses of the request were told when it was sent on.
    let losses = &mut Losses::default();
    let mut asked = settings(request, losses);
    asked.insert(
        "tools".into(),
        serde_json::from_slice(&write_flat(&request.tools, NAME, losses).json()).unwrap_or_default(),
    );
    let options = request.options.of(NAME).into_iter().flatten();
    let repeated = options.filter(|(name, _)| REPEATED.split(' ').any(|known| known == *name));
    asked.extend(repeated.map(|(name, value)| (name.clone(), value.clone())));
    for (name, value) in asked {
        body[name] = value;
    }
    body
}

fn status_of<'r>(response: &'r ChatResponse, losses: &mut Losses) -> (&'r str, Option<&'static str>) {
    let refuses = || response.parts.iter().any(|part| matches!(part.content, Content::Refusal { .. }));
    let feature = Feature::Other("finish_reason".to_owned());
    losses.stop_sequence(&response.finish);
    match &response.finish.reason {
        FinishReason::ContentFilter if refuses() => ("completed", None),
        FinishReason::Stop | FinishReason::ToolCalls => {
            if refuses() {
                losses.lose(feature, "finish", "where the model refuses, that is how the answer ends here");
            }
            ("completed", None)
        }
        FinishReason::ContentFilter => ("incomplete", Some("content_filter")),
        FinishReason::Length => ("incomplete", Some("max_output_tokens")),
        FinishReason::Other(word) if matches!(word.as_str(), "queued" | "in_progress" | "cancelled") => (word, None),
        other => {
            let note = format!("there is no status for {other}; the answer is said to be complete");
            losses.lose(feature, "finish", &note);
            ("completed", None)
        }
    }
}

/// The counters; null where the totals are not known. Clients read the details unasked, so that they must be there.
fn usage_json(response: &ChatResponse, losses: &mut Losses) -> Value {
    let usage = &response.usage;
    let Some(mut json) = write_usage(usage, SIDES, DETAILS, losses) else { return Value::Null };
    let details = [
        ("input_tokens_details", "cached_tokens", "cache_read"),
        ("output_tokens_details", "reasoning_tokens", "reasoning"),
    ];
    for (object, field, bucket) in details {
        if json[object][field].is_null() {
            losses.lose(Feature::Usage, format!("usage.{bucket}"), "not known; a number must be said, which is 0");
            json[object][field] = 0.into();
        }
    }
    for (name, uses) in &usage.tools {
        if name == TOOL_USES {
            json[name] = (*uses).into();
        } else {
            losses.lose(Feature::Usage, format!("usage.tools.{name}"), "not in this dialect");
        }
    }
    json
}
