//! Whose model it is: Converse passes on what it does not know itself, and each maker has names of its own for it.

use sabir_core::Feature;
use sabir_core::chat::{ChatRequest, Effort, ReasoningRequest, ToolChoice};
use serde_json::{Map, Value, json};

use crate::blocks::{claude_choice, thinking};
use crate::shared::Losses;

/// The makers whose own fields are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Claude,
    Nova,
    Cohere,
    Mistral,
    Other,
}

impl Family {
    /// By the quirk `model_family`, else by the model's id: `us.anthropic.claude-…`, or an ARN with that at its end.
    pub(super) fn of(model: &str, quirk: Option<&str>) -> Self {
        let says = |name: &str, id: &str| quirk.map_or_else(|| model.contains(id), |quirk| quirk == name);
        let known = [
            (says("claude", "anthropic."), Self::Claude),
            (says("nova", "amazon.nova"), Self::Nova),
            (says("cohere", "cohere."), Self::Cohere),
            (says("mistral", "mistral."), Self::Mistral),
        ];
        known.into_iter().find(|(is_it, _)| *is_it).map_or(Self::Other, |(_, family)| family)
    }
}

/// The word for `outputConfig.effort`.
pub(super) fn effort(request: &ChatRequest) -> Option<&str> {
    let effort = request.reasoning.as_ref()?.effort.as_ref()?;
    (*effort != Effort::None).then(|| effort.as_str())
}

/// `additionalModelRequestFields`, and what has no place there either.
pub(super) fn fields(request: &ChatRequest, family: Family, losses: &mut Losses) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| drop(fields.insert(key.to_owned(), value));
    let mut lose = |feature: Feature, path: &str| losses.lose(feature, path, "this model is not known to have it");
    match (request.top_k, family) {
        (None, _) => {}
        (Some(k), Family::Claude | Family::Mistral) => put("top_k", k.into()),
        (Some(k), Family::Cohere) => put("k", k.into()),
        (Some(k), Family::Nova) => put("inferenceConfig", json!({ "topK": k })),
        (Some(_), Family::Other) => lose(Feature::TopK, "top_k"),
    }
    if let Some(reasoning) = &request.reasoning {
        match (thinking(reasoning), family) {
            (None, _) => {}
            (Some(thinking), Family::Claude) => put("thinking", thinking),
            // An effort alone is said by `outputConfig`.
            (Some(_), _) if reasoning.budget.is_none() && reasoning.enabled.is_none() && effort(request).is_some() => {}
            (Some(_), _) if reasoning.budget.is_some() => lose(Feature::ReasoningBudget, "reasoning.budget"),
            (Some(thinking), Family::Nova) => {
                let word = if thinking["type"] == "disabled" { "disabled" } else { "enabled" };
                put("reasoningConfig", json!({ "type": word }));
            }
            (Some(_), _) => lose(Feature::Reasoning, "reasoning"),
        }
    }
    match request.parallel_tool_calls {
        Some(parallel) if family == Family::Claude && !request.tools.is_empty() => {
            let choice = request.tool_choice.as_ref().filter(|choice| **choice != ToolChoice::None);
            // A choice that is new is refused with the tools.
            if let Ok(Some(choice)) = claude_choice(choice, Some(parallel)) {
                put("tool_choice", choice);
            }
        }
        Some(_) => lose(Feature::ParallelTools, "parallel_tool_calls"),
        None => {}
    }
    fields
}

/// Reads what [`fields`] writes: a field is taken where the request that it would mean is written just so. What has
/// more to it than the vocabulary has words for stays.
pub(super) fn take(given: &mut Map<String, Value>, family: Family, request: &mut ChatRequest) {
    let is_said = |request: &ChatRequest, given: &mut Map<String, Value>, key: &str| {
        let is_same = fields(request, family, &mut Losses::default()).get(key) == given.get(key);
        is_same && given.shift_remove(key).is_some()
    };
    for key in ["top_k", "k", "inferenceConfig"] {
        let Some(k) = given.get(key).and_then(|value| value.as_u64().or(value["topK"].as_u64())) else { continue };
        let before = request.top_k.replace(k);
        if !is_said(request, given, key) {
            request.top_k = before;
        }
    }
    let without_thoughts = family == Family::Claude && effort(request).is_some() && !given.contains_key("thinking");
    for key in ["thinking", "reasoningConfig"] {
        let Some(value) = given.get(key) else { continue };
        let (before, budget) = (request.reasoning.clone(), value["budget_tokens"].as_u64());
        let found = [None, Some(true), Some(false)].into_iter().any(|enabled| {
            let effort = before.as_ref().and_then(|before| before.effort.clone());
            request.reasoning = Some(ReasoningRequest { effort, budget, enabled });
            is_said(request, given, key)
        });
        if !found {
            request.reasoning = before;
        }
    }
    if without_thoughts {
        // An effort without thoughts: kept apart from one that asks for them.
        given.insert("thinking".to_owned(), Value::Null);
    }
    if let Some(disabled) = given.get("tool_choice").and_then(|choice| choice["disable_parallel_tool_use"].as_bool()) {
        request.parallel_tool_calls = Some(!disabled);
        if !is_said(request, given, "tool_choice") {
            request.parallel_tool_calls = None;
        }
    }
}
