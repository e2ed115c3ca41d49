//! Comparing answers.

use sabir_core::chat::{ChatResponse, Content, Part};
use sabir_core::{Feature, Loss};
use serde_json::{Value, json};

use crate::diff::first_difference;

/// What both faces of a dialect must agree on.
pub(super) fn same(streamed: &ChatResponse, whole: &ChatResponse) -> Result<(), String> {
    let shape = |r: &ChatResponse| json!({"id": r.id, "model": r.model, "parts": r.parts, "finish": r.finish, "usage": r.usage, "meta": r.meta});
    equal(&shape(streamed), &shape(whole))
}

/// What both faces of a dialect must agree on where the order of the parts is stated as lost: a stream has an order
/// even where a whole answer has a field for each kind.
pub(super) fn same_words(streamed: &ChatResponse, whole: &ChatResponse) -> Result<(), String> {
    let shape = |r: &ChatResponse| {
        let calls: Vec<_> = r.tool_calls().collect();
        json!({"text": r.text(), "reasoning": r.reasoning(), "calls": calls, "finish": r.finish, "usage": r.usage})
    };
    equal(&shape(streamed), &shape(whole))
}

/// Whether what was answered came back, but for the losses that were stated.
pub(super) fn kept(sent: &ChatResponse, read: &ChatResponse, losses: &[Loss]) -> Result<(), String> {
    let of_usage = |loss: &Loss| loss.feature == Feature::Usage || loss.path.starts_with("usage");
    let of_finish = |loss: &Loss| loss.path.starts_with("finish");
    if !losses.iter().any(of_usage) {
        equal(&json!({"usage": sent.usage}), &json!({"usage": read.usage}))?;
    }
    if !losses.iter().any(of_finish) {
        equal(&json!({"finish": sent.finish.reason}), &json!({"finish": read.finish.reason}))?;
    }
    if losses.iter().all(|loss| of_usage(loss) || of_finish(loss)) {
        return equal(&json!({"parts": joined(&sent.parts, sent)}), &json!({"parts": joined(&read.parts, sent)}));
    }
    // Something was lost, and it was said. Words never are.
    let text = read.text();
    match sent.parts.iter().filter_map(Part::as_text).find(|sent| !text.contains(sent)) {
        Some(gone) => Err(format!("the text {gone:?} did not come back, it became {text:?}")),
        None => Ok(()),
    }
}

/// The parts with neighbouring texts joined, as some dialects have one text alone, and without what a dialect adds
/// for itself.
fn joined(parts: &[Part], sent: &ChatResponse) -> Vec<Part> {
    let keeps_meta = sent.parts.iter().any(|part| !part.meta.is_empty());
    let mut all: Vec<Part> = Vec::new();
    for part in parts {
        let mut part = part.clone();
        if !keeps_meta {
            part.meta = sabir_core::chat::Meta::default();
        }
        if let Content::Citation(citation) = &mut part.content {
            citation.json = Value::Null;
        }
        match (all.last_mut().map(|last| &mut last.content), &part.content) {
            (Some(Content::Text { text }), Content::Text { text: more }) => text.push_str(more),
            _ => all.push(part),
        }
    }
    all
}

pub(crate) fn equal(before: &Value, after: &Value) -> Result<(), String> {
    first_difference(before, after).map_or(Ok(()), Err)
}
