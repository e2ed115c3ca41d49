//! The two mirrors: [`client`] drives a dialect towards a provider, [`server`] drives it towards a client.

pub mod client;
pub mod server;

pub use client::{Limits, Origin, decode_whole};
pub use server::{Losses, serve};
