//! How many calls are under way, and how many were given up: so that a test can see that dropping cancels.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_core::Stream;
use sabir_core::Result;

/// Shared by a simulator and all that it has under way.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    in_flight: AtomicUsize,
    cancelled: AtomicUsize,
}

impl Counters {
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    pub(crate) fn cancelled(&self) -> usize {
        self.cancelled.load(Ordering::SeqCst)
    }

    /// Counts a call in.
    pub(crate) fn enter(self: &Arc<Self>) -> Guard {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        Guard { counters: self.clone(), finished: false }
    }
}

/// One call. Dropped before it is finished, it was cancelled.
#[derive(Debug)]
pub(crate) struct Guard {
    counters: Arc<Counters>,
    finished: bool,
}

impl Guard {
    pub(crate) fn finish(&mut self) {
        self.finished = true;
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // First, so that nobody who sees the call gone misses that it was cancelled.
        if !self.finished {
            self.counters.cancelled.fetch_add(1, Ordering::SeqCst);
        }
        self.counters.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A stream of events or bytes that belongs to a call.
pub(crate) struct Counted<T> {
    stream: Pin<Box<dyn Stream<Item = Result<T>> + Send>>,
    /// Gone as soon as the stream is over, whoever still holds it.
    guard: Option<Guard>,
    is_last: fn(&T) -> bool,
}

impl<T> Counted<T> {
    /// `is_last` knows an item after which a reader need not ask again.
    pub(crate) fn new(
        stream: Pin<Box<dyn Stream<Item = Result<T>> + Send>>,
        guard: Guard,
        is_last: fn(&T) -> bool,
    ) -> Self {
        Self { stream, guard: Some(guard), is_last }
    }
}

impl<T> Stream for Counted<T> {
    type Item = Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = self.stream.as_mut().poll_next(cx);
        let is_over = match &polled {
            Poll::Ready(Some(Ok(item))) => (self.is_last)(item),
            Poll::Ready(_) => true,
            Poll::Pending => false,
        };
        if is_over && let Some(mut guard) = self.guard.take() {
            guard.finish();
        }
        polled
    }
}
