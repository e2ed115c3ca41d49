//! Policies around model calls, one file a layer. Each is written once for whole answers and for streams, takes its
//! time from a [`Clock`](sabir_core::Clock), sees no JSON and names no vendor.

mod attempts;
mod clock;
mod hedge;
mod keys;
mod place;
mod preceded;
mod random;
mod route;
mod watch;

pub use clock::RuntimeClock;
pub use hedge::Hedge;
pub use keys::{KeyPool, KeyState, Keys, PoolKey, Rotation};
pub use place::{PerPlace, Place};
pub use route::{Fallover, MidStream, Policy, Route, Routes, Sticky, Target, TargetHealth};
pub use watch::{End, Watch, watch};
