//! Amazon Bedrock's `Converse` and `ConverseStream`, `POST /model/{id}/converse` and `/converse-stream`: the dialect
//! `bedrock-converse`. One shape for the models of many makers, streamed in Amazon's binary event stream.
//!
//! The model and whether to stream are said in the path alone. An answer names neither its model nor an id.
//!
//! Quirks that a row may name:
//!
//! * `model_family = claude|nova|cohere|mistral`: whose model it is, where the model's id does not tell (the ARN of an
//!   inference profile). It decides how the fields that Converse itself does not have are written: `top_k`, a budget
//!   for thoughts, one call at a time.
//! * `mid_system = true`: the models take messages of the role `system` in the middle of a conversation. Elsewhere
//!   such a message is moved to the end of the system prompt, and said to be lost from its place.
//!
//! Options, under `bedrock-converse`: any field of the request's top level, such as `guardrailConfig`. An object is
//! merged into the field that Sabir writes (`additionalModelRequestFields`, `inferenceConfig`), anything else replaces
//! it, and `null` leaves the field out.
//!
//! Metadata kept under this dialect's name. On parts: `context` and `citations` of documents, `bucketOwner` of media in
//! S3. As form: `source` (`text` where a document was given as text) and `name` (where it was made up) of documents,
//! `status` of tool results, `json` on a result's text that was JSON, `apart` on a citation that stands in a block of
//! its own, `type` on tools that the service runs. On answers: `metrics`, `trace`, `performanceConfig`, `serviceTier`, `additionalModelResponseFields`, `usage`.

mod block;
mod error;
mod family;
mod media;
mod request;
mod response;
mod stream;
mod wire;

#[cfg(test)]
mod tests;

use http::HeaderMap;
use sabir_core::dialect::sse_unless_whole;
use sabir_core::frame::Framing;
use sabir_core::{Abilities, Feature, Features};

use crate::blocks;
use crate::room::room;

/// The name of the dialect, and of its options and metadata.
const NAME: &str = "bedrock-converse";

/// What a request cannot carry here, besides what no dialect of blocks can.
const LOST: &[Feature] = &[Feature::ParallelTools, Feature::MediaUrls, Feature::ReasoningBudget, Feature::TopK];

room! {
    /// Amazon Bedrock's `Converse` and `ConverseStream`.
    Bedrock {
        name: NAME,
        paths: ["/converse", "/converse-stream"],
        quirks: ["model_family", "mid_system"],
        abilities: Abilities {
            features: Features::OF_REQUESTS.without(blocks::LOST).without(LOST),
            free_arguments: false,
            schema: blocks::STRICT,
            ..crate::bounds::bedrock()
        },
        encode: request::encode,
        accept: request::accept,
        decode: response::decode,
        respond: response::respond,
        framing: framing,
        decoder: stream::ConverseDecoder::default,
        encoder: stream::ConverseEncoder::new,
        refuse: error::refuse,
    }
}

fn framing(headers: &HeaderMap) -> Option<Framing> {
    sse_unless_whole(headers).map(|_| Framing::EventStream)
}
