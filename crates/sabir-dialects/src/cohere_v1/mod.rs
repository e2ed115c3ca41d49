//! `cohere-v1-chat`: Cohere's first chat, `POST {base}/v1/chat`. A base URL that ends in `/v1` or `/v2` is taken
//! without it.
//!
//! The conversation is in three places: `preamble` (the first message, where it is the operator's), `chat_history`,
//! and `message` or `tool_results` for what comes last. Calls have no ids: those that we make are `call_{n}_{name}`,
//! with `made_id` in the part's `form`; a result finds its call by name, arguments and order. A result to which no
//! call stands in the conversation brings the call along; the model's message that is made of it is marked `implied`.
//!
//! Options, under the dialect's name: any field of the request's top level (`connectors`, `documents`,
//! `prompt_truncation`, `citation_quality`, `force_single_step`, `raw_prompting` …).
//!
//! Metadata under its name. On answers: `response_id`, `documents`, `search_results`, `search_queries`, and of `meta`
//! what is not counted in tokens (`billed_units`, `api_version`, `warnings`); the repeated `chat_history` is not kept.
//! In the `form` of messages: `in_history`, for an operator's message that does not stand in the preamble. On tools:
//! `parameter_definitions`, where a JSON Schema cannot say the same.

mod accept;
mod request;
mod response;
mod stream;
mod tools;
mod wire;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use sabir_core::chat::{ChatRequest, ChatResponse};
use sabir_core::dialect::{Answer, Asked, Decoder, Encoded, Encoder, Responded};
use sabir_core::frame::Framing;
use sabir_core::{Abilities, Feature, Features, Quirks};
use sabir_core::{Dialect, Endpoint, Error, Result};

/// The dialect's name, and the namespace of its options and metadata.
const NAME: &str = "cohere-v1-chat";

/// Cohere's chat, version 1.
#[derive(Clone, Copy, Debug, Default)]
pub struct CohereV1;

/// What a request cannot carry here.
const LOST: &[Feature] = &[
    Feature::ParallelTools,
    Feature::ToolChoice,
    Feature::StrictTools,
    Feature::ToolErrors,
    Feature::Images,
    Feature::Audio,
    Feature::Video,
    Feature::Documents,
    Feature::MediaUrls,
    Feature::Reasoning,
    Feature::ReasoningEffort,
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

impl Dialect for CohereV1 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn abilities(&self, _: &Quirks) -> Abilities {
        Abilities { features: Features::OF_REQUESTS.without(LOST), free_arguments: false, ..crate::cohere::abilities() }
    }

    fn paths(&self) -> &'static [&'static str] {
        &["/v1/chat"]
    }

    fn encode(&self, request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
        request::encode(request, endpoint)
    }

    fn decode(&self, answer: Answer<'_>) -> Result<ChatResponse> {
        response::decode(answer)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(stream::LineDecoder::default())
    }

    /// Lines of JSON (`application/stream+json`), or server-sent events where the client asked for them.
    fn framing(&self, headers: &HeaderMap) -> Option<Framing> {
        let kind = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        match kind {
            _ if kind.starts_with("application/json") || kind.starts_with("text/html") => None,
            _ if kind.starts_with("text/event-stream") => Some(Framing::Sse),
            _ => Some(Framing::Ndjson),
        }
    }

    fn accept(&self, asked: Asked<'_>) -> Result<ChatRequest> {
        accept::accept(asked.body)
    }

    fn respond(&self, response: &ChatResponse, _: &ChatRequest) -> Responded {
        response::respond(response)
    }

    fn encoder(&self, _: &ChatRequest) -> Box<dyn Encoder> {
        Box::new(stream::LineEncoder::default())
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        crate::cohere::refuse(error)
    }
}
