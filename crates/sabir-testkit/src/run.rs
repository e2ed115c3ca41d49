//! Running futures by hand, with time that passes only when nothing else can happen.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use sabir_core::transport::BoxFuture;

use crate::ManualClock;

/// More polls than any test needs; a future that reaches them spins.
const SPIN: usize = 1_000_000;

/// Runs a future that waits for nothing outside itself.
///
/// # Panics
/// Where the future waits for something that nobody will do: a deadlock.
#[track_caller]
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    block_on_with(&ManualClock::new(), future)
}

/// Runs a future; whenever all of it waits, the clock goes to the next time at which something wakes.
///
/// # Panics
/// Where the future waits and nobody sleeps on the clock: a deadlock.
#[track_caller]
pub fn block_on_with<T>(clock: &ManualClock, future: impl Future<Output = T>) -> T {
    match try_block_on(clock, future) {
        Ok(output) => output,
        Err(stuck) => panic!("{stuck}"),
    }
}

/// [`block_on_with`] for the suites: being stuck is something that they find.
pub(crate) fn try_block_on<T>(clock: &ManualClock, future: impl Future<Output = T>) -> Result<T, String> {
    let mut task = Task::new(future);
    for _ in 0..SPIN {
        if let Poll::Ready(output) = task.until_idle() {
            return Ok(output);
        }
        if !clock.advance_to_next() {
            return Err(format!("deadlock: the future waits for something that nobody will do; {clock:?}"));
        }
    }
    Err(format!("the future still sleeps after {SPIN} turns of the clock: {clock:?}"))
}

/// A future that is polled by hand.
pub struct Task<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    woken: Arc<Woken>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<'a, T> Task<'a, T> {
    /// A future that has not been polled.
    pub fn new(future: impl Future<Output = T> + 'a) -> Self {
        Self { future: Box::pin(future), woken: Arc::new(Woken(AtomicBool::new(true))) }
    }

    /// Polls once, woken or not. Not to be called after it was ready.
    pub fn poll_once(&mut self) -> Poll<T> {
        self.woken.0.store(false, Ordering::SeqCst);
        let waker = Waker::from(self.woken.clone());
        self.future.as_mut().poll(&mut Context::from_waker(&waker))
    }

    /// Whether something asked to be polled since the last poll.
    pub fn is_woken(&self) -> bool {
        self.woken.0.load(Ordering::SeqCst)
    }

    /// Polls while something asks for it. Not to be called after it was ready.
    ///
    /// # Panics
    /// Where the future wakes itself without end.
    #[track_caller]
    pub fn until_idle(&mut self) -> Poll<T> {
        for _ in 0..SPIN {
            if !self.is_woken() {
                return Poll::Pending;
            }
            if let Poll::Ready(output) = self.poll_once() {
                return Poll::Ready(output);
            }
        }
        panic!("the future was polled {SPIN} times and wakes itself again: it spins");
    }
}

impl<T> std::fmt::Debug for Task<'_, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Task").field("woken", &self.is_woken()).finish_non_exhaustive()
    }
}

/// Runs several futures at once; their outputs in order.
pub async fn join_all<T>(futures: Vec<BoxFuture<'_, T>>) -> Vec<T> {
    let mut running: Vec<_> = futures.into_iter().map(|future| (Some(future), None)).collect();
    poll_fn(|cx| {
        for (future, output) in &mut running {
            if let Some(Poll::Ready(value)) = future.as_mut().map(|future| future.as_mut().poll(cx)) {
                (*future, *output) = (None, Some(value));
            }
        }
        if running.iter().all(|(future, _)| future.is_none()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, output)| output).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sabir_core::Clock as _;

    use super::*;

    #[test]
    fn the_clock_goes_on_when_all_wait() {
        let clock = ManualClock::new();
        let sleep = |seconds: u64| -> BoxFuture<'_, u64> {
            let sleep = clock.sleep(Duration::from_secs(seconds));
            Box::pin(async move {
                sleep.await;
                seconds
            })
        };
        let slept = block_on_with(&clock, join_all(vec![sleep(3600), sleep(1), sleep(60)]));
        assert_eq!((slept, clock.now()), (vec![3600, 1, 60], Duration::from_secs(3600)));
    }

    #[test]
    #[should_panic(expected = "deadlock")]
    fn waiting_for_nobody_is_told() {
        block_on(std::future::pending::<()>());
    }

    #[test]
    #[should_panic(expected = "it spins")]
    fn spinning_is_told() {
        block_on(poll_fn::<(), _>(|cx| {
            cx.waker().wake_by_ref();
            Poll::Pending
        }));
    }
}
