//! How thoughts are asked for in OpenAI's dialects, in all the ways that those who speak them have.

use sabir_core::Feature;
use sabir_core::chat::{Effort, ReasoningRequest};
use serde_json::{Value, json};

use crate::json::{Fields, Object, Wrong};
use crate::shared::Losses;

/// What a request in Chat Completions says of thinking, in any of the ways of saying it.
pub(crate) fn read_reasoning(fields: &mut Fields<'_>) -> Result<Option<ReasoningRequest>, Wrong> {
    let mut wanted = ReasoningRequest {
        effort: fields.get("reasoning_effort")?,
        budget: fields.get("thinking_budget")?,
        enabled: fields.get("enable_thinking")?,
    };
    for key in ["thinking", "reasoning"] {
        let found = fields.understood(key, thinking).unwrap_or_default();
        wanted.effort = found.effort.or(wanted.effort);
        wanted.budget = found.budget.or(wanted.budget);
        wanted.enabled = found.enabled.or(wanted.enabled);
    }
    Ok(Some(wanted).filter(|wanted| *wanted != ReasoningRequest::default()))
}

/// `thinking: {type, budget_tokens}` or `reasoning: {effort, max_tokens, enabled}`; `None` where there is more in it.
fn thinking(json: &Value) -> Option<ReasoningRequest> {
    let mut found = ReasoningRequest::default();
    for (field, value) in json.as_object()? {
        match field.as_str() {
            "type" if value == "enabled" => found.enabled = Some(true),
            "type" if value == "disabled" => found.enabled = Some(false),
            "enabled" => found.enabled = Some(value.as_bool()?),
            "effort" => found.effort = Some(Effort::from(value.as_str()?)),
            "max_tokens" | "budget_tokens" => found.budget = Some(value.as_u64()?),
            _ => return None,
        }
    }
    Some(found)
}

/// Writes what a request in Chat Completions says of thinking. `way`: the quirk `reasoning_request`. `thinks`: whether
/// the model may; where it may not it is told so.
pub(crate) fn write_reasoning(
    wanted: Option<&ReasoningRequest>,
    way: Option<&str>,
    thinks: bool,
    body: &mut Object<'_>,
    losses: &mut Losses,
) {
    let wanted = match wanted {
        Some(wanted) => wanted,
        None if thinks => return,
        None => &ReasoningRequest::default(),
    };
    let is_off = wanted.enabled == Some(false) || wanted.effort == Some(Effort::None);
    if !thinks && !is_off {
        body.field("reasoning_effort", "none");
        let note = "this model does not think where it has functions; in openai-responses it does: ask \
                    PROVIDER:responses/MODEL";
        return losses.lose(Feature::Reasoning, "reasoning", note);
    }
    let word = wanted.effort.as_ref().filter(|effort| **effort != Effort::None).map(Effort::as_str);
    match way {
        Some("thinking") => {
            body.field("thinking", &json!({ "type": if is_off { "disabled" } else { "enabled" } }));
            body.some("reasoning_effort", word);
        }
        Some("enable_thinking") => {
            body.field("enable_thinking", &!is_off).some("thinking_budget", wanted.budget);
            if word.is_some() && wanted.budget.is_none() {
                let note = "this provider counts thinking in tokens; it is on";
                losses.lose(Feature::ReasoningEffort, "reasoning.effort", note);
            }
            return;
        }
        Some("openrouter") => {
            body.object("reasoning", |to| {
                to.some("effort", wanted.effort.as_ref()).some("max_tokens", wanted.budget);
                to.some("enabled", wanted.enabled);
            });
            return;
        }
        Some("none") => {
            return losses.lose(Feature::ReasoningEffort, "reasoning", "this provider cannot be asked for it");
        }
        _ => {
            body.some("reasoning_effort", if is_off { Some("none") } else { word });
            if wanted.enabled == Some(true) && word.is_none() {
                losses.lose(Feature::Reasoning, "reasoning.enabled", "asked for by effort here; the model decides");
            }
        }
    }
    if wanted.budget.is_some() {
        losses.lose(Feature::ReasoningBudget, "reasoning.budget", "this provider takes efforts, not tokens");
    }
}

/// What a request in Responses says of thinking: an effort.
pub(crate) fn effort_json(wanted: &ReasoningRequest, losses: &mut Losses) -> Option<Value> {
    if wanted.budget.is_some() {
        losses.lose(Feature::ReasoningBudget, "reasoning.budget", "this dialect takes efforts, not tokens");
    }
    if wanted.enabled == Some(true) {
        let note = "what can think does; how much is said by an effort";
        losses.lose(Feature::ReasoningEffort, "reasoning.enabled", note);
    }
    let off = (wanted.enabled == Some(false)).then_some("none");
    wanted.effort.as_ref().map(Effort::as_str).or(off).map(|effort| json!({ "effort": effort }))
}
