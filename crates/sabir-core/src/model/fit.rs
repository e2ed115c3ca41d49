//! A request, made to fit a model: what it refuses is left out or said otherwise, and told as a loss.

use std::borrow::Cow;

use super::ModelTraits;
use crate::chat::{ChatRequest, Content, Effort, ReasoningRequest, Role, ToolChoice};
use crate::{Error, ErrorKind, Feature, Loss, Result};

/// The fewest tokens of thought that can be asked for (Anthropic, "Extended thinking").
const LEAST_BUDGET: u64 = 1024;

impl ModelTraits {
    /// Whether a request says anything that some model does not take. The common one does not, and its model need not
    /// be looked up.
    pub fn matter_to(request: &ChatRequest) -> bool {
        let sampling = [request.temperature, request.top_p, request.presence_penalty, request.frequency_penalty];
        request.reasoning.is_some()
            || request.tool_choice.is_some()
            || request.top_k.is_some()
            || request.max_tokens.is_some()
            || !request.tools.is_empty()
            || request
                .messages
                .iter()
                .any(|message| message.parts.iter().any(|part| matches!(part.content, Content::Image(_))))
            || sampling.iter().any(Option::is_some)
            || request.messages.last().is_some_and(|last| last.role == Role::Assistant)
    }

    /// The request as this model takes it, and what had to be changed for that. Borrowed where nothing had to be.
    ///
    /// # Errors
    /// `Unsupported` where the conversation ends with the model's own words and it does not go on from there: that
    /// can neither be carried nor left out.
    pub fn fit<'r>(&self, request: &'r ChatRequest) -> Result<(Cow<'r, ChatRequest>, Vec<Loss>)> {
        let mut fitting = Fitting { traits: self, request: Cow::Borrowed(request), losses: Vec::new() };
        if *self != Self::default() {
            fitting.prefill()?;
            // Whether sampling parameters are taken may depend on whether the model thinks.
            fitting.reasoning();
            fitting.sampling();
            fitting.tool_choice();
        }
        Ok((fitting.request, fitting.losses))
    }
}

struct Fitting<'t, 'r> {
    traits: &'t ModelTraits,
    request: Cow<'r, ChatRequest>,
    losses: Vec<Loss>,
}

impl Fitting<'_, '_> {
    /// `note` says what the model does or does not, without naming it.
    fn lose(&mut self, feature: Feature, path: &str, note: &str) {
        let note = format!("{} {note}", self.request.model);
        self.losses.push(Loss::new(feature, path, note));
    }

    /// A turn that the provider's own tools have interrupted is gone on with, not put into the model's mouth.
    fn prefill(&self) -> Result<()> {
        let words = |content: &Content| {
            matches!(content, Content::Text { .. } | Content::Reasoning(_) | Content::Refusal { .. })
        };
        let last = self.request.messages.last().filter(|last| last.role == Role::Assistant);
        if self.traits.prefill != Some(false) || !last.is_some_and(|l| l.parts.iter().all(|p| words(&p.content))) {
            return Ok(());
        }
        let message = format!(
            "{} does not go on from the beginning of an answer: end the conversation with a message from the user",
            self.request.model
        );
        Err(Error::new(ErrorKind::Unsupported, message))
    }

    fn reasoning(&mut self) {
        let Some(asked) = &self.request.reasoning else { return };
        let mut wanted = asked.clone();
        if is_off(&wanted) {
            if self.traits.thinking_always_on == Some(true) {
                self.never_off();
            }
            return;
        }
        if wanted.budget.is_some() && self.traits.budget_thinking == Some(false) {
            wanted.budget = None;
            if wanted.effort.is_none() {
                wanted.enabled = Some(true);
            }
            let note = "does not count its thinking in tokens; it decides how much";
            self.lose(Feature::ReasoningBudget, "reasoning.budget", note);
        }
        let wants_thoughts = wanted.effort.is_some() || wanted.enabled == Some(true);
        if self.traits.adaptive_thinking == Some(false)
            && self.traits.budget_thinking == Some(true)
            && wanted.budget.is_none()
            && wants_thoughts
        {
            self.by_budget(&mut wanted);
        } else if let Some(effort) = &wanted.effort {
            let nearest = self.nearest(effort);
            if nearest.as_ref() != Some(effort) {
                let note = match &nearest {
                    Some(nearest) => format!("does not know the effort {effort}; {nearest} is sent"),
                    None => format!("does not know the effort {effort}; left out"),
                };
                self.lose(Feature::ReasoningEffort, "reasoning.effort", &note);
                wanted.effort = nearest;
            }
        }
        if self.request.reasoning.as_ref() != Some(&wanted) {
            let is_empty = wanted == ReasoningRequest::default();
            self.request.to_mut().reasoning = (!is_empty).then_some(wanted);
        }
    }

