//! Whole answers: read as a client, written as a server.

use sabir_core::chat::{ChatRequest, ChatResponse, Content, FinishReason, Part, Usage};
use sabir_core::dialect::Responded;
use sabir_core::{Feature, Result, Sink};
use serde_json::{Value, json};

use super::NAME;
use crate::openai::write_usage;
use crate::openai_answer::{Choice, Names, Teller};
use crate::shared::{Losses, feature_of, opaque};

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
            (None, Some(json)) => sink.part(opaque(NAME, *json)),
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
    let mut losses = Losses::default();
    let text = text_of(&response.parts, &mut losses);
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

/// The words of an answer's parts; what else they are is lost.
pub(super) fn text_of(parts: &[Part], losses: &mut Losses) -> String {
    let mut all = String::new();
    for (at, part) in parts.iter().enumerate() {
        let path = format!("parts[{at}]");
        match &part.content {
            Content::Text { .. } => {}
            Content::Refusal { .. } => losses.lose(Feature::Refusals, path, "a refusal goes as text"),
            other => losses.lose(feature_of(other), path, "a completion is text"),
        }
        all.push_str(words(part));
    }
    all
}

/// A part's words.
pub(super) fn words(part: &Part) -> &str {
    match &part.content {
        Content::Text { text } | Content::Refusal { text } => text,
        _ => "",
    }
}

/// The reason in OpenAI's words; one that it has no word for passes as its provider said it.
pub(super) fn finish_of<'r>(response: &'r ChatResponse, losses: &mut Losses) -> &'r str {
    losses.stop_sequence(&response.finish);
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
