//! The formats as data.

use sabir_core::Feature;
use sabir_core::exchange::Counting;

use super::wrap::Wrapping;
use super::{Counter, Lost};

pub(super) static ALL: &[&Counting] = &[
    #[cfg(feature = "openai-responses")]
    &OPENAI,
    #[cfg(feature = "anthropic")]
    &ANTHROPIC,
    #[cfg(feature = "gemini")]
    &GEMINI,
    #[cfg(feature = "gemini")]
    &VERTEX,
    #[cfg(feature = "bedrock")]
    &BEDROCK,
];

/// An option that has a bearing on the input.
const fn option(field: &'static str) -> Lost {
    Lost { field, within: None, feature: Feature::Options, path: None }
}

/// OpenAI's, `POST {base}/responses/input_tokens`; exact, tools and images included.
#[cfg(feature = "openai-responses")]
static OPENAI: Counter = Counter {
    name: "openai-count",
    dialect: &crate::openai_responses::OpenAiResponses,
    paths: &["/v1/responses/input_tokens", "/responses/input_tokens"],
    ends: ("/responses", "/responses/input_tokens"),
    idle: &[
        "background", "include", "max_output_tokens", "max_tool_calls", "metadata", "moderation", "prompt_cache_key",
        "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "service_tier", "store", "stream",
        "stream_options", "temperature", "top_logprobs", "top_p", "user",
    ],
    lost: &[option("prompt"), option("context_management")],
    wrapping: Wrapping::Bare,
    mark: Some(("object", "response.input_tokens")),
    total: "input_tokens",
    cached: None,
    estimates: false,
};

/// Anthropic's, `POST /v1/messages/count_tokens`. Its page ("Token counting") calls the count an estimate, from which
/// what is used "may differ by a small amount".
#[cfg(feature = "anthropic")]
static ANTHROPIC: Counter = Counter {
    name: "anthropic-count",
    dialect: &crate::anthropic::AnthropicMessages,
    paths: &["/v1/messages/count_tokens", "/messages/count_tokens"],
    ends: ("/messages", "/messages/count_tokens"),
    idle: &[
        "diagnostics", "inference_geo", "max_tokens", "metadata", "service_tier", "stop_sequences", "stream",
        "temperature", "top_k", "top_p",
    ],
    lost: &[option("container")],
    wrapping: Wrapping::Bare,
    mark: None,
    total: "input_tokens",
    cached: None,
    estimates: true,
};

/// Gemini's, `POST /v1beta/models/MODEL:countTokens`. The whole request is sent: bare `contents` would leave out
/// instructions and tools.
#[cfg(feature = "gemini")]
static GEMINI: Counter = Counter {
    name: "gemini-count",
    dialect: &crate::gemini::Gemini,
    paths: &[":countTokens"],
    ends: (":generateContent", ":countTokens"),
    idle: &[],
    lost: &[],
    wrapping: Wrapping::GenerateContent,
    mark: None,
    total: "totalTokens",
    cached: Some("cachedContentTokenCount"),
    estimates: false,
};

/// Vertex AI's: at Gemini's path, and with the conversation's own fields as its body. Servers find `gemini-count` at
/// that path, which reads these bodies too.
#[cfg(feature = "gemini")]
static VERTEX: Counter = Counter {
    name: "vertex-count",
    paths: &[],
    idle: &[
        "continuationToken", "labels", "modelArmorConfig", "outputConfig", "safetySettings", "serviceTier", "store",
    ],
    lost: &[
        option("cachedContent"),
        Lost { field: "toolConfig", within: None, feature: Feature::ToolChoice, path: Some("tool_choice") },
    ],
    wrapping: Wrapping::Bare,
    cached: None,
    ..GEMINI
};

/// Bedrock's, `POST /model/ID/count-tokens`.
#[cfg(feature = "bedrock")]
static BEDROCK: Counter = Counter {
    name: "bedrock-count",
    dialect: &crate::bedrock::Bedrock,
    paths: &["/count-tokens"],
    ends: ("/converse", "/count-tokens"),
    idle: &[
        "additionalModelResponseFieldPaths",
        "guardrailConfig",
        "inferenceConfig",
        "performanceConfig",
        "requestMetadata",
        "serviceTier",
    ],
    lost: &[
        option("promptVariables"),
        Lost {
            field: "outputConfig",
            within: Some("textFormat"),
            feature: Feature::JsonSchema,
            path: Some("response_format"),
        },
    ],
    wrapping: Wrapping::Converse,
    mark: None,
    total: "inputTokens",
    cached: None,
    estimates: false,
};
