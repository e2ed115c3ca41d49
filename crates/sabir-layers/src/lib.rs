//! Policies around model calls, one file a layer. Each is written once for whole answers and for streams, takes its
//! time from a [`Clock`](sabir_core::Clock), sees no JSON and names no vendor.

pub mod cache;
mod clock;
mod keep;
pub mod limit;
mod place;
pub mod prompt_cache;
mod watch;

pub use cache::Cache;
pub use clock::RuntimeClock;
pub use limit::{Limit, Limits};
pub use place::{PerPlace, Place};
pub use prompt_cache::{PrefixCheck, PromptCache};
pub use watch::{End, Watch, watch};
