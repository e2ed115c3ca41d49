//! Policies around model calls, one file a layer. Each is written once for whole answers and for streams, takes its
//! time from a [`Clock`](sabir_core::Clock), sees no JSON and names no vendor.

mod allowance;
mod attempts;
mod backoff;
pub mod breaker;
pub mod cache;
mod calls;
mod chosen;
mod circuit;
mod clock;
mod deadline;
pub mod guard;
mod hedge;
mod hook;
mod keep;
mod keys;
pub mod limit;
mod meter;
pub mod metrics;
#[cfg(feature = "otel")]
mod otel;
mod place;
mod preceded;
pub mod prompt_cache;
mod random;
mod receipts;
mod retry;
mod route;
pub mod spend;
mod stack;
mod timeout;
mod timer;
mod trace;
#[cfg(test)]
mod trial;
mod watch;
mod window;

pub use backoff::Backoff;
pub use breaker::Breaker;
pub use cache::Cache;
pub use calls::Calls;
pub use clock::RuntimeClock;
pub use deadline::Deadline;
pub use guard::Guard;
pub use hedge::Hedge;
pub use keys::{KeyPool, KeyState, Keys, PoolKey, Rotation};
pub use limit::{Limit, Limits};
pub use meter::Meter;
pub use metrics::Metrics;
#[cfg(feature = "otel")]
pub use otel::OtelMetrics;
pub use place::{PerPlace, Place};
pub use prompt_cache::{PrefixCheck, PromptCache};
pub use receipts::Receipts;
pub use retry::Retry;
pub use route::{Fallover, MidStream, Policy, Route, Routes, Sticky, Target, TargetHealth};
pub use spend::{Alert, AlertWebhook, Budget, Spend, Standing, WhenLedgerFails, WhenUnpriced, Window};
pub use stack::Stack;
pub use timeout::Timeout;
pub use trace::{Recorded, Trace};
pub use watch::{End, Watch, watch};
