//! Whole answers: read as a client, written as a server.

use sabir_core::chat::{ChatRequest, ChatResponse, Content, FinishReason, Part, Usage};
use sabir_core::dialect::Responded;
use sabir_core::{Feature, Result, Sink};
use serde_json::{Value, json};

use super::NAME;
use crate::openai::write_usage;
use crate::openai_answer::{Choice, Names, Teller};
use crate::shared::{Losses, feature_of};

/// What our answers call themselves.
pub(super) const NAMES: Names =
    Names { dialect: NAME, whole: "text_completion", chunk: "text_completion", id: "cmpl-sabir" };

/// Tells what the texts of an answer say.
#[derive(Debug, Default)]
pub(super) struct Texts;

impl Teller for Texts {
    const DIALECT: &'static str = NAME;
    type Kind = ();
    type Message<'a> = Value;

    fn choice(&mut self, choice: Choice<'_, Value>, _: bool, sink: &mut Sink) -> Result<()> {
        match (choice.text, choice.message.0) {
            // Some routers answer with a chat's message: it is kept as it came.
            (None, Some(json)) => sink.part(Content::Opaque { dialect: NAME.to_owned(), json: *json }.into()),
            (text, _) => sink.text(text.as_deref().unwrap_or_default()),
        }
        Ok(())
    }

    fn only_string<'c>(choice: &'c Choice<'_, Value>) -> Option<((), &'c str)> {
        choice.text.as_deref().filter(|text| !text.is_empty()).map(|text| ((), text))
    }

    fn string(&mut self, (): (), text: &str, sink: &mut Sink) {
        sink.text(text);
    }

    fn close(&mut self, _: &mut Sink) {}
}

pub(super) fn respond(response: &ChatResponse, request: &ChatRequest) -> Responded {
    let (mut losses, mut text) = (Losses::default(), String::new());
    for (at, part) in response.parts.iter().enumerate() {
        text.push_str(text_of(part, at, &mut losses));
    }
    lose_prompts(request, &mut losses);
    let logprobs = response.meta.get(NAME, "logprobs");
    let reason = finish_of(response, &mut losses);
    let choice = json!({"text": text, "index": 0, "logprobs": logprobs, "finish_reason": reason});
    let usage = usage(&response.usage, &mut losses);
    NAMES.respond(response, &choice, usage, losses)
}

/// Of several prompts, or for several answers, one is answered.
pub(super) fn lose_prompts(request: &ChatRequest, losses: &mut Losses) {
    for name in ["prompt", "n"].into_iter().filter(|name| request.options.get(NAME, name).is_some()) {
        losses.lose(Feature::Choices, format!("options.{NAME}.{name}"), "one prompt has one answer here");
    }
}

/// A part's words; what else it is, is lost.
pub(super) fn text_of<'p>(part: &'p Part, at: usize, losses: &mut Losses) -> &'p str {
    let (text, feature, note) = match &part.content {
        Content::Text { text } => return text,
        Content::Refusal { text } => (text.as_str(), Feature::Refusals, "a refusal goes as text"),
        other => ("", feature_of(other), "a completion is text"),
    };
    losses.lose(feature, format!("parts[{at}]"), note);
    text
}

/// The reason in OpenAI's words; one that it has no word for passes as its provider said it.
pub(super) fn finish_of<'r>(response: &'r ChatResponse, losses: &mut Losses) -> &'r str {
    match &response.finish.reason {
        FinishReason::ToolCalls | FinishReason::Pause => {
            losses.lose(Feature::Other("finish_reason".to_owned()), "finish", "a completion can only stop");
            "stop"
        }
        reason => reason.as_str(),
    }
}

/// The counters, as far as they are known.
pub(super) fn usage(usage: &Usage, losses: &mut Losses) -> Option<Value> {
    write_usage(usage, ["prompt", "completion"], &["cached_tokens", "reasoning_tokens"], losses)
}
