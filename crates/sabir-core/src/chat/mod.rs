//! The vocabulary of a conversation: what is asked, what is answered, and what happens in between.
//!
//! Small and of no vendor: every dialect is translated into these words and out of them. What has no
//! word here travels as [`Content::Opaque`] or in a [`Meta`], so that nothing is lost on the way home.

mod cost;
mod event;
mod finish;
mod fold;
mod media;
mod message;
mod meta;
mod notice;
mod part;
mod receipt;
mod request;
mod response;
mod tool;
mod usage;

pub use cost::{Cost, CostBasis};
pub use event::{Event, EventStream, Events, Wire, events};
pub use finish::{Finish, FinishReason};
pub use fold::Fold;
pub use media::{Media, Source, from_base64, to_base64};
pub use message::{Message, Role};
pub use meta::Meta;
pub use notice::Notice;
pub use part::{CacheMark, Citation, Content, Document, Part, Reasoning, ServerToolResult, ServerToolUse};
pub use receipt::{Item, Line, Receipt, ReceiptBasis};
pub use request::{ChatRequest, Effort, ReasoningRequest, ResponseFormat};
pub use response::{Attempt, Cached, ChatResponse, Latency, RateLimit};
pub use tool::{FunctionTool, Tool, ToolCall, ToolChoice, ToolResult};
pub use usage::Usage;

/// An enum of known words that keeps an unknown one: a vendor's new word never breaks decoding.
macro_rules! open_words {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)+
            /// A word that this version of Sabir does not know, as it came.
            Other(String),
        }

        impl $name {
            /// The words that are known, in the order in which they are documented.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Where a known word stands among them.
            #[allow(dead_code, reason = "for words that come in sets")]
            pub(crate) const fn place(&self) -> Option<u32> {
                enum Place { $($variant,)+ }
                match self { $(Self::$variant => Some(Place::$variant as u32),)+ Self::Other(_) => None }
            }

            /// The word, as Sabir writes it.
            pub fn as_str(&self) -> &str {
                match self { $(Self::$variant => $word,)+ Self::Other(word) => word }
            }
        }

        impl From<&str> for $name {
            fn from(word: &str) -> Self {
                match word { $($word => Self::$variant,)+ other => Self::Other(other.to_owned()) }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Ok(Self::from(&*word))
            }
        }
    };
}
pub(crate) use open_words;
pub(crate) use response::rate_limits;
