//! Anthropic Messages, `POST /v1/messages`: the dialect `anthropic-messages`.
//!
//! Both API versions are spoken: `2023-06-01`, the default, and `2026-10-21`, where the endpoint's headers name it
//! or a client asks for it.
//!
//! Quirks that a row may name:
//!
//! * `default_max_tokens = N`: what to send where the request sets no limit, as this dialect requires one. Where
//!   the row says nothing, it is the model's own limit or 32000, the lesser, and 4096 for a model of which nothing is
//!   known; a thinking budget comes on top.
//! * `mid_system = true`: the models take messages of the role `system` in the middle of a conversation. Elsewhere
//!   such a message is moved to the end of the system prompt, and said to be lost from its place.
//! * `unsigned_thinking = true`: the provider takes its thoughts back without a signature. Anthropic refuses them.
//!
//! Options, under `anthropic-messages`: any field of the request's top level. An object without a `type` is merged
//! into the field that Sabir writes, anything else replaces it, and `null` leaves the field out. `betas`, a list or
//! a comma-separated string, becomes the header `anthropic-beta`.

mod block;
mod request;
mod response;
mod stream;
mod wire;

#[cfg(test)]
mod tests;

use sabir_core::dialect::sse_unless_whole;
use sabir_core::{Abilities, Feature, Features};

use crate::blocks;
use crate::room::room;

/// The name of the dialect, and of its options and metadata.
const NAME: &str = "anthropic-messages";

/// What a request cannot carry here, besides what no dialect of blocks can.
const LOST: &[Feature] = &[Feature::Audio, Feature::Video, Feature::Reasoning, Feature::Metadata];

room! {
    /// Anthropic Messages.
    AnthropicMessages {
        name: NAME,
        paths: ["/v1/messages", "/messages"],
        quirks: ["default_max_tokens", "mid_system", "unsigned_thinking"],
        abilities: Abilities {
            features: Features::OF_REQUESTS.without(blocks::LOST).without(LOST),
            free_arguments: false,
            schema: blocks::STRICT,
            ..crate::bounds::anthropic()
        },
        encode: request::encode,
        accept: request::accept,
        decode: response::decode,
        respond: response::respond,
        framing: sse_unless_whole,
        decoder: stream::MessagesDecoder::default,
        encoder: stream::MessagesEncoder::new,
        refuse: response::refuse,
    }
}
