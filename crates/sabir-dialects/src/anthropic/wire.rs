//! The format's own types: the frequent events of a stream, and the counters, both ways.

use std::borrow::Cow;

use sabir_core::Sink;
use sabir_core::chat::{Meta, Usage};
use serde_json::{Map, Value, json};

use super::NAME;
use crate::blocks::Counters;
use crate::json::Object;
use crate::lenient::{Count, Text, lenient_objects, leniently};
use crate::shared::Losses;

lenient_objects! {
    /// What the frequent events of a stream have in common. Everything else is read field by field.
    StreamEvent {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
        index: Count,
        #[serde(borrow, deserialize_with = "leniently")]
        delta: Option<Delta<'a>>,
    }
    /// The frequent deltas.
    Delta {
        #[serde(rename = "type", borrow)]
        kind: Cow<'a, str>,
        text: Text<'a>,
        thinking: Text<'a>,
        partial_json: Text<'a>,
    }
}

/// Tells what a whole answer or the reports of a stream so far said under `usage`, in buckets that do not overlap: its
/// input excludes the cache already, its output includes thoughts. What is not a counter becomes metadata.
pub(super) fn tell_usage(mut said: Map<String, Value>, sink: &mut Sink) {
    let mut take = |key: &str| said.shift_remove(key).unwrap_or_default();
    let mut usage = Usage::default();
    usage.input = take("input_tokens").as_u64();
    usage.cache_read = take("cache_read_input_tokens").as_u64();
    let split = take("cache_creation");
    usage.cache_write = split["ephemeral_5m_input_tokens"].as_u64();
    usage.cache_write_1h = split["ephemeral_1h_input_tokens"].as_u64();
    // A later total may stand beside an earlier breakdown; the total wins.
    if let Some(total) = take("cache_creation_input_tokens").as_u64() {
        usage.cache_write_1h = usage.cache_write_1h.map(|hour| hour.min(total));
        usage.cache_write = Some(total - usage.cache_write_1h.unwrap_or_default());
    }
    usage.reasoning = take("output_tokens_details")["thinking_tokens"].as_u64();
    usage.output_from_total(take("output_tokens").as_u64());
    let tools = take("server_tool_use");
    let tools = tools.as_object().into_iter().flatten();
    usage.tools = tools.filter_map(|(tool, uses)| Some((tool.clone(), uses.as_u64()?))).collect();
    if !said.is_empty() {
        sink.response_mut().meta.set(NAME, "usage", said.into());
    }
    sink.usage(usage);
}

/// Writes the counters.
pub(super) fn write_usage(to: &mut Object<'_>, usage: &Usage, meta: &Meta, losses: &mut Losses) {
    let Counters { input, cache_read, cache_write, minutes, hour, output, reasoning, tools: uses } =
        Counters::of(usage, "reasoning", losses);
    let split = |hour: u64| json!({ "ephemeral_5m_input_tokens": minutes.unwrap_or_default(), "ephemeral_1h_input_tokens": hour });
    // Clients expect this one beside any other.
    let mut tools = json!({ "web_search_requests": 0 });
    for (tool, uses) in &uses {
        tools[tool] = (*uses).into();
    }
    let fields = [
        ("input_tokens", Some(input.into())),
        ("cache_creation_input_tokens", cache_write.map(Value::from)),
        ("cache_read_input_tokens", cache_read.map(Value::from)),
        ("cache_creation", hour.map(split)),
        ("output_tokens", Some(output.into())),
        ("output_tokens_details", reasoning.map(|thinking| json!({ "thinking_tokens": thinking }))),
        ("server_tool_use", Some(tools).filter(|_| !uses.is_empty())),
    ];
    to.object("usage", |to| {
        for (key, value) in &fields {
            to.some(key, value.as_ref());
        }
        to.meta(meta.get(NAME, "usage").and_then(Value::as_object), &fields.each_ref().map(|(key, _)| *key));
    });
}
