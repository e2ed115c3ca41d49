//! The vocabulary and the seams of [Sabir](https://docs.rs/sabir): everything that has to be agreed on, and nothing
//! that touches the world. No IO, no clock, no environment, no runtime.
//!
//! * [`chat`], [`count`], [`embed`], [`rerank`], [`models`]: the words.
//! * [`batch`]: many conversations that a provider works off by itself.
//! * [`dialect`]: a wire format, both ways; [`frame`] cuts streams into frames; a [`Sink`] is where decoders tell.
//! * [`service`]: the one method that clients, layers and providers share; [`transport`]: where bytes move;
//!   [`Clock`]: where time passes.
//! * [`drive`]: the two mirrors that put a dialect to work, as client and as server.
//! * [`Error`], [`Loss`], [`Secret`]: what went wrong, what could not be carried, what must not be shown.

mod abilities;
pub mod batch;
pub mod chat;
pub mod check;
mod clock;
pub mod count;
pub mod dialect;
pub mod drive;
pub mod embed;
mod endpoint;
pub mod error;
pub mod exchange;
mod foresee;
pub mod frame;
mod id;
mod loss;
pub mod model;
pub mod models;
mod passage;
pub mod raw;
pub mod remarks;
pub mod rerank;
pub mod schema;
pub mod secret;
pub mod service;
mod signer;
mod sink;
mod trail;
pub mod transport;

pub use abilities::{Abilities, Features};
pub use clock::Clock;
pub use dialect::Dialect;
pub use endpoint::{Auth, Endpoint, Quirks};
pub use error::{Error, ErrorKind, Result, Stage};
pub use exchange::Exchange;
pub use foresee::{Foreseen, Verdict};
pub use id::call_id;
pub use loss::{Feature, Loss};
pub use model::{Efforts, ModelTraits, TraitsOf};
pub use passage::{Passage, Passed};
pub use secret::Secret;
pub use service::{Call, Key, Layer, Reply, Request, Service, Shared};
pub use signer::Signer;
pub use sink::{MAX_TOOL_CALLS, Sink};
pub use trail::{Answering, Trail};
pub use transport::Transport;
