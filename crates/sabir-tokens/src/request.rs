use sabir_core::chat::ChatRequest;

use crate::shape::Shape;
use crate::table::{Merges, Rule, is_agent, rule};
use crate::text::{Direct, Texts};
use crate::{Count, ModelId, Precision};

/// How many tokens of input a request is to a model, as its provider will count it: messages, tools, images and files,
/// and what the provider puts around them.
///
/// Not in it: what a provider's own tools (web search, code execution) bring in while they run, and what it has stored
/// itself (earlier answers, prompts by id). See the crate's documentation for how each model is counted.
pub fn count(request: &ChatRequest, model: &ModelId) -> Count {
    with(request, rule(model), &Direct)
}

/// The same by a rule, with texts from wherever.
pub(crate) fn with(request: &ChatRequest, rule: Rule, texts: &dyn Texts) -> Count {
    let shape = Shape::of(request, rule.measure(), rule.image, texts);
    let conversation = match rule.vocabulary {
        Merges::O200k | Merges::Cl100k if shape.is_plain() => shape.framed(),
        vocabulary => rule.line.count(&shape.row(vocabulary == Merges::Closed)),
    };
    let mut count = conversation + shape.media;
    if shape.has_own() {
        count.precision = Precision::Estimate;
    }
    count
}

/// The tokens of a text by itself, in no message.
pub fn count_text(text: &str, model: &ModelId) -> Count {
    text_with(text, rule(model), &Direct)
}

/// The same by a rule.
pub(crate) fn text_with(text: &str, rule: Rule, texts: &dyn Texts) -> Count {
    let count = texts.count(rule.measure(), text);
    match rule.vocabulary {
        Merges::Closed => rule.line.text(count),
        _ => count,
    }
}

/// A request in the numbers that the lines are fitted to, and what it is good for; for `scripts/calibrate-tokens` and the
/// test that holds the bounds against recordings.
#[doc(hidden)]
pub fn calibration(request: &ChatRequest, model: &ModelId) -> (Vec<u64>, Fit) {
    let rule = rule(model);
    let shape = Shape::of(request, rule.measure(), rule.image, &Direct);
    let row = shape.row(false).0.iter().map(|count| count.tokens).collect();
    let fit = if shape.has_own() || is_agent(model) {
        Fit::Apart
    } else if shape.media.high > 0 || shape.has_tools_perhaps() {
        Fit::BoundsOnly
    } else {
        Fit::Whole
    };
    (row, fit)
}

/// What a recorded request is good for.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Lines are fitted to it.
    Whole,
    /// The bounds hold on it, but it says nothing of a line: media are in it, or part of it may have been left out.
    BoundsOnly,
    /// A provider's own tools or parts are in it.
    Apart,
}
