//! The format's own types: the events of a stream, and the details of an answer.

use sabir_core::Sink;
use sabir_core::chat::{ChatResponse, Finish, FinishReason};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::NAME;
use crate::json::{Fields, Object, Text, Wrong};
use crate::shared::Losses;

/// One event of a stream: a token, or an error.
#[derive(Debug, Deserialize)]
pub(super) struct TokenEvent<'a> {
    #[serde(borrow)]
    pub(super) token: Option<Token<'a>>,
    #[serde(borrow)]
    pub(super) generated_text: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) details: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Token<'a> {
    #[serde(borrow)]
    pub(super) text: Option<Text<'a>>,
    pub(super) special: Option<bool>,
}

/// Tells the `details` of an answer.
pub(super) fn tell_details(mut details: Fields<'_>, sink: &mut Sink) -> Result<(), Wrong> {
    if let Some(reason) = details.text("finish_reason")? {
        sink.finish(Finish::from_raw(&reason));
    }
    let mut usage = sink.response().usage.clone();
    usage.input = details.count("input_length").or(usage.input);
    usage.output = details.count("generated_tokens").or(usage.output);
    sink.usage(usage);
    let rest = details.rest()?.into_iter();
    let rest: serde_json::Map<_, _> = rest.filter(|(_, v)| v.as_array().is_none_or(|list| !list.is_empty())).collect();
    if !rest.is_empty() {
        sink.response_mut().meta.set(NAME, "details", Value::Object(rest));
    }
    Ok(())
}

/// Writes `details`; `null` where there is nothing to say. `whole`: with the lists of tokens that a whole answer has.
pub(super) fn write_details(to: &mut Object<'_>, response: &ChatResponse, whole: bool, losses: &mut Losses) {
    let usage = &response.usage;
    losses.usage(usage, &[]);
    losses.stop_sequence(&response.finish);
    let (word, is_said) = finish_word(&response.finish);
    if !is_said {
        losses.finish();
    }
    let kept = response.meta.get(NAME, "details").and_then(Value::as_object);
    if usage.is_unknown() && kept.is_none() && word == "eos_token" && response.finish.raw.is_none() {
        to.raw("details", "null");
        return;
    }
    to.object("details", |to| {
        to.field("finish_reason", word).some("generated_tokens", usage.output_total());
        to.some("input_length", usage.input_total());
        let has = |key: &str| kept.is_some_and(|kept| kept.contains_key(key));
        if !has("seed") {
            to.raw("seed", "null");
        }
        for list in ["prefill", "tokens"] {
            if whole && !has(list) {
                to.raw(list, "[]");
            }
        }
        to.meta(kept, &["finish_reason", "generated_tokens", "input_length"]);
    });
}

/// The word for why an answer ended, and whether it says that.
fn finish_word(finish: &Finish) -> (&str, bool) {
    match (&finish.reason, finish.raw.as_deref()) {
        (_, Some(raw @ ("length" | "eos_token" | "stop_sequence"))) => (raw, true),
        (FinishReason::Stop, _) if finish.stop_sequence.is_some() => ("stop_sequence", true),
        (FinishReason::Stop, _) => ("eos_token", true),
        (FinishReason::Length, _) => ("length", true),
        _ => ("eos_token", false),
    }
}
