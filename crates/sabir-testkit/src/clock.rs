//! A clock that is turned by hand.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use sabir_core::Clock;
use sabir_core::transport::BoxFuture;

/// A clock on which time passes only when it is told to: no test waits, and none depends on how fast the machine
/// is. Clones are the same clock.
#[derive(Clone, Default)]
pub struct ManualClock(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    now: Duration,
    /// Who sleeps, by when and in which order they are to wake. The waker comes with the first poll.
    sleepers: BTreeMap<(Duration, u64), Option<Waker>>,
    next: u64,
}

impl ManualClock {
    /// A clock at 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets time pass, and wakes whom it is time for.
    pub fn advance(&self, time: Duration) {
        let mut state = self.state();
        let now = state.now + time;
        Self::turn(&mut state, now);
    }

    /// Lets time pass until the next sleeper is to wake; `false` where nobody sleeps.
    pub fn advance_to_next(&self) -> bool {
        let mut state = self.state();
        let Some((&(deadline, _), _)) = state.sleepers.first_key_value() else {
            return false;
        };
        Self::turn(&mut state, deadline);
        true
    }

    /// How many sleep.
    pub fn sleepers(&self) -> usize {
        self.state().sleepers.len()
    }

    fn turn(state: &mut State, now: Duration) {
        state.now = now.max(state.now);
        while let Some(entry) = state.sleepers.first_entry().filter(|entry| entry.key().0 <= state.now) {
            if let Some(waker) = entry.remove() {
                waker.wake();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Duration {
        self.state().now
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let mut state = self.state();
        let key = (state.now.saturating_add(time), state.next);
        state.next += 1;
        if !time.is_zero() {
            state.sleepers.insert(key, None);
        }
        Box::pin(Sleep { clock: self.clone(), key })
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let (now, sleepers) = (state.now, state.sleepers.len());
        f.debug_struct("ManualClock").field("now", &now).field("sleepers", &sleepers).finish()
    }
}

struct Sleep {
    clock: ManualClock,
    key: (Duration, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.clock.state().sleepers.get_mut(&self.key) {
            Some(waker) => {
                *waker = Some(cx.waker().clone());
                Poll::Pending
            }
            None => Poll::Ready(()),
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.state().sleepers.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Task;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn time_passes_by_hand_and_wakes_in_order() {
        let clock = ManualClock::new();
        let (mut late, mut soon) = (Task::new(clock.sleep(2 * SECOND)), Task::new(clock.sleep(SECOND)));
        assert!(late.until_idle().is_pending() && soon.until_idle().is_pending());
        clock.advance(SECOND / 2);
        assert!(soon.until_idle().is_pending());
        assert!(clock.advance_to_next());
        assert_eq!(clock.now(), SECOND);
        assert!(soon.until_idle().is_ready() && late.until_idle().is_pending());
        drop(late);
        assert_eq!(clock.sleepers(), 0);
        assert!(!clock.advance_to_next());
        assert!(Task::new(clock.sleep(Duration::ZERO)).until_idle().is_ready());
    }
}
