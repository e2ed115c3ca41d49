use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CacheMark, Message, Meta, Role, Tool, ToolChoice, open_words};

/// What is asked of a model.
///
/// ```
/// use sabir_core::chat::ChatRequest;
/// let request = ChatRequest::new("openai/gpt-6-luna").system("Be brief.").user("Why is the sea salt?").max_tokens(200);
/// assert_eq!(request.messages.len(), 2);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ChatRequest {
    /// The model: `provider/model`, or the provider's own name for it where the provider is settled.
    pub model: String,
    /// The conversation, oldest first.
    pub messages: Vec<Message>,
    /// Tools that the model may use.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool>,
    /// How it may use them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may ask for several calls at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallel_tool_calls: Option<bool>,
    /// The most it may write, in tokens, reasoning included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<u64>,
    /// Randomness, 0 to 2 (to 1 for some providers).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Sample only from the k likeliest tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u64>,
    /// Texts at which to stop.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop: Vec<String>,
    /// Seed for repeatable sampling, where the provider honours one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// Penalty for tokens that appeared at all, −2 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f64>,
    /// Penalty for tokens by how often they appeared, −2 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f64>,
    /// What form the answer must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_format: Option<ResponseFormat>,
    /// How much to think first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<ReasoningRequest>,
    /// Lets the provider place a cache mark by itself; marks on parts are set there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<CacheMark>,
    /// Groups requests that share a prefix, for the provider's cache routing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_key: Option<String>,
    /// The end user, for the provider's abuse detection: an opaque id, never a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Labels to be stored with the request, where the provider stores any.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// What one dialect alone has, under its name: sent as it is to that dialect, a stated loss to any other.
    #[serde(skip_serializing_if = "Meta::is_empty")]
    pub options: Meta,
    /// Whether the answer is to come as a stream.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stream: bool,
    /// Whether something that cannot be carried is an error, before anything is sent, and not a loss.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub strict: bool,
}

/// What form an answer must have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[non_exhaustive]
pub enum ResponseFormat {
    /// Text, the default.
    Text,
    /// Some JSON object.
    Json,
    /// JSON by a schema.
    JsonSchema {
        /// Name of the schema, for the model; empty for none.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        name: String,
        /// The JSON Schema.
        schema: Value,
        /// What the answer is, for the model.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        description: Option<String>,
        /// Whether the answer must follow the schema to the letter.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        strict: Option<bool>,
    },
}

/// How much a model is to think before it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReasoningRequest {
    /// In words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<Effort>,
    /// In tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<u64>,
    /// On or off, where a provider knows no more; `Some(true)` lets the model decide how much.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

open_words! {
    /// How much to think, in words. Which words a model takes differs by model.
    pub enum Effort {
        /// Not at all.
        None = "none",
        /// As little as possible.
        Minimal = "minimal",
        /// Little.
        Low = "low",
        /// The usual.
        Medium = "medium",
        /// Much.
        High = "high",
        /// Very much.
        XHigh = "xhigh",
        /// As much as the model can.
        Max = "max",
    }
}

impl ChatRequest {
    /// A request to a model, still without messages.
    pub fn new(model: impl Into<String>) -> Self {
        Self { model: model.into(), ..Self::default() }
    }

    /// Adds a message.
    #[must_use]
    pub fn message(mut self, message: impl Into<Message>) -> Self {
        self.messages.push(message.into());
        self
    }

    /// Adds a message from the operator.
    #[must_use]
    pub fn system(self, text: impl Into<String>) -> Self {
        self.message(Message::system(text))
    }

    /// Adds a message from the person.
    #[must_use]
    pub fn user(self, text: impl Into<String>) -> Self {
        self.message(Message::user(text))
    }

    /// Adds a message from the model.
    #[must_use]
    pub fn assistant(self, text: impl Into<String>) -> Self {
        self.message(Message::assistant(text))
    }

    /// Adds a tool.
    #[must_use]
    pub fn tool(mut self, tool: Tool) -> Self {
        self.tools.push(tool);
        self
    }

    /// Sets how the tools may be used.
    #[must_use]
    pub fn tool_choice(mut self, choice: ToolChoice) -> Self {
        self.tool_choice = Some(choice);
        self
    }

    /// Sets the most the model may write, in tokens.
    #[must_use]
    pub fn max_tokens(mut self, tokens: u64) -> Self {
        self.max_tokens = Some(tokens);
        self
    }

    /// Sets the randomness.
    #[must_use]
    pub fn temperature(mut self, temperature: f64) -> Self {
        self.temperature = Some(temperature);
        self
    }

    /// Sets the form of the answer.
    #[must_use]
    pub fn response_format(mut self, format: ResponseFormat) -> Self {
        self.response_format = Some(format);
        self
    }

    /// Sets how much to think, in words.
    #[must_use]
    pub fn effort(mut self, effort: Effort) -> Self {
        self.reasoning.get_or_insert_default().effort = Some(effort);
        self
    }

    /// Sets an option that one dialect alone has.
    #[must_use]
    pub fn option(mut self, dialect: &str, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.options.set(dialect, name, value.into());
        self
    }

    /// Makes a loss an error.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.strict = true;
        self
    }

    /// Whether another request says the same, to whatever model.
    pub fn is_but_for_the_model(&self, other: &Self) -> bool {
        let Self {
            model: _,
            messages,
            tools,
            tool_choice,
            parallel_tool_calls,
            max_tokens,
            temperature,
            top_p,
            top_k,
            stop,
            seed,
            presence_penalty,
            frequency_penalty,
            response_format,
            reasoning,
            cache,
            cache_key,
            user,
            metadata,
            options,
            stream,
            strict,
        } = self;
        let settings = (parallel_tool_calls, max_tokens, temperature, top_p, top_k, seed);
        *stream == other.stream
            && *strict == other.strict
            && settings
                == (
                    &other.parallel_tool_calls, &other.max_tokens, &other.temperature, &other.top_p, &other.top_k,
                    &other.seed,
                )
            && (presence_penalty, frequency_penalty) == (&other.presence_penalty, &other.frequency_penalty)
            && (stop, reasoning, cache, cache_key) == (&other.stop, &other.reasoning, &other.cache, &other.cache_key)
            && (tool_choice, response_format) == (&other.tool_choice, &other.response_format)
            && (user, metadata, options) == (&other.user, &other.metadata, &other.options)
            && *messages == other.messages
            && *tools == other.tools
    }

    /// The operator's leading messages, and the conversation after them: for dialects that keep the two apart.
    pub fn split_system(&self) -> (&[Message], &[Message]) {
        let lead = self.messages.iter().take_while(|m| matches!(m.role, Role::System | Role::Developer)).count();
        self.messages.split_at(lead)
    }
}

/// One message of the person's, to whatever model the client is set to.
impl From<&str> for ChatRequest {
    fn from(text: &str) -> Self {
        Self::default().user(text)
    }
}

/// One message of the person's, to whatever model the client is set to.
impl From<String> for ChatRequest {
    fn from(text: String) -> Self {
        Self::default().user(text)
    }
}

/// A conversation, to whatever model the client is set to.
impl From<Vec<Message>> for ChatRequest {
    fn from(messages: Vec<Message>) -> Self {
        Self { messages, ..Self::default() }
    }
}
