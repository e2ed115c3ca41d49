//! The dialects of [Sabir](https://docs.rs/sabir): one room a wire format, both ways, and the tables of
//! providers and of models.
//!
//! Every room has the same shape: `wire` (the format's own types), `request` (encode and accept), `response`
//! (decode and respond), `stream` (decoder and encoder), `error`. No room knows another, a socket or a clock.

#[cfg(feature = "anthropic")]
pub mod anthropic;
pub mod auth;
#[cfg(feature = "batches")]
pub mod batches;
#[cfg(feature = "bedrock")]
pub mod bedrock;
#[cfg(any(feature = "anthropic", feature = "bedrock"))]
#[allow(dead_code, reason = "each room uses some of it")]
mod blocks;
#[cfg(any(feature = "anthropic", feature = "bedrock", feature = "gemini", feature = "openai-responses"))]
mod bounds;
pub mod catalog;
#[cfg(any(feature = "cohere-v1", feature = "cohere-v2"))]
mod cohere;
#[cfg(feature = "cohere-v1")]
pub mod cohere_v1;
#[cfg(feature = "cohere-v2")]
pub mod cohere_v2;
#[cfg(feature = "count")]
pub mod count;
#[cfg(feature = "embeddings")]
pub mod embeddings;
#[cfg(any(feature = "batches", feature = "count", feature = "embeddings", feature = "models", feature = "rerank"))]
mod exchange;
#[cfg(feature = "bedrock")]
mod formats;
#[cfg(feature = "openai-chat")]
mod fragments;
#[cfg(feature = "gemini")]
pub mod gemini;
#[cfg(feature = "gemini")]
mod google_error;
#[cfg(any(feature = "embeddings", feature = "gemini", feature = "models"))]
#[allow(dead_code, reason = "each room uses some of it")]
mod google_model;
#[cfg(feature = "gemini")]
mod google_thinking;
#[cfg(feature = "gemini")]
mod grounding;
#[cfg(feature = "huggingface")]
pub mod huggingface;
#[allow(dead_code, reason = "each room uses some of it")]
mod json;
#[cfg(feature = "gemini")]
mod json_path;
#[allow(dead_code, reason = "each room uses some of it")]
mod lenient;
#[cfg(any(feature = "cohere-v1", feature = "ollama"))]
mod lines;
#[allow(dead_code, reason = "each room uses some of it")]
mod mime;
#[cfg(feature = "models")]
pub mod models;
#[cfg(feature = "ollama")]
pub mod ollama;
#[cfg(any(feature = "openai-chat", feature = "openai-completions", feature = "openai-responses"))]
#[allow(dead_code, reason = "each room uses some of it")]
mod openai;
#[cfg(any(feature = "openai-chat", feature = "openai-completions"))]
mod openai_answer;
#[cfg(feature = "openai-chat")]
pub mod openai_chat;
#[cfg(feature = "openai-completions")]
pub mod openai_completions;
#[cfg(any(feature = "openai-chat", feature = "openai-responses"))]
#[allow(dead_code, reason = "each room uses some of it")]
mod openai_content;
#[cfg(any(feature = "openai-chat", feature = "openai-completions", feature = "openai-responses"))]
#[allow(dead_code, reason = "each room uses some of it")]
mod openai_error;
#[cfg(any(feature = "openai-chat", feature = "openai-responses"))]
#[allow(dead_code, reason = "each room uses some of it")]
mod openai_reasoning;
#[cfg(feature = "openai-responses")]
pub mod openai_responses;
#[cfg(any(feature = "openai-chat", feature = "openai-responses"))]
#[allow(dead_code, reason = "each room uses some of it")]
mod openai_tools;
#[cfg(feature = "gemini")]
mod openapi_schema;
#[allow(dead_code, reason = "without dialects nobody passes")]
mod passing;
mod paths;
#[allow(dead_code, reason = "each room uses some of it")]
mod percent;
#[cfg(any(
    feature = "anthropic",
    feature = "bedrock",
    feature = "cohere-v2",
    feature = "gemini",
    feature = "ollama",
    feature = "openai-chat"
))]
#[allow(dead_code, reason = "each room uses some of it")]
mod places;
#[cfg(feature = "gemini")]
mod proto_json;
pub mod providers;
#[cfg(any(feature = "openai-chat", feature = "openai-responses"))]
#[allow(dead_code, reason = "each room uses some of it")]
mod reasoning_details;
#[cfg(feature = "rerank")]
pub mod rerank;
#[allow(unused_macros, unused_imports, reason = "each room uses some of it")]
mod room;
#[allow(dead_code, reason = "each room uses some of it")]
mod shared;
#[cfg(any(feature = "openai-chat", feature = "openai-completions"))]
mod shortcut;
#[cfg(any(feature = "ollama", feature = "openai-chat"))]
#[allow(dead_code, reason = "each room uses some of it")]
mod telling;
#[cfg(any(feature = "cohere-v1", feature = "huggingface", feature = "ollama", feature = "openai-chat"))]
#[allow(dead_code, reason = "each room uses some of it")]
mod texts;

pub use self::paths::{paths, presumed, spoken};
use sabir_core::Dialect;
use sabir_core::exchange::{Counting, Embedding, Listing, Reranking};

/// All dialects of conversations that are built in, in the order in which they are documented.
pub fn dialects() -> &'static [&'static dyn Dialect] {
    &[
        #[cfg(feature = "openai-chat")]
        &openai_chat::OpenAiChat,
        #[cfg(feature = "openai-responses")]
        &openai_responses::OpenAiResponses,
        #[cfg(feature = "openai-completions")]
        &openai_completions::OpenAiCompletions,
        #[cfg(feature = "anthropic")]
        &anthropic::AnthropicMessages,
        #[cfg(feature = "gemini")]
        &gemini::Gemini,
        #[cfg(feature = "bedrock")]
        &bedrock::Bedrock,
        #[cfg(feature = "cohere-v2")]
        &cohere_v2::CohereV2,
        #[cfg(feature = "cohere-v1")]
        &cohere_v1::CohereV1,
        #[cfg(feature = "huggingface")]
        &huggingface::TextGeneration,
        #[cfg(feature = "ollama")]
        &ollama::OllamaChat,
        #[cfg(feature = "ollama")]
        &ollama::OllamaGenerate,
    ]
}

/// The dialect of this name.
pub fn dialect(name: &str) -> Option<&'static dyn Dialect> {
    dialects().iter().copied().find(|d| d.name() == name)
}

/// The formats for vectors.
pub fn embeddings() -> &'static [&'static Embedding] {
    #[cfg(feature = "embeddings")]
    return embeddings::all();
    #[cfg(not(feature = "embeddings"))]
    &[]
}

/// The formats for orders of documents.
pub fn rerankings() -> &'static [&'static Reranking] {
    #[cfg(feature = "rerank")]
    return rerank::all();
    #[cfg(not(feature = "rerank"))]
    &[]
}

/// The formats for lists of models.
pub fn listings() -> &'static [&'static Listing] {
    #[cfg(feature = "models")]
    return models::all();
    #[cfg(not(feature = "models"))]
    &[]
}

/// The formats for counts of tokens.
pub fn countings() -> &'static [&'static Counting] {
    #[cfg(feature = "count")]
    return count::all();
    #[cfg(not(feature = "count"))]
    &[]
}
