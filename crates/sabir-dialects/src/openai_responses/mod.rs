//! `openai-responses`: OpenAI Responses (`POST {base}/responses`), and the servers that speak it.
//!
//! An answer is a list of items; each becomes parts, and the parts become the same items again. What an item says
//! besides its content is kept on the last of its parts, under this dialect's name, so that it goes back unchanged:
//!
//! | field | on | meaning |
//! |---|---|---|
//! | `item` | parts, messages | the item's other fields: `phase`, `namespace` … |
//! | `content` | text, media | other fields of the content part: `logprobs`, `detail` … |
//! | `type` | calls | `custom`: a call of a custom tool, whose arguments are text |
//! | `form.item` | parts, messages | the item's `id` and `status` |
//! | `form.continues` | text, refusal, reasoning | the next part of that kind belongs to the same item |
//! | `form.kind` | reasoning | `reasoning_text`: a plain thought and not a summary of one |
//! | `form.input` | server tools | the field in which the input stood |
//! | `form.items` | messages | a leading system message that was an item and not `instructions` |
//!
//! A reasoning item without a word, and items that have no common meaning (`computer_call`, `mcp_approval_request`,
//! `item_reference`, `compaction` …), are opaque parts with the item as it came. Fields of the request that only this
//! dialect has (`store`, `include`, `previous_response_id`, `truncation`, `background` …) are options; the options
//! `reasoning` and `text` are joined with what the request itself says of them.
//!
//! | quirk | value | meaning |
//! |---|---|---|
//! | `user_field` | `user` (default), `safety_identifier` | the field of the end user's id |

mod accept;
mod encoder;
mod item;
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
use sabir_core::dialect::{Answer, Asked, Decoder, Dialect, Encoded, Encoder, Responded, sse_unless_whole};
use sabir_core::frame::Framing;
use sabir_core::{Abilities, Feature, Features, Quirks};
use sabir_core::{Endpoint, Error, Result};

use crate::openai_error as error;

/// The dialect's name, and the namespace of its options and metadata.
pub const NAME: &str = "openai-responses";

/// OpenAI Responses, as client and as server.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenAiResponses;

/// What a request cannot carry here.
const LOST: &[Feature] = &[
    Feature::ToolErrors,
    Feature::Audio,
    Feature::Video,
    Feature::Reasoning,
    Feature::ReasoningBudget,
    Feature::Signatures,
    Feature::Names,
    Feature::TopK,
    Feature::Stop,
    Feature::Seed,
    Feature::PresencePenalty,
    Feature::FrequencyPenalty,
];

impl Dialect for OpenAiResponses {
    fn name(&self) -> &'static str {
        NAME
    }

    fn abilities(&self, _: &Quirks) -> Abilities {
        Abilities {
            features: Features::OF_REQUESTS.without(LOST),
            schema: crate::openai::STRICT,
            ..crate::bounds::openai_responses()
        }
    }

    fn paths(&self) -> &'static [&'static str] {
        &["/v1/responses", "/responses"]
    }

    fn quirks(&self) -> &'static [&'static str] {
        &["user_field"]
    }

    fn encode(&self, request: &ChatRequest, endpoint: &Endpoint) -> Result<Encoded> {
        request::encode(request, endpoint)
    }

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

    fn respond(&self, response: &ChatResponse, request: &ChatRequest) -> Responded {
        response::respond(response, request)
    }

    fn encoder(&self, request: &ChatRequest) -> Box<dyn Encoder> {
        Box::new(encoder::EventEncoder::new(request))
    }

    fn refuse(&self, error: &Error) -> (StatusCode, Bytes) {
        error::refuse(error)
    }
}
