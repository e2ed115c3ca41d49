//! Whose model it is: Converse passes on what it does not know itself, and each maker has names of its own for it.

use sabir_core::chat::{ChatRequest, Effort, ReasoningRequest};
use sabir_core::{Feature, Loss};
use serde_json::{Map, Value, json};

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
pub(super) fn fields(request: &ChatRequest, family: Family, losses: &mut Vec<Loss>) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |key: &str, value: Value| drop(fields.insert(key.to_owned(), value));
    let mut lose = |feature: Feature, path: &str| {
        losses.push(Loss::new(feature, path, "this model is not known to have it"));
    };
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
            let mut choice = claude_choice(request);
            choice["disable_parallel_tool_use"] = (!parallel).into();
            put("tool_choice", choice);
        }
        Some(_) => lose(Feature::ParallelTools, "parallel_tool_calls"),
        None => {}
    }
    fields
}

/// Claude's own field for thoughts. An effort asks for thoughts, which Claude gives only where they are switched on.
fn thinking(reasoning: &ReasoningRequest) -> Option<Value> {
    let ReasoningRequest { effort, budget, enabled } = reasoning;
    match (effort, budget, enabled) {
        (Some(Effort::None), ..) | (_, Some(0), _) | (_, _, Some(false)) => Some(json!({ "type": "disabled" })),
        (_, Some(budget), _) => Some(json!({ "type": "enabled", "budget_tokens": budget })),
        (_, None, Some(true)) | (Some(_), None, None) => Some(json!({ "type": "adaptive" })),
        (None, None, None) => None,
    }
}

/// `toolChoice`, in Claude's own words.
fn claude_choice(request: &ChatRequest) -> Value {
    use sabir_core::chat::ToolChoice;
    match &request.tool_choice {
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => json!({ "type": "any" }),
        Some(ToolChoice::Named(name)) => json!({ "type": "tool", "name": name }),
        _ => json!({ "type": "auto" }),
    }
}

/// Reads what [`fields`] writes, in any order; what has more to it than the vocabulary has words for stays.
pub(super) fn take(fields: &mut Map<String, Value>, family: Family, request: &mut ChatRequest) {
    let nova = family == Family::Nova;
    let only = |value: &Value, count: usize| value.as_object().is_some_and(|o| o.len() == count);
    let k = match family {
        Family::Claude | Family::Mistral => "top_k",
        Family::Cohere => "k",
        Family::Nova => "inferenceConfig",
        Family::Other => "",
    };
    let top_k = fields.get(k).and_then(|value| match family {
        Family::Nova => value["topK"].as_u64().filter(|_| only(value, 1)),
        _ => value.as_u64(),
    });
    if top_k.is_some() {
        request.top_k = top_k;
        fields.shift_remove(k);
    }
    let thinking = if nova { "reasoningConfig" } else { "thinking" };
    if let Some(value) = fields.get(thinking).filter(|_| nova || family == Family::Claude) {
        let effort = request.reasoning.as_ref().is_some_and(|r| r.effort.is_some());
        let mut reasoning = request.reasoning.clone().unwrap_or_default();
        match value["type"].as_str() {
            Some("enabled") if !nova && only(value, 2) && value["budget_tokens"].as_u64() > Some(0) => {
                reasoning.budget = value["budget_tokens"].as_u64();
            }
            Some("enabled") if nova && only(value, 1) => reasoning.enabled = Some(true),
            Some("adaptive") if !nova && only(value, 1) => reasoning.enabled = (!effort).then_some(true),
            Some("disabled") if only(value, 1) => reasoning.enabled = Some(false),
            _ => return,
        }
        request.reasoning = Some(reasoning);
        fields.shift_remove(thinking);
    } else if family == Family::Claude && effort(request).is_some() {
        // An effort without thoughts: kept apart from one that asks for them.
        fields.insert("thinking".to_owned(), Value::Null);
    }
    if family == Family::Claude
        && let Some(choice) = fields.get("tool_choice")
        && let Some(disabled) = choice["disable_parallel_tool_use"].as_bool()
    {
        let mut ours = claude_choice(request);
        ours["disable_parallel_tool_use"] = disabled.into();
        if ours == *choice {
            request.parallel_tool_calls = Some(!disabled);
            fields.shift_remove("tool_choice");
        }
    }
}
