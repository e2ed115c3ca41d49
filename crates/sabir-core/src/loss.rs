//! What a translation could not carry: said, never dropped in silence.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::chat::open_words;

open_words! {
    /// A thing that a dialect, a provider or a model may or may not be able to do or carry. The same words name
    /// capabilities and losses.
    pub enum Feature {
        /// Functions the model may call.
        Tools = "tools",
        /// Whether calls may come in parallel can be said.
        ParallelTools = "parallel_tools",
        /// Which tool to use can be said.
        ToolChoice = "tool_choice",
        /// Arguments held to the schema.
        StrictTools = "strict_tools",
        /// Tools that the provider runs itself, and what they gave.
        ServerTools = "server_tools",
        /// The failure of a tool can be told.
        ToolErrors = "tool_errors",
        /// Images in the conversation.
        Images = "images",
        /// Sound in the conversation.
        Audio = "audio",
        /// Moving pictures in the conversation.
        Video = "video",
        /// Files in the conversation.
        Documents = "documents",
        /// Media by the id of an uploaded file.
        FileIds = "file_ids",
        /// Media by address.
        MediaUrls = "media_urls",
        /// An answer in JSON.
        JsonOutput = "json_output",
        /// An answer by a JSON Schema.
        JsonSchema = "json_schema",
        /// Thoughts in the open.
        Reasoning = "reasoning",
        /// How much to think can be said.
        ReasoningEffort = "reasoning_effort",
        /// How much to think can be said in tokens.
        ReasoningBudget = "reasoning_budget",
        /// Signatures of thoughts, and sealed thoughts.
        Signatures = "signatures",
        /// Sources of a text.
        Citations = "citations",
        /// Refusals told apart from text.
        Refusals = "refusals",
        /// Marks for the provider's prompt cache.
        CacheMarks = "cache_marks",
        /// A key for the provider's prompt cache.
        CacheKey = "cache_key",
        /// Messages from the operator.
        SystemPrompt = "system_prompt",
        /// Messages from the operator in the middle of a conversation.
        SystemMidway = "system_midway",
        /// Names of speakers.
        Names = "names",
        /// Limit of the output.
        MaxTokens = "max_tokens",
        /// Randomness.
        Temperature = "temperature",
        /// Nucleus sampling.
        TopP = "top_p",
        /// Sampling from the k likeliest tokens.
        TopK = "top_k",
        /// Stop sequences.
        Stop = "stop",
        /// A seed.
        Seed = "seed",
        /// Presence penalty.
        PresencePenalty = "presence_penalty",
        /// Frequency penalty.
        FrequencyPenalty = "frequency_penalty",
        /// The end user's id.
        User = "user",
        /// Labels stored with the request.
        Metadata = "metadata",
        /// An option of one dialect's own.
        Options = "options",
        /// A part or tool of one dialect's own.
        Opaque = "opaque",
        /// What one dialect alone says of a message, a part, a tool or an answer.
        Meta = "meta",
        /// The order of the parts of an answer.
        Order = "order",
        /// More than one answer to a request.
        Choices = "choices",
        /// Streaming.
        Streaming = "streaming",
        /// A counter of the usage.
        Usage = "usage",
        /// What vectors are for can be said.
        EmbedPurpose = "embed_purpose",
        /// The length of vectors can be said.
        Dimensions = "dimensions",
        /// What is known of a model.
        ModelFacts = "model_facts",
    }
}

/// One thing that the target dialect could not carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// What could not be carried.
    pub feature: Feature,
    /// Where it stood, as a path in the vocabulary: `messages[2].parts[0]`, `top_k`.
    pub path: String,
    /// What became of it, in a few words.
    pub note: String,
}

impl Loss {
    /// A loss.
    pub fn new(feature: Feature, path: impl Into<String>, note: impl Into<String>) -> Self {
        Self { feature, path: path.into(), note: note.into() }
    }
}

/// `top_k at top_k: not in this dialect`.
impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}: {}", self.feature, self.path, self.note)
    }
}
