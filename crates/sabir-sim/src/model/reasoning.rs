//! Simulated thoughts.

use sabir_core::chat::{ChatRequest, Content, Effort, Part, Reasoning};

use super::{SIGNATURE, last_user_text};

/// Whether the request asks for thoughts.
pub(super) fn is_wanted(request: &ChatRequest) -> bool {
    request.reasoning.as_ref().is_some_and(|wish| match (wish.enabled, &wish.effort, wish.budget) {
        (Some(false), ..) | (_, Some(Effort::None), _) | (.., Some(0)) => false,
        (enabled, effort, budget) => enabled.is_some() || effort.is_some() || budget.is_some(),
    })
}

/// A thought about the request.
pub(super) fn thought(request: &ChatRequest) -> Part {
    let words = last_user_text(request).split_whitespace().count();
    let text = format!(
        "I am a simulator and only pretend to think. The last message has {words} words; {} tools are at hand.",
        request.tools.len()
    );
    Content::Reasoning(Reasoning { text, signature: Some(SIGNATURE.to_owned()), encrypted: None }).into()
}
