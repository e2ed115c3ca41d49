//! What one model can do and what it refuses, as data; and requests made to fit it.
//!
//! Providers' models differ within one dialect: some refuse sampling parameters, some always think. Which do is a
//! table's to know ([`TraitsOf`] looks it up), and [`ModelTraits::fit`] is the one place that acts on it.

mod efforts;
mod fit;
#[cfg(test)]
mod tests;

pub use efforts::Efforts;

/// What is known of one model, as one provider serves it. `None` is unknown: nothing is done about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModelTraits {
    /// Takes functions that it may call.
    pub tools: Option<bool>,
    /// Takes images.
    pub vision: Option<bool>,
    /// Can be held to a JSON Schema.
    pub structured_output: Option<bool>,
    /// Can think before it answers.
    pub reasoning: Option<bool>,
    /// Can be left to decide how much it thinks.
    pub adaptive_thinking: Option<bool>,
    /// Can be told in tokens how much to think.
    pub budget_thinking: Option<bool>,
    /// Cannot be told not to think.
    pub thinking_always_on: Option<bool>,
    /// Can be told that it must use a tool, or which.
    pub forced_tool_use: Option<bool>,
    /// Takes temperature, top-p, top-k and penalties.
    pub sampling: Option<bool>,
    /// Takes them while it thinks, too; where not, only with [`Effort::None`](crate::chat::Effort::None).
    pub sampling_with_reasoning: Option<bool>,
    /// Takes a conversation that ends with the beginning of its own answer.
    pub prefill: Option<bool>,
    /// Takes messages from the operator in the middle of a conversation.
    pub mid_system: Option<bool>,
    /// Takes functions while it thinks, in Chat Completions; other dialects are not meant.
    pub tools_with_reasoning: Option<bool>,
    /// The words it takes for how much to think.
    pub efforts: Option<Efforts>,
    /// The most it reads, in tokens; for some models what it writes is counted in.
    pub context_window: Option<u64>,
    /// The most it writes, in tokens, thoughts included.
    pub max_output: Option<u64>,
}

impl ModelTraits {
    /// What is unknown here, taken from `other`.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            tools: self.tools.or(other.tools),
            vision: self.vision.or(other.vision),
            structured_output: self.structured_output.or(other.structured_output),
            reasoning: self.reasoning.or(other.reasoning),
            adaptive_thinking: self.adaptive_thinking.or(other.adaptive_thinking),
            budget_thinking: self.budget_thinking.or(other.budget_thinking),
            thinking_always_on: self.thinking_always_on.or(other.thinking_always_on),
            forced_tool_use: self.forced_tool_use.or(other.forced_tool_use),
            sampling: self.sampling.or(other.sampling),
            sampling_with_reasoning: self.sampling_with_reasoning.or(other.sampling_with_reasoning),
            prefill: self.prefill.or(other.prefill),
            mid_system: self.mid_system.or(other.mid_system),
            tools_with_reasoning: self.tools_with_reasoning.or(other.tools_with_reasoning),
            efforts: self.efforts.or(other.efforts),
            context_window: self.context_window.or(other.context_window),
            max_output: self.max_output.or(other.max_output),
        }
    }
}

/// Where an endpoint looks up its models' traits: a function of the provider's id and of the model's. The default
/// knows none.
#[derive(Clone, Copy)]
pub struct TraitsOf(pub fn(provider: &str, model: &str) -> ModelTraits);

impl Default for TraitsOf {
    fn default() -> Self {
        Self(|_, _| ModelTraits::default())
    }
}

impl std::fmt::Debug for TraitsOf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TraitsOf(..)")
    }
}

/// Equal where both are the same function. The compiler may give one function two addresses, so that equal ones may
/// be told to differ.
impl PartialEq for TraitsOf {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.0, other.0)
    }
}

impl Eq for TraitsOf {}
