/// Whose tokens are counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ModelId {
    /// The provider's id, as in `providers.toml` (`openai`, `bedrock`); empty where it is not known.
    pub provider: String,
    /// The provider's own name for the model.
    pub model: String,
    /// Whether the request goes to OpenAI's Responses API, which frames some models otherwise than Chat Completions.
    pub responses: bool,
}

impl ModelId {
    /// A model of a provider.
    pub fn new(provider: impl Into<String>, model: impl Into<String>) -> Self {
        Self { provider: provider.into(), model: model.into(), responses: false }
    }

    /// The request goes to the Responses API.
    #[must_use]
    pub fn responses(mut self) -> Self {
        self.responses = true;
        self
    }

    /// The model as one word, `provider/model`: the provider is the part before the first slash.
    pub fn parse(name: &str) -> Self {
        let (provider, model) = name.split_once('/').unwrap_or(("", name));
        Self::new(provider, model)
    }
}
