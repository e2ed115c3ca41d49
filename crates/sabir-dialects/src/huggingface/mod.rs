//! `huggingface-textgen`: text generation as Hugging Face has it (`inputs`, `parameters`), spoken by Text Generation
//! Inference, Inference Endpoints and the inference API.
//!
//! There is one prompt and no conversation. A single message of the user's goes as it is; anything else is written as
//!
//! ```text
//! System: Be brief.
//!
//! User: Why is the sea salt?
//!
//! Assistant:
//! ```
//!
//! which is stated as a loss; so is everything that is not text. The text of a streamed answer is that of its tokens,
//! without the special ones (`</s>`, `<|eot_id|>`); where the last event says another, that is stated as a loss.
//!
//! | quirk | value | meaning |
//! |---|---|---|
//! | `route` | `root` | the base URL is posted to as it is; a model goes in the body |
//! | | `models` | `{base}/models/{model}`, or `{base}/{model}` where the base URL ends in `/models` |
//! | | `generate` | `{base}/generate` and `{base}/generate_stream`; there is one model |
//! | `wait_for_model` | `true` | asks the service to wait until the model is loaded |
//!
//! Without a `route` it is `models` for a base URL that ends in `/models`, else `root`.
//!
//! Options, under the dialect's name: any field of the request's top level; `parameters`, an object, is merged into
//! the parameters that Sabir writes. `route` is set for clients that posted to `/generate`, as they are answered with
//! an object and not with a list; it is no field of the body.
//!
//! Metadata of answers under its name: `details` (tokens, prefill, seed …), and what else stands beside the text
//! (`warnings`, `conversation`).
//!
//! A model that is still loading is [`Overloaded`](sabir_core::ErrorKind::Overloaded), with its `estimated_time` as
//! the time to wait: a retry layer waits, a client without one fails. Or the service waits: the option
//! `wait_for_model: true` (or the quirk, for all requests; the option wins) sends `x-wait-for-model: true`, and the
//! answer comes when there is one.

mod accept;
mod error;
mod request;
mod response;
mod stream;
mod wire;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_core::chat::{ChatRequest, ChatResponse};
use sabir_core::dialect::{Answer, Asked, Decoder, Encoded, Encoder, Responded, sse_unless_whole};
use sabir_core::frame::Framing;
use sabir_core::{Abilities, Feature, Features, Quirks};
use sabir_core::{Dialect, Endpoint, Error, Result};

/// The dialect's name, and the namespace of its options and metadata.
const NAME: &str = "huggingface-textgen";

/// Text generation as Hugging Face has it.
#[derive(Clone, Copy, Debug, Default)]
pub struct TextGeneration;

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
    Feature::PresencePenalty,
    Feature::User,
    Feature::Metadata,
];

impl Dialect for TextGeneration {
    fn name(&self) -> &'static str {
        NAME
    }

    fn abilities(&self, _: &Quirks) -> Abilities {
        Abilities { features: Features::OF_REQUESTS.without(LOST), ..Abilities::default() }
    }

    fn paths(&self) -> &'static [&'static str] {
        &["/generate", "/generate_stream", "/"]
    }

    fn quirks(&self) -> &'static [&'static str] {
        &["route", "wait_for_model"]
    }

    fn encode(&self, request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
        request::encode(request, endpoint)
    }

    fn decode(&self, answer: Answer<'_>) -> Result<ChatResponse> {
        response::decode(answer)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(stream::TokenDecoder)
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

    fn encoder(&self, _: &ChatRequest) -> Box<dyn Encoder> {
        Box::new(stream::TokenEncoder::default())
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        error::refuse(error)
    }
}
