//! The stream contract of [Sabir](https://docs.rs/sabir) as a test suite.
//!
//! A stream of [`Event`](sabir_core::chat::Event)s ends in exactly one terminal item, always last; a body that stops
//! early is an error that carries what had arrived; the folded stream is what the unary call would have returned;
//! dropping it cancels the call. This crate checks that, and what follows from it:
//!
//! * [`check_events`]: the items of any stream, from wherever.
//! * [`check_dialect`]: a [`Dialect`](sabir_core::Dialect), both ways, cut at every byte and damaged.
//! * [`check_layer`]: a [`Layer`](sabir_core::Layer), over a service that does as it is told.
//! * [`check_server`]: a server that speaks a dialect, over a real transport: yours, perhaps.
//!
//! Each suite gives a [`Report`]; [`Report::assert_ok`] makes a test of it.
//!
//! And what tests of one's own need: [`every_split`] and [`mutations`] of bytes, a [`Player`] of streamed bodies,
//! [`Scripted`] services, a [`ManualClock`], and [`block_on_with`] to run a future while time passes by itself.
//!
//! ```
//! use sabir_core::chat::{ChatResponse, Event};
//! use sabir_testkit::{Violation, check_events};
//!
//! let done = Event::Done(Box::new(ChatResponse::default()));
//! assert_eq!(check_events(&[Ok(done.clone())]), Ok(()));
//! assert_eq!(check_events(&[Ok(done.clone()), Ok(done)]), Err(Violation::AfterTerminal { at: 1 }));
//! ```

mod answers;
mod clock;
mod contract;
mod dialect;
mod diff;
mod player;
mod random;
mod report;
mod requests;
mod run;
mod scripted;
mod server;
mod service;
mod split;

pub use answers::{Answer, answers, events_of};
pub use clock::ManualClock;
pub use contract::{Violation, check_events, collect};
pub use dialect::{DialectKit, check_dialect};
pub use diff::first_difference;
pub use player::Player;
pub use random::mutations;
pub use report::{Finding, Report};
pub use run::{Task, block_on, block_on_with, join_all};
pub use scripted::{Outcome, Scripted, Seen, Step};
pub use server::check_server;
pub use service::{check_layer, check_layer_on};
pub use split::{every_split, one_byte_each};
