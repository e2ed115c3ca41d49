//! The two mirrors: [`client`] drives a dialect towards a provider, [`server`] drives it towards a client;
//! [`exchange`] does both for what is one question and one answer.

pub mod client;
mod common;
pub mod exchange;
pub mod server;

pub use client::{Limits, Origin, decode_whole, encode};
pub use exchange::{ask, serve_exchange, serve_listing};
pub use server::{Losses, respond, serve, streamed_losses};
