//! How many tokens a request is, before it is sent: exactly where the vocabulary and the framing are public, and with a
//! stated bound elsewhere.
//!
//! ```
//! use sabir_core::chat::ChatRequest;
//! use sabir_tokens::{ModelId, count};
//! let request = ChatRequest::new("any").system("Be brief.").user("Why is the sea salt?");
//! let claude = count(&request, &ModelId::new("anthropic", "claude-sonnet-4-6"));
//! assert!(claude.low <= claude.tokens && claude.tokens <= claude.high);
//! ```
//!
//! | what | how | precision |
//! |---|---|---|
//! | text, OpenAI's models | `o200k_base`, `cl100k_base` (feature `openai`) | `Exact`; `Bound` where a run of more than 4096 bytes was cut |
//! | plain conversation, GPT-3.5 to GPT-4.5 at OpenAI's Chat Completions | the same, and the cookbook's 3 a message, the role, 3 at the end | `Exact` |
//! | the same over Responses, at Azure (a name there is a deployment's) or elsewhere; tools, calls, schemas | a line through recordings | `Estimate` |
//! | o1 and later, GPT-5 and later, gpt-oss | `o200k_base`, and a line through recordings | `Estimate` |
//! | Claude, Gemini, Nova, Command, Mistral, Llama, Qwen, DeepSeek, Grok | `o200k_base`, and a line through recordings of that family | `Estimate` |
//! | a model whose `tokenizer.json` the caller gave (`Counter::with`, feature `vocabularies`) | that vocabulary | text `Exact`, requests `Estimate`: the template is not read |
//! | any other model | the same, through all recordings | `Estimate`, wide |
//! | images | the vendor's published rule, by the size in the file's header; between smallest and largest where it is not here | `Estimate` |
//! | sound, video | by bytes | `Estimate`, very wide |
//! | plain text files | as text | as text |
//! | PDF and other files | 1,500 tokens a page | `Estimate`, very wide |
//!
//! A line is one weight each for the request, its messages, their text, its tools and so on, with a lowest and a highest
//! beside the likeliest; its documentation says how far off it is. The bounds hold on every recorded request in
//! `tests/recordings`, those with media too, that holds no parts or tools of a provider's own, and nothing that the
//! provider itself added or left out (`tests/recordings.rs` names those four). Recordings are mostly short and mostly English: for other scripts a closed
//! vocabulary's bounds are widened to half and twice, which is a judgement and not measured.
//!
//! Without the feature `openai` texts are counted by their features, with half and twice as bounds, and nothing is exact.
//!
//! [`Counter`] remembers texts that come again, and knows vocabularies that it was given. [`Meter`] counts what a model writes while it passes by. Every input costs
//! time in proportion to its length: less than a quarter of a microsecond a byte on hostile text, a fifth of that on prose
//! (`docs/performance.md`); vocabularies of the caller's are slower.

mod calibrated;
mod counter;
mod dimensions;
#[cfg(feature = "openai")]
mod encoding;
mod features;
mod image;
mod media;
mod meter;
mod model;
mod request;
mod runs;
mod shape;
mod table;
mod text;
mod vocabulary;

pub use counter::Counter;
#[cfg(feature = "openai")]
pub use encoding::Encoding;
pub use meter::Meter;
pub use model::ModelId;
#[doc(hidden)]
pub use request::{Fit, calibration};
pub use request::{count, count_text};
#[cfg(feature = "vocabularies")]
pub use vocabulary::Vocabulary;

pub use sabir_core::count::{Count, Precision};
