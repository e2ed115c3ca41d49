//! The format's own types: the lines of a stream, the counters and timings, why an answer ended.

use sabir_core::Sink;
use sabir_core::chat::{ChatResponse, Finish, FinishReason, Usage};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Api;
use crate::json::{Fields, Object, Text, Wrong};
use crate::shared::Losses;

/// What the frequent lines of a stream have, of either API. Everything else is read from [`Fields`].
#[derive(Debug, Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow)]
    pub(super) model: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
    #[serde(borrow)]
    pub(super) response: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Text<'a>>,
    pub(super) done: Option<bool>,
    #[serde(borrow)]
    pub(super) error: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) logprobs: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) content: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) tool_calls: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) images: Option<&'a RawValue>,
}

impl Line<'_> {
    /// Whether there is nothing in it but more of a text or thought.
    pub(super) fn is_frequent(&self) -> bool {
        let has_more = |message: &Message<'_>| message.tool_calls.is_some() || message.images.is_some();
        self.done != Some(true)
            && self.error.is_none()
            && self.logprobs.is_none()
            && !self.message.as_ref().is_some_and(has_more)
            && (self.message.is_some() || self.response.is_some() || self.thinking.is_some())
    }
}

/// When an answer was made, where nobody says: there is no clock here.
const NO_TIME: &str = "1970-01-01T00:00:00Z";

/// Tells what a finished answer says of itself.
pub(super) fn tell_end(api: Api, fields: &mut Fields<'_>, sink: &mut Sink) -> Result<(), Wrong> {
    if let Some(reason) = fields.text("done_reason")? {
        sink.finish(Finish::from_raw(&reason));
    }
    let mut usage = Usage::default();
    (usage.input, usage.output) = (fields.count("prompt_eval_count"), fields.count("eval_count"));
    if !usage.is_unknown() {
        sink.usage(usage);
    }
    fields.take("done");
    let time = fields.value("created_at")?.filter(|time| time != NO_TIME);
    if let Some(time) = time {
        sink.response_mut().meta.set(api.name(), "created_at", time);
    }
    Ok(())
}

/// Writes what a finished answer says of itself.
pub(super) fn write_end(api: Api, to: &mut Object<'_>, response: &ChatResponse, losses: &mut Losses) {
    let usage = &response.usage;
    losses.usage(usage, &[]);
    losses.stop_sequence(&response.finish);
    to.field("done", &true).field("done_reason", done_reason(api, &response.finish, losses));
    to.some("prompt_eval_count", usage.input_total()).some("eval_count", usage.output_total());
    let written = "model created_at message response thinking done done_reason prompt_eval_count eval_count";
    to.meta(response.meta.of(api.name()), &written.split(' ').collect::<Vec<_>>());
}

/// Writes what every line begins with.
pub(super) fn write_start(api: Api, to: &mut Object<'_>, model: &str, response: Option<&ChatResponse>) {
    to.field("model", model);
    let time = response.and_then(|response| response.meta.get(api.name(), "created_at"));
    match time {
        Some(time) => to.field("created_at", time),
        None => to.field("created_at", NO_TIME),
    };
}

/// The word for why an answer ended. Ollama's own are `stop`, `length`, `load` and `unload`.
fn done_reason<'f>(api: Api, finish: &'f Finish, losses: &mut Losses) -> &'f str {
    match &finish.reason {
        FinishReason::Length => "length",
        FinishReason::ContentFilter => "content_filter",
        FinishReason::Error => "error",
        FinishReason::Other(word) => word,
        FinishReason::ToolCalls if api == Api::Chat => "stop",
        FinishReason::ToolCalls | FinishReason::Pause => {
            losses.finish();
            "stop"
        }
        _ => "stop",
    }
}
