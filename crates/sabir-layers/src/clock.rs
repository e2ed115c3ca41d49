use std::time::Duration;

use sabir_core::Clock;
use sabir_core::transport::BoxFuture;
use tokio::time::Instant;

/// The runtime's own clock: what every layer takes its time from unless it is given another one. It sleeps only inside
/// a tokio runtime with time enabled.
#[derive(Clone, Copy, Debug)]
pub struct RuntimeClock(Instant);

impl Default for RuntimeClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for RuntimeClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(async move { tokio::time::sleep(time).await })
    }
}
