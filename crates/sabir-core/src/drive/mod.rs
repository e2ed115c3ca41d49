//! The two mirrors: [`client`] drives a dialect towards a provider, [`server`] drives it towards a client;
//! [`exchange`] does both for what is one question and one answer;
//! [`Host`] is who answers the clients of a server, in whichever [`Format`] they ask.

pub mod batches;
pub mod client;
mod common;
pub mod exchange;
mod host;
mod passing;
pub mod server;

pub use batches::Batches;
pub use client::{Limits, Origin, decode_whole, encode};
pub use exchange::{ask, serve_exchange};
pub use host::{Answered, Begun, Format, Host};
pub use server::{Losses, respond, serve, streamed_losses};
