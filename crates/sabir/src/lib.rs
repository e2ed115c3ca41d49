//! One vocabulary for every language-model API.
//!
//! ```no_run
//! # async fn example() -> sabir::Result<()> {
//! let client = sabir::Client::new("anthropic/claude-haiku-5-5")?; // the key comes from ANTHROPIC_API_KEY
//! let answer = client.chat("Why is the sea salt?").await?;
//! println!("{} ({:?} tokens)", answer.text(), answer.usage.total());
//! # Ok(()) }
//! ```
//!
//! * [`Client`] calls models: [`chat`](Client::chat), [`stream`](Client::stream), [`complete`](Client::complete).
//!   Besides conversations it gives vectors ([`embed`](Client::embed)), orders documents
//!   ([`rerank`](Client::rerank)), counts tokens ([`count_tokens`](Client::count_tokens), and without sending
//!   anything [`count_tokens_locally`](Client::count_tokens_locally)) and tells of models
//!   ([`models`](Client::models), [`model`](Client::model)). [`blocking::Client`] does the same without an async
//!   runtime.
//! * [`Client::run`] lets a model use a [`Toolbox`](tools::Toolbox); with the feature `schema`, `Client::extract` gives
//!   values of Rust types. A [`Conversation`] goes on with any provider. [`Client::abilities`] tells what a model can be
//!   asked.
//! * [`chat`] holds the words: [`ChatRequest`], [`ChatResponse`], [`Event`](chat::Event), [`Part`] …
//! * [`Client::explain`] looks at a call without making it: who would be asked, with which bytes, at what cost.
//! * [`Registry`] and [`Provider`] say who can be called; providers can be added at any time. [`credentials`] is for
//!   keys that are fetched or sign.
//! * [`layers`] are policies around calls: retry, limits, time limits, breakers, routes, keys, caches, metrics, guards, receipts, budgets;
//!   [`layers::Stack`] puts them in order, [`ClientBuilder::stack`] around a client.
//! * [`layers::Spend`] keeps [`Budget`](layers::Budget)s that are not overshot, and writes every attempt into a
//!   [`Ledger`](store::Ledger).
//! * [`prices`] is what models cost; with [`layers::Receipts`] in the stack every answer has a
//!   [`Receipt`](chat::Receipt), and [`ChatResponse::cost`](chat::ChatResponse::cost) where its price is known.
//! * [`ledger`] keeps what was spent, a row for each attempt: in memory, or with the feature `ledger` in an SQLite file.
//! * With the feature `zones`, the days of a budget begin by the clocks of a time zone: `Window::zone`.
//! * [`tokens`] counts before a call is sent: exactly (feature `tokens-openai` for OpenAI's models), or with a bound.
//! * With the feature `config`, `Client::from_config` makes a client of files, variables and words; with `reload` it
//!   follows its file.
//! * A stream ends with exactly one terminal item: `Event::Done` with the whole answer, or an [`Error`] with what
//!   had arrived. What a dialect cannot carry is a [`Loss`] on the answer, or an error in strict mode.
//!
//! `ARCHITECTURE.md` in the repository is the map of the house.

pub mod blocking;
mod border;
mod builder;
mod client;
#[cfg(feature = "config")]
pub mod config;
mod conversation;
pub mod credentials;
mod directory;
mod env;
pub mod explain;
#[cfg(feature = "schema")]
pub mod extract;
pub mod ledger;
mod provider;
mod registry;
mod stream;
pub mod tools;

#[doc(inline)]
pub use sabir_core::{Abilities, Efforts, Features, ModelTraits, TraitsOf};
#[doc(inline)]
pub use sabir_core::{
    Answering, Auth, Call, Dialect, Endpoint, Error, ErrorKind, Exchange, Feature, Foreseen, Layer, Loss, Quirks,
    Reply, Request, Result, Secret, Service, Shared, Signer, Stage, Trail, Transport, Verdict, batch, call_id, chat,
    count, dialect, drive, embed, error, exchange, frame, models, rerank, secret, service, transport,
};
pub use sabir_core::{check, raw};
pub use sabir_dialects as dialects;
#[doc(inline)]
pub use sabir_dialects::catalog::traits;
pub use sabir_http as http;
pub use sabir_layers as layers;
pub use sabir_prices as prices;
pub use sabir_store as store;
pub use sabir_tokens as tokens;

pub use builder::ClientBuilder;
pub use chat::{ChatRequest, ChatResponse, Message, Part};
pub use client::Client;
pub use conversation::Conversation;
pub use count::{Count, CountRequest, CountResponse, Precision};
pub use embed::{EmbedRequest, EmbedResponse};
pub use env::Env;
pub use explain::Explained;
pub use models::ModelInfo;
pub use provider::Provider;
pub use registry::Registry;
pub use rerank::{RerankRequest, RerankResponse};
pub use stream::ChatStream;

/// Asks a model with a plain prompt, in one line. The key comes from the environment. A program that asks more than
/// once keeps a [`Client`], whose connections stay open.
///
/// # Errors
/// As [`Client::chat`].
///
/// ```no_run
/// # async fn example() -> sabir::Result<()> {
/// let text = sabir::complete("openai/gpt-6-luna", "Why is the sea salt?").await?;
/// # Ok(()) }
/// ```
pub async fn complete(model: impl Into<String>, prompt: impl Into<String>) -> Result<String> {
    Client::new(model)?.complete(prompt).await
}