    /// The effort itself where the model takes it or nothing is known.
    fn nearest(&self, effort: &Effort) -> Option<Effort> {
        match (self.traits.efforts, effort) {
            (Some(known), Effort::Other(_)) if known != super::Efforts::default() => Some(effort.clone()),
            (Some(known), _) if !known.contains(effort) => known.nearest(effort),
            _ => Some(effort.clone()),
        }
    }

    fn never_off(&mut self) {
        let least = self.traits.efforts.and_then(super::Efforts::least);
        let note = match &least {
            Some(least) => format!("always thinks; the effort {least} is sent"),
            None => "always thinks".to_owned(),
        };
        self.lose(Feature::Reasoning, "reasoning", &note);
        self.request.to_mut().reasoning =
            least.map(|effort| ReasoningRequest { effort: Some(effort), ..ReasoningRequest::default() });
    }

    /// For models that think by a number of tokens alone, words are made into one; a limit of the output, which
    /// includes the thoughts, is left half for the answer.
    fn by_budget(&mut self, wanted: &mut ReasoningRequest) {
        let tokens = match wanted.effort {
            Some(Effort::Minimal | Effort::Low) => LEAST_BUDGET,
            Some(Effort::High | Effort::XHigh | Effort::Max) => 24_576,
            _ => 8192,
        };
        let path = if wanted.effort.is_some() { "reasoning.effort" } else { "reasoning.enabled" };
        let limit = self.request.max_tokens;
        if limit.is_some_and(|limit| limit <= LEAST_BUDGET) {
            self.lose(
                Feature::Reasoning,
                path,
                "thinks in no fewer than 1024 tokens, for which max_tokens has no room",
            );
            *wanted = ReasoningRequest::default();
            return;
        }
        let tokens = limit.map_or(tokens, |limit| tokens.min(limit / 2).max(LEAST_BUDGET));
        wanted.budget = Some(tokens);
        wanted.enabled = None;
        wanted.effort = wanted.effort.take().filter(|e| self.traits.efforts.is_some_and(|known| known.contains(e)));
        self.lose(
            Feature::ReasoningEffort,
            path,
            &format!("counts its thinking in tokens; a budget of {tokens} is sent"),
        );
    }

    fn sampling(&mut self) {
        let thinks = !self.request.reasoning.as_ref().is_some_and(is_off);
        let note = match (self.traits.sampling, self.traits.sampling_with_reasoning) {
            (Some(false), _) => "takes no sampling parameters; left out",
            (_, Some(false)) if thinks => "takes this only with the reasoning effort none; left out",
            _ => return,
        };
        let set = [
            (Feature::Temperature, "temperature", self.request.temperature.is_some()),
            (Feature::TopP, "top_p", self.request.top_p.is_some()),
            (Feature::TopK, "top_k", self.request.top_k.is_some()),
            (Feature::PresencePenalty, "presence_penalty", self.request.presence_penalty.is_some()),
            (Feature::FrequencyPenalty, "frequency_penalty", self.request.frequency_penalty.is_some()),
        ];
        if !set.iter().any(|(.., is_set)| *is_set) {
            return;
        }
        for (feature, path, _) in set.into_iter().filter(|(.., is_set)| *is_set) {
            self.lose(feature, path, note);
        }
        let request = self.request.to_mut();
        request.temperature = None;
        request.top_p = None;
        request.top_k = None;
        request.presence_penalty = None;
        request.frequency_penalty = None;
    }

    fn tool_choice(&mut self) {
        if self.traits.forced_tool_use != Some(false) {
            return;
        }
        let free = match &self.request.tool_choice {
            Some(ToolChoice::Required | ToolChoice::Named(_)) => ToolChoice::Auto,
            Some(ToolChoice::Allowed { names, required: true }) => {
                ToolChoice::Allowed { names: names.clone(), required: false }
            }
            _ => return,
        };
        self.lose(Feature::ToolChoice, "tool_choice", "cannot be made to use a tool; it is left to choose");
        self.request.to_mut().tool_choice = Some(free);
    }
}

/// Whether no thoughts are asked for, in so many words.
fn is_off(wanted: &ReasoningRequest) -> bool {
    wanted.effort == Some(Effort::None) || wanted.enabled == Some(false) || wanted.budget == Some(0)
}
