use sabir_core::chat::ChatRequest;

use crate::shape::Shape;
use crate::table::{Rule, Vocabulary, rule};
use crate::text::{Direct, Texts};
use crate::{Count, ModelId, Precision};

/// How many tokens of input a request is to a model, as its provider will count it: messages, tools, images and files,
/// and what the provider puts around them.
///
/// Not in it: what a provider's own tools (web search, code execution) bring in while they run, and what it has stored
/// itself (earlier answers, prompts by id). See the crate's documentation for how each model is counted.
pub fn count(request: &ChatRequest, model: &ModelId) -> Count {
    with(request, model, &Direct)
}

/// The same, with texts from a cache.
pub(crate) fn with(request: &ChatRequest, model: &ModelId, texts: &dyn Texts) -> Count {
    let (shape, rule) = shape(request, model, texts);
    let conversation = match rule.vocabulary {
        Vocabulary::O200k | Vocabulary::Cl100k if shape.is_plain() => shape.framed(),
        vocabulary => rule.line.count(&shape.row(vocabulary == Vocabulary::Closed)),
    };
    let mut count = conversation + shape.media;
    if shape.has_own() {
        count.precision = Precision::Estimate;
    }
    count
}

/// The tokens of a text by itself, in no message.
pub fn count_text(text: &str, model: &ModelId) -> Count {
    let rule = rule(model);
    let count = rule.measure().count(text);
    match rule.vocabulary {
        Vocabulary::Closed => rule.line.text(count),
        _ => count,
    }
}

fn shape(request: &ChatRequest, model: &ModelId, texts: &dyn Texts) -> (Shape, Rule) {
    let rule = rule(model);
    (Shape::of(request, rule.measure(), rule.image, texts), rule)
}

/// A request in the numbers that the lines are fitted to, and whether media or a provider's own tools are in it; for
/// `scripts/calibrate-tokens`.
#[doc(hidden)]
pub fn calibration(request: &ChatRequest, model: &ModelId) -> (Vec<u64>, bool) {
    let (shape, _) = shape(request, model, &Direct);
    let row = shape.row(false).0.iter().map(|count| count.tokens).collect();
    (row, shape.has_own() || shape.media.high > 0)
}
