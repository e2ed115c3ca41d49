//! One server in front of every provider: any SDK asks in its own dialect and reaches any model.
//!
//! A [`Gateway`] answers HTTP requests from a [`sabir::Client`]. It finds the format by the path, lets in who has a key,
//! and serves what the client's layers and providers answer, in the format in which it was asked. It opens no socket
//! itself: [`Server`] listens, or it is mounted in a program's own server, as a `tower` service.
//!
//! ```no_run
//! # async fn example() -> sabir::Result<()> {
//! use sabir::{Client, layers::Stack};
//! use sabir_gateway::{Gateway, Server};
//!
//! let client = Client::builder().stack(Stack::standard()).build()?; // keys come from OPENAI_API_KEY and the like
//! let mut server = Server::start(Gateway::new(client), "127.0.0.1:8911").await?;
//! println!("OPENAI_BASE_URL={}/v1", server.url());
//! server.run_until(std::future::pending::<()>()).await;
//! # Ok(()) }
//! ```
//!
//! | path | what is there |
//! |---|---|
//! | those of every dialect and format | `/v1/chat/completions`, `/v1/messages`, `/v1/responses`, `/api/chat`, … |
//! | `/raw/PROVIDER/…` | anything else that a provider has, for keys that may |
//! | `/healthz` | 200 as long as the process answers |
//! | `/readyz` | 200 as long as new requests are taken |
//! | `/v1/usage` | what the key that is shown has spent, from the ledger (feature `config`); `?since=7d&by=day,model` |
//! | `/admin/v1/…` | keys, usage, configuration and the log of changes, for the administrator; of a gateway that follows a
//!   configuration (feature `config`) |
//! | `/mcp/NAME` | servers of the Model Context Protocol that a configuration names (feature `config`) |
//! | `/metrics` | what the client's meter counts, as Prometheus text; for the administrator where keys are asked for |
//!
//! A model is named as for a client: `provider/model`, a route or alias of the client's layers, or any name at all where
//! the client has a provider of its own. Every answer has an `x-sabir-request-id`, and what is known of it in
//! `x-sabir-provider`, `-model`, `-attempts`, `-cost` (US dollars), `-cache` and `-losses` (what the client's dialect or
//! the provider's could not carry).

mod access;
#[cfg(feature = "config")]
mod admin;
mod administrator;
mod beginning;
#[cfg(feature = "config")]
mod configured;
mod connection;
mod counting;
mod door;
mod gateway;
mod handed;
mod headers;
mod incoming;
mod keys;
mod leavers;
mod lengths;
#[cfg(feature = "config")]
mod mcp;
mod mount;
#[cfg(feature = "oidc")]
mod oidc;
mod own;
mod raw;
mod request_log;
mod server;
mod span;
mod threads;
#[cfg(feature = "tls")]
mod tls;
mod unheard;
#[cfg(feature = "config")]
mod usage;
mod voiced;

pub use access::AccessLog;
pub use gateway::Gateway;
pub use keys::{Keys, VirtualKey};
pub use sabir_http::listen::Outgoing;
pub use server::{Server, ServerBuilder};
#[cfg(feature = "tls")]
pub use tls::Tls;
