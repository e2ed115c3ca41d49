//! The dialects of [Sabir](https://docs.rs/sabir): one room a wire format, both ways, and the table of providers.
//!
//! Every room has the same shape: `wire` (the format's own types), `request` (encode and accept), `response`
//! (decode and respond), `stream` (decoder and encoder), `error`. No room knows another, a socket or a clock.

#[cfg(feature = "anthropic")]
pub mod anthropic;
#[cfg(feature = "openai-chat")]
pub mod openai_chat;
pub mod providers;

use sabir_core::Dialect;

/// All dialects that are built in, in the order in which they are documented.
pub fn dialects() -> &'static [&'static dyn Dialect] {
    &[
        #[cfg(feature = "openai-chat")]
        &openai_chat::OpenAiChat,
        #[cfg(feature = "anthropic")]
        &anthropic::AnthropicMessages,
    ]
}

/// The dialect of this name.
pub fn dialect(name: &str) -> Option<&'static dyn Dialect> {
    dialects().iter().copied().find(|d| d.name() == name)
}
