//! Counters: into disjoint buckets, and back into totals with details.

use sabir_core::Sink;
use sabir_core::chat::{Cost, Usage};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::tell::parsed;
use super::wire;

/// Takes the counters apart. `prompt_tokens` contains the cached and the other kinds of input; `completion_tokens`
/// contains the reasoning, unless the total shows that it stands beside it.
pub(super) fn tell(wire: &wire::Usage<'_>, sink: &mut Sink) {
    let (prompt, completion) = (wire.prompt_tokens.0, wire.completion_tokens.0);
    let (input, output) = (wire.prompt_tokens_details.0.as_ref(), wire.completion_tokens_details.0.as_ref());
    let mut usage = Usage::default();
    let cached = [wire.prompt_cache_hit_tokens.0, wire.cached_tokens.0, wire.num_cached_tokens.0];
    usage.cache_read = input.and_then(|d| d.cached_tokens.0).or(cached.into_iter().flatten().next());
    usage.cache_write = input.and_then(|d| d.cache_write_tokens.0).or(wire.cache_creation_input_tokens.0);
    usage.audio_input = input.and_then(|d| d.audio_tokens.0);
    usage.image_input = input.and_then(|d| d.image_tokens.0);
    usage.input_from_total(prompt);

    usage.reasoning = output.and_then(|d| d.reasoning_tokens.0).or(wire.reasoning_tokens.0);
    usage.audio_output = output.and_then(|d| d.audio_tokens.0);
    usage.image_output = output.and_then(|d| d.image_tokens.0);
    let sum = [prompt, completion, usage.reasoning].into_iter().try_fold(0, |sum: u64, n| sum.checked_add(n?));
    let beside = usage.reasoning.filter(|n| *n > 0 && sum.is_some() && sum == wire.total_tokens.0);
    usage.output_from_total(completion.map(|n| n.saturating_add(beside.unwrap_or(0))));

    let searches = wire.server_tool_use_details.0.as_ref().and_then(|tools| tools.web_search_requests.0);
    for (tool, uses) in [("web_search_requests", searches), ("num_search_queries", wire.num_search_queries.0)] {
        if let Some(uses) = uses {
            usage.tools.insert(tool.to_owned(), uses);
        }
    }
    if !usage.is_unknown() {
        sink.usage(usage);
    }
    if let Some(cost) = wire.cost.and_then(cost_of) {
        sink.response_mut().cost = Some(cost);
    }
}

/// A number, or an object with the total (Perplexity).
fn cost_of(raw: &RawValue) -> Option<Cost> {
    if let Some(cost) = Cost::reported(raw.get()) {
        return Some(cost);
    }
    Cost::reported(&parsed(raw)?.get("total_cost")?.to_string())
}

/// The counters that are known; `None` where the totals are not.
pub(super) fn respond(usage: &Usage) -> Option<Value> {
    let (input, output) = (usage.input_total(), usage.output_total());
    if input.is_none() && output.is_none() {
        return None;
    }
    let (input, output) = (input.unwrap_or(0), output.unwrap_or(0));
    let total = input.saturating_add(output);
    let mut body = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": total});
    let written = [usage.cache_write, usage.cache_write_1h].into_iter().flatten().reduce(u64::saturating_add);
    let inputs = [("cached_tokens", usage.cache_read), ("cache_write_tokens", written)];
    let media = [("audio_tokens", usage.audio_input), ("image_tokens", usage.image_input)];
    let outputs = [("reasoning_tokens", usage.reasoning), ("audio_tokens", usage.audio_output)];
    let details = [
        ("prompt_tokens_details", inputs.into_iter().chain(media).collect::<Vec<_>>()),
        ("completion_tokens_details", outputs.into_iter().chain([("image_tokens", usage.image_output)]).collect()),
    ];
    for (field, counters) in details {
        let known: Map<String, Value> =
            counters.into_iter().filter_map(|(name, count)| Some((name.to_owned(), count?.into()))).collect();
        if !known.is_empty() {
            body[field] = Value::Object(known);
        }
    }
    Some(body)
}
