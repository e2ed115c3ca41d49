//! `ollama-chat` (`POST {base}/api/chat`) and `ollama-generate` (`POST {base}/api/generate`): Ollama's own API. A base
//! URL that ends in `/api`, or in the `/v1` of its OpenAI-compatible API, is taken without that.
//!
//! Both stream lines of JSON unless `stream` is `false`. Calls come whole, with their arguments as an object, and
//! often without an id: those that we make are `call_{n}_{name}`, with `made_id` in the part's `form`. A result
//! finds its call by `tool_call_id`, else by `tool_name`, else by order.
//!
//! `generate` has one prompt. A single message of the user's (after one of the operator's, which is `system`) goes as
//! it is; a conversation is written with each turn named (`User: …`, `Assistant: …`), which is stated as a loss.
//!
//! Options, under the dialect's name: any field of the request's top level (`keep_alive`, `truncate`, `raw`, `context`,
//! `template` …); `options`, an object, is merged into the model's options that Sabir writes (`num_ctx`, `min_p` …).
//!
//! Metadata of answers under the dialect's name: `created_at`, the timings in nanoseconds (`total_duration`,
//! `load_duration`, `prompt_eval_duration`, `eval_duration`), `context`, `logprobs`, `remote_model`, `remote_host`.

mod accept;
mod error;
mod prompt;
mod request;
mod response;
mod said;
mod stream;
mod wire;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use sabir_core::chat::{ChatRequest, ChatResponse};
use sabir_core::dialect::{Answer, Asked, Decoder, Encoder, Responded};
use sabir_core::frame::Framing;
use sabir_core::{Abilities, Feature, Features, Quirks};
use sabir_core::{Dialect, Error, Result};

/// Which of the two is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Api {
    Chat,
    Generate,
}

impl Api {
    /// The dialect's name, and the namespace of its options and metadata.
    fn name(self) -> &'static str {
        match self {
            Self::Chat => "ollama-chat",
            Self::Generate => "ollama-generate",
        }
    }

    fn abilities(self) -> Abilities {
        let features = Features::OF_REQUESTS.without(LOST);
        let features = match self {
            Self::Chat => features,
            Self::Generate => features.without(LOST_IN_A_PROMPT),
        };
        Abilities { features, free_arguments: false, ..Abilities::default() }
    }
}

/// What a request cannot carry here.
const LOST: &[Feature] = &[
    Feature::ParallelTools,
    Feature::ToolChoice,
    Feature::StrictTools,
    Feature::ToolErrors,
    Feature::Audio,
    Feature::Video,
    Feature::Documents,
    Feature::MediaUrls,
    Feature::ReasoningBudget,
    Feature::Signatures,
    Feature::Citations,
    Feature::Refusals,
    Feature::CacheMarks,
    Feature::CacheKey,
    Feature::Names,
    Feature::User,
    Feature::Metadata,
];
/// And what one prompt cannot.
const LOST_IN_A_PROMPT: &[Feature] = &[Feature::Tools, Feature::Reasoning, Feature::SystemMidway];

/// Ollama's chat.
#[derive(Clone, Copy, Debug, Default)]
pub struct OllamaChat;

/// Ollama's completion of one prompt.
#[derive(Clone, Copy, Debug, Default)]
pub struct OllamaGenerate;

/// Lines, unless the headers say that it is one JSON text or a page.
fn framing(headers: &HeaderMap) -> Option<Framing> {
    let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    (!kind.starts_with("application/json") && !kind.starts_with("text/html")).then_some(Framing::Ndjson)
}

macro_rules! speak {
    ($dialect:ident, $api:expr, $path:literal) => {
        impl Dialect for $dialect {
            fn name(&self) -> &'static str {
                $api.name()
            }

            fn abilities(&self, _: &Quirks) -> Abilities {
                $api.abilities()
            }

            fn paths(&self) -> &'static [&'static str] {
                &[$path]
            }

            crate::room::method!(encode, |request, endpoint| request::encode($api, request, endpoint));

            fn decode(&self, answer: Answer<'_>) -> Result<ChatResponse> {
                response::decode($api, self, answer)
            }

            fn decoder(&self) -> Box<dyn Decoder> {
                Box::new(stream::LineDecoder::new($api))
            }

            fn framing(&self, headers: &HeaderMap) -> Option<Framing> {
                framing(headers)
            }

            fn accept(&self, asked: Asked<'_>) -> Result<ChatRequest> {
                accept::accept($api, asked.body)
            }

            fn respond(&self, response: &ChatResponse, _: &ChatRequest) -> Responded {
                response::respond($api, response)
            }

            fn encoder(&self, _: &ChatRequest) -> Box<dyn Encoder> {
                Box::new(stream::LineEncoder::new($api))
            }

            fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
                error::refuse(error)
            }
        }
    };
}

speak!(OllamaChat, Api::Chat, "/api/chat");
speak!(OllamaGenerate, Api::Generate, "/api/generate");
