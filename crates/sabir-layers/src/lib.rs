//! Policies around model calls, one file a layer. Each is written once for whole answers and for streams, takes its
//! time from a [`Clock`](sabir_core::Clock), sees no JSON and names no vendor.

mod clock;
pub mod limit;
mod place;
mod watch;

pub use clock::RuntimeClock;
pub use limit::{Limit, Limits};
pub use place::{PerPlace, Place};
pub use watch::{End, Watch, watch};
