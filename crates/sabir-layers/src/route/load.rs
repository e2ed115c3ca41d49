//! What is known of a target: how busy, how fast, how well it is.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sabir_core::chat::Event;
use sabir_core::{Clock, Error, ErrorKind};

use super::ewma::PeakEwma;
use super::fallover::{Fallover, is_of_the_place};
use crate::{End, Watch};

/// The longest that a target rests at a provider's word.
const LONGEST_REST: Duration = Duration::from_secs(3600);

/// Kept by place, and shared by all routes that lead there.
#[derive(Debug, Default)]
pub(super) struct Load {
    in_flight: AtomicUsize,
    /// To the whole answer.
    whole: PeakEwma,
    /// To the first event of a stream.
    first: PeakEwma,
    health: Mutex<Health>,
}

#[derive(Debug, Default)]
struct Health {
    failures: u32,
    rests_until: Duration,
    last: Option<ErrorKind>,
}

/// After how many failures in a row a target rests, and how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    pub(super) after: u32,
    pub(super) time: Duration,
}

impl Load {
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// How long calls take of late, in seconds.
    pub(super) fn latency(&self, stream: bool, now: Duration) -> f64 {
        if stream { self.first.seconds(now) } else { self.whole.seconds(now) }
    }

    /// How many failures there were since the last success, and what the last one was.
    pub(super) fn failures(&self) -> (u32, Option<ErrorKind>) {
        let health = self.health();
        (health.failures, health.last)
    }

    /// How long it is still to be left alone.
    pub(super) fn rests(&self, now: Duration) -> Option<Duration> {
        self.health().rests_until.checked_sub(now).filter(|left| !left.is_zero())
    }

    fn succeeded(&self) {
        let mut health = self.health();
        (health.failures, health.last) = (0, None);
    }

    fn failed(&self, error: &Error, rest: Rest, fallover: &Fallover, now: Duration) {
        if !is_of_the_place(error.kind()) {
            return;
        }
        let mut health = self.health();
        health.failures = health.failures.saturating_add(1);
        health.last = Some(error.kind());
        let too_many = (rest.after > 0 && health.failures >= rest.after).then_some(rest.time);
        if let Some(time) = fallover.rest(error).map(|asked| asked.min(LONGEST_REST)).max(too_many) {
            health.rests_until = health.rests_until.max(now.saturating_add(time));
        }
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call of a target under way. It learns from how the call goes, and is counted until it is dropped.
#[derive(Debug)]
pub(super) struct Busy {
    load: Arc<Load>,
    clock: Arc<dyn Clock>,
    stream: bool,
    rest: Rest,
    fallover: Fallover,
    begun: Duration,
    /// Whether it is known how long it took.
    timed: bool,
}

impl Busy {
    pub(super) fn new(load: &Arc<Load>, clock: &Arc<dyn Clock>, stream: bool, rest: Rest, fallover: Fallover) -> Self {
        load.in_flight.fetch_add(1, Ordering::Relaxed);
        let begun = clock.now();
        Self { load: load.clone(), clock: clock.clone(), stream, rest, fallover, begun, timed: false }
    }

    /// The call ended in this error. That it did so fast does not make the target fast.
    pub(super) fn failed(&mut self, error: &Error) {
        self.load.failed(error, self.rest, &self.fallover, self.clock.now());
    }

    fn took(&mut self) {
        let now = self.clock.now();
        if !std::mem::replace(&mut self.timed, true) {
            self.latency().observe(now.saturating_sub(self.begun), now);
        }
    }

    fn latency(&self) -> &PeakEwma {
        if self.stream { &self.load.first } else { &self.load.whole }
    }
}

impl Watch for Busy {
    fn event(&mut self, _: &Event) {
        self.took();
    }

    fn end(&mut self, end: End<'_>) {
        match end {
            End::Answer(_) | End::Other => {
                self.took();
                self.load.succeeded();
            }
            End::Failed(error) => self.failed(error),
            End::Dropped => {}
        }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        if !self.timed {
            let now = self.clock.now();
            self.latency().at_least(now.saturating_sub(self.begun), now);
        }
        self.load.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
