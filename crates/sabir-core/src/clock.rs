//! The seam below which time passes. The core keeps no time of its own.

use std::fmt::Debug;
use std::time::Duration;

use crate::transport::BoxFuture;

/// Tells the time and waits. Whatever waits, retries, measures or limits takes one of these, so that a test can
/// turn the time by hand: the `sabir` facade implements it with its runtime's clock, `sabir-testkit` by hand.
pub trait Clock: Debug + Send + Sync + 'static {
    /// The time since some start that stays the same for the clock's life. Never goes back.
    fn now(&self) -> Duration;

    /// A future that is ready once `time` has passed from this call on. Dropping it stops the wait.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;
}
