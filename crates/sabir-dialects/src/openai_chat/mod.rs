//! `openai-chat`: OpenAI Chat Completions (`POST {base}/chat/completions`), and everything that is compatible with it.
//!
//! What it says is read by rules that hold for all who speak it, never by who speaks: fields of any name that was
//! met for one thing (`reasoning`, `reasoning_content`, `reasoning_details`), null or missing where OpenAI has a
//! value, usage in any chunk. Where the speakers want different requests, a row's quirks say so:
//!
//! | quirk | value | meaning |
//! |---|---|---|
//! | `max_tokens_field` | `max_tokens` (default), `max_completion_tokens` | the field that limits the answer |
//! | `stream_options` | `false` | the field is refused; usage comes in the stream unasked |
//! | `system_role` | `system` (default), `developer` | with `developer` that role is known and kept; elsewhere such a message goes as `system` |
//! | `reasoning_request` | `effort` (default) | `reasoning_effort` |
//! | | `thinking` | `thinking: {type}`, and `reasoning_effort` for the depth |
//! | | `enable_thinking` | `enable_thinking` and `thinking_budget` |
//! | | `openrouter` | `reasoning: {effort, max_tokens, enabled}` |
//! | | `none` | it cannot be asked for |
//! | `reasoning_echo` | `none` (default) | the reasoning of earlier turns is not sent back |
//! | | `reasoning_content`, `reasoning` | its text goes back in this field |
//! | | `reasoning_details` | it goes back as it came, signatures included |
//! | | `thinking` | its text goes back as a `thinking` part of the content |
//! | `strict_tools` | `false` | `strict` in a tool's definition is not known |
//! | `json_schema` | `false` | `response_format` knows `json_object` only |
//! | `seed_field` | `seed` (default), `random_seed` | the field of the seed |
//! | `forced_tool` | `required` (default), `any` | the word for "some tool must be called" |
//! | `cache_control` | `anthropic-style` | marks for the prompt cache are taken on parts and tools |
//! | `cache_key` | `false` | `prompt_cache_key` is not known |
//! | `top_k` | `true` | `top_k` is known |
//! | `user_field` | `user` (default), `safety_identifier`, `none` | the field of the end user's id |
//! | `tool_parameters` | `required` | a function without parameters has an empty schema of them |
//! | `allowed_tools` | `false` | the choice is not known; only those tools are sent |
//! | `document_part` | `file` (default), `document_url` | the part that a document is |
//! | `take_turns` | `true` | user and assistant must take turns |
//!
//! Metadata kept under this dialect's name. On parts: `detail` (images), `reasoning_details` (as it came), `type`
//! (`custom` calls), `id` and `transcript` (audio), `message` (fields of the message that the part stands for), and
//! any field that a client put beside the known ones. On messages: fields that have no word in the vocabulary. On
//! answers: `created`, `system_fingerprint`, `service_tier`, `citations`, `search_results`, `logprobs`.

mod accept;
mod part;
mod request;
mod response;
mod stream;
mod tell;
mod wire;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_core::chat::{ChatRequest, ChatResponse};
use sabir_core::dialect::{Answer, Asked, Decoder, Dialect, Encoder, Responded, sse_unless_whole};
use sabir_core::frame::Framing;
use sabir_core::{Abilities, Error, Feature, Features, Quirks, Result};

pub(crate) use self::request::head;
use self::tell::Messages;
use crate::openai_answer::{self, Reader};

/// The dialect's name, and the namespace of its options and metadata.
pub const NAME: &str = "openai-chat";

/// OpenAI Chat Completions, as client and as server.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiChat;

/// What a request cannot carry at OpenAI itself.
const LOST: &[Feature] = &[
    Feature::ToolErrors,
    Feature::Reasoning,
    Feature::ReasoningBudget,
    Feature::Signatures,
    Feature::Citations,
    Feature::CacheMarks,
    Feature::TopK,
];

/// The quirks on which it depends whether a feature can be carried.
const QUIRKS: &[(&str, Feature)] = &[
    ("top_k", Feature::TopK),
    ("cache_control", Feature::CacheMarks),
    ("reasoning_echo", Feature::Reasoning),
    ("json_schema", Feature::JsonSchema),
    ("cache_key", Feature::CacheKey),
    ("strict_tools", Feature::StrictTools),
];

impl Dialect for OpenAiChat {
    fn name(&self) -> &'static str {
        NAME
    }

    fn abilities(&self, quirks: &Quirks) -> Abilities {
        let mut features = Features::OF_REQUESTS.without(LOST);
        for (quirk, feature) in QUIRKS {
            match quirks.get(quirk) {
                Some("false") => features = features.without(std::slice::from_ref(feature)),
                Some("none") | None => {}
                Some(_) => features = features.with(std::slice::from_ref(feature)),
            }
        }
        let turns = quirks.get("take_turns") == Some("true");
        Abilities { features, turns, schema: crate::openai::STRICT, ..Abilities::default() }
    }

    fn paths(&self) -> &'static [&'static str] {
        &["/v1/chat/completions", "/chat/completions"]
    }

    fn quirks(&self) -> &'static [&'static str] {
        &[
            "max_tokens_field", "stream_options", "system_role", "reasoning_request", "reasoning_echo", "strict_tools",
            "json_schema", "seed_field", "forced_tool", "cache_control", "cache_key", "top_k", "user_field",
            "tool_parameters", "allowed_tools", "document_part", "take_turns",
        ]
    }

    crate::room::method!(encode, request::encode);

    fn decode(&self, answer: Answer<'_>) -> Result<ChatResponse> {
        openai_answer::decode::<Messages>(self, answer)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(Reader::<Messages>::new(false))
    }

    fn framing(&self, headers: &HeaderMap) -> Option<Framing> {
        sse_unless_whole(headers)
    }

    fn accept(&self, asked: Asked<'_>) -> Result<ChatRequest> {
        accept::accept(asked)
    }

    fn respond(&self, response: &ChatResponse, request: &ChatRequest) -> Responded {
        response::respond(response, request)
    }

    fn encoder(&self, request: &ChatRequest) -> Box<dyn Encoder> {
        Box::new(stream::ChunkEncoder::new(request))
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        crate::openai_error::refuse(error)
    }
}
