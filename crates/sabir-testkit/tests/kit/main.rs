//! The kit is tried on what is right, and on what is wrong in one known way: each wrong must be found.

mod contract;
mod dialect;
mod layer;
mod scripted;
mod server;
mod toy;
