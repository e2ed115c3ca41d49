//! How much models of Google's are to think (`thinkingConfig`), both ways: the second generation counts tokens, later ones
//! take words.

use sabir_core::Feature;
use sabir_core::chat::{Effort, ReasoningRequest};
use serde_json::{Map, Value, json};

use crate::google_model::generation;
use crate::shared::Losses;

/// What is asked for, taken out of the fields; `None` where it has no word in the vocabulary.
pub(crate) fn read_thinking(wanted: &mut Map<String, Value>) -> Option<ReasoningRequest> {
    let shows = wanted.get("includeThoughts") == Some(&Value::Bool(true));
    let budget = wanted.get("thinkingBudget").and_then(Value::as_i64);
    let level = wanted.get("thinkingLevel").and_then(Value::as_str).map(str::to_ascii_lowercase);
    let mut reasoning = ReasoningRequest::default();
    match (budget, level) {
        (Some(0), None) => {
            wanted.shift_remove("thinkingBudget");
            return Some(ReasoningRequest { effort: Some(Effort::None), ..reasoning });
        }
        (Some(-1), None) => reasoning.enabled = Some(true),
        (Some(budget), None) if budget > 0 => reasoning.budget = u64::try_from(budget).ok(),
        (None, Some(level)) if level != "thinking_level_unspecified" => {
            reasoning.effort = Some(Effort::from(level.as_str()));
        }
        (None, None) if shows => reasoning.enabled = Some(true),
        _ => return None,
    }
    wanted.retain(|name, _| !matches!(name.as_str(), "thinkingBudget" | "thinkingLevel" | "includeThoughts"));
    // Thoughts are shown to whom asks for them; who did not is not to see any.
    if !shows {
        wanted.insert("includeThoughts".to_owned(), false.into());
    }
    Some(reasoning)
}

/// Writes what is asked for. For words, where tokens are taken, those go that Google's own OpenAI-compatible service
/// takes for them.
pub(crate) fn write_thinking(wanted: &ReasoningRequest, model: &str, losses: &mut Losses) -> Value {
    let mut lose = |path: &str, note: &str| losses.lose(Feature::ReasoningEffort, path, note);
    let generation = generation(model);
    let counts = generation.is_some_and(|generation| generation < 3.0);
    let ReasoningRequest { effort, budget, enabled } = wanted;
    if *budget == Some(0) || *enabled == Some(false) || *effort == Some(Effort::None) {
        if generation.is_none() || counts {
            return json!({"thinkingBudget": 0});
        }
        lose("reasoning", "this model always thinks; it is told to do so least");
        return json!({"thinkingLevel": "MINIMAL"});
    }
    // Who asks for thoughts wants to see them, as with other providers.
    match (budget, effort) {
        (Some(budget), effort) => {
            if effort.is_some() {
                lose("reasoning.effort", "Google takes words or tokens, not both");
            }
            json!({"thinkingBudget": budget, "includeThoughts": true})
        }
        (None, Some(effort)) if counts => {
            let tokens = match effort {
                Effort::Minimal | Effort::Low => 1024,
                Effort::Medium => 8192,
                _ => 24576,
            };
            lose("reasoning.effort", "this model takes tokens; those that Google itself counts for the word are sent");
            json!({"thinkingBudget": tokens, "includeThoughts": true})
        }
        (None, Some(Effort::Max)) => {
            lose("reasoning.effort", "max is sent as XHIGH");
            json!({"thinkingLevel": "XHIGH", "includeThoughts": true})
        }
        (None, Some(effort)) => {
            json!({"thinkingLevel": effort.as_str().to_ascii_uppercase(), "includeThoughts": true})
        }
        // As much as the model likes: the default but for the smallest models of this generation.
        (None, None) if counts => json!({"thinkingBudget": -1, "includeThoughts": true}),
        (None, None) => json!({"includeThoughts": true}),
    }
}
