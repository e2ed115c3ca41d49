//! `cohere-v2-chat`: Cohere's chat, `POST {base}/v2/chat`. A base URL that ends in `/v1` or `/v2` is taken without it.
//!
//! What the model plans before its calls (`tool_plan`) is neither its answer nor its reasoning: it is an opaque part
//! `{"type": "tool_plan", "tool_plan": …}`, and goes back in its place. Citations stand behind everything they cite,
//! as they do in a whole answer.
//!
//! Options, under the dialect's name: any field of the request's top level (`documents`, `citation_options`,
//! `safety_mode`, `priority`, `logprobs` …).
//!
//! Metadata under its name: on texts of a tool's result `document`, where it was a document and not a text; on images
//! `detail`; on parts, tools and messages whatever a client put beside the known fields. On answers `billed_units`
//! (what is paid for; [`Usage`](sabir_core::chat::Usage) has what was read and written), `tokens` (further counters),
//! `logprobs`.

mod accept;
mod part;
mod request;
mod response;
mod stream;
mod wire;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use sabir_core::chat::{ChatRequest, ChatResponse};
use sabir_core::dialect::{Answer, Asked, Decoder, Encoder, Responded, sse_unless_whole};
use sabir_core::frame::Framing;
use sabir_core::{Abilities, Feature, Features, Quirks};
use sabir_core::{Dialect, Error, Result};

/// The dialect's name, and the namespace of its options and metadata.
const NAME: &str = "cohere-v2-chat";

/// Cohere's chat, version 2.
#[derive(Clone, Copy, Debug, Default)]
pub struct CohereV2;

/// What a request cannot carry here.
const LOST: &[Feature] = &[
    Feature::ParallelTools,
    Feature::ToolErrors,
    Feature::Audio,
    Feature::Video,
    Feature::Documents,
    Feature::ReasoningEffort,
    Feature::Signatures,
    Feature::Refusals,
    Feature::CacheMarks,
    Feature::CacheKey,
    Feature::Names,
    Feature::User,
    Feature::Metadata,
];

impl Dialect for CohereV2 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn abilities(&self, _: &Quirks) -> Abilities {
        Abilities { features: Features::OF_REQUESTS.without(LOST), ..crate::cohere::abilities() }
    }

    fn paths(&self) -> &'static [&'static str] {
        &["/v2/chat"]
    }

    crate::room::method!(encode, request::encode);

    fn decode(&self, answer: Answer<'_>) -> Result<ChatResponse> {
        response::decode(answer)
    }

    fn decoder(&self) -> Box<dyn Decoder> {
        Box::new(stream::EventDecoder::default())
    }

    fn framing(&self, headers: &HeaderMap) -> Option<Framing> {
        sse_unless_whole(headers)
    }

    fn accept(&self, asked: Asked<'_>) -> Result<ChatRequest> {
        accept::accept(asked.body)
    }

    fn respond(&self, response: &ChatResponse, _: &ChatRequest) -> Responded {
        response::respond(response)
    }

    fn encoder(&self, _: &ChatRequest) -> Box<dyn Encoder> {
        Box::new(stream::EventEncoder::default())
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        crate::cohere::refuse(error)
    }
}
