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

#[cfg(test)]
mod tests;

use sabir_core::dialect::sse_unless_whole;
use sabir_core::{Abilities, Feature, Features};

use crate::openai_error as error;
use crate::room::room;

/// The dialect's name, and the namespace of its options and metadata.
pub const NAME: &str = "openai-responses";

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

room! {
    /// OpenAI Responses, as client and as server.
    OpenAiResponses {
        name: NAME,
        paths: ["/v1/responses", "/responses"],
        quirks: ["user_field"],
        abilities: Abilities {
            features: Features::OF_REQUESTS.without(LOST),
            schema: crate::openai::STRICT,
            ..crate::bounds::openai_responses()
        },
        encode: request::encode,
        accept: accept::accept,
        decode: response::decode,
        respond: response::respond,
        framing: sse_unless_whole,
        decoder: stream::EventDecoder::default,
        encoder: encoder::EventEncoder::new,
        refuse: error::refuse,
    }
}
