//! `openai-completions`: OpenAI's legacy Completions (`POST {base}/completions`), which vLLM, llama.cpp, Together and
//! others still serve: one prompt in, its continuation out.
//!
//! The prompt is the one message of the request: a user's, of text alone. A conversation has no form here, and is
//! refused: how it is to be written out is known to the model's chat template only. A prompt of token numbers is an
//! opaque part; of several prompts the first is the message, and all are the option `prompt`. Of several answers the
//! first is kept, and the loss is stated.
//!
//! Options under this dialect's name: `suffix`, `echo`, `logprobs`, `best_of`, `n`, `logit_bias` … Metadata of answers:
//! `logprobs`, `created`, `system_fingerprint`, `service_tier`.
//!
//! | quirk | value | meaning |
//! |---|---|---|
//! | `stream_options` | `false` | the field is refused; usage comes in the stream unasked, or not at all |
//! | `top_k` | `true` | `top_k` is known |

mod accept;

mod request;
mod response;
mod stream;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_core::chat::{ChatRequest, ChatResponse};
use sabir_core::dialect::{Answer, Asked, Decoder, Dialect, Encoded, Encoder, Responded, sse_unless_whole};
use sabir_core::frame::Framing;
use sabir_core::{Abilities, Feature, Features, Quirks};
use sabir_core::{Endpoint, Error, Result};

use self::response::Texts;
use crate::openai_answer::{self, Reader};

/// The dialect's name, and the namespace of its options and metadata.
pub const NAME: &str = "openai-completions";

/// OpenAI's legacy Completions, as client and as server.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiCompletions;

/// What a request cannot carry here.
const LOST: &[Feature] = &[
    Feature::Tools,
    Feature::ParallelTools,
    Feature::ToolChoice,
    Feature::StrictTools,
    Feature::ToolErrors,
    Feature::Images,
    Feature::Audio,
    Feature::Video,
    Feature::Documents,
    Feature::MediaUrls,
    Feature::JsonOutput,
    Feature::JsonSchema,
    Feature::Reasoning,
    Feature::ReasoningEffort,
    Feature::ReasoningBudget,
    Feature::Signatures,
    Feature::Citations,
    Feature::Refusals,
    Feature::CacheMarks,
    Feature::CacheKey,
    Feature::SystemPrompt,
    Feature::SystemMidway,
    Feature::Names,
    Feature::TopK,
    Feature::Metadata,
];

impl Dialect for OpenAiCompletions {
    fn name(&self) -> &'static str {
        NAME
    }

    fn abilities(&self, _: &Quirks) -> Abilities {
        Abilities { features: Features::OF_REQUESTS.without(LOST), ..Abilities::default() }
    }

    fn paths(&self) -> &'static [&'static str] {
        &["/v1/completions", "/completions"]
    }

    fn quirks(&self) -> &'static [&'static str] {
        &["stream_options", "top_k"]
    }

    fn encode(&self, request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
        request::encode(request, endpoint)
    }

    fn decode(&self, answer: Answer<'_>) -> Result<ChatResponse> {
        openai_answer::decode::<Texts>(self, answer)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(Reader::<Texts>::new(false))
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
