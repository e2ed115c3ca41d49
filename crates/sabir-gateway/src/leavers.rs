//! Answers whose client went away: they are read on, within a cap, so that what is settled is the provider's own figures
//! and no estimate.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt as _};
use http::Response;
use sabir::transport::{Body, BoxFuture};
use sabir::{Result, Trail};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

use crate::access::Line;

/// The most answers that are read on at once; of those beyond, what they cost is estimated at once.
const MOST: usize = 1_000;

/// How often it is looked whether all are read, where somebody waits for that.
const LOOK: Duration = Duration::from_millis(100);

/// How far an answer is read on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cap {
    /// Nothing is read on where this is nothing.
    pub(crate) time: Duration,
    pub(crate) bytes: usize,
}

impl Default for Cap {
    fn default() -> Self {
        Self { time: Duration::from_secs(30), bytes: 1 << 20 }
    }
}

/// All answers that are read on. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Leavers(Arc<All>);

struct All {
    /// `None` once no more are read on.
    reading: Mutex<Option<JoinSet<()>>>,
    ended: AtomicU64,
    given_up: AtomicU64,
}

impl Default for All {
    fn default() -> Self {
        Self { reading: Mutex::new(Some(JoinSet::new())), ended: AtomicU64::new(0), given_up: AtomicU64::new(0) }
    }
}

impl fmt::Debug for Leavers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leavers").field("counted", &self.counted()).finish_non_exhaustive()
    }
}

impl Leavers {
    /// Waits for an answer that is read on should the client go away, before it begins or in its middle. A call that has
    /// not left when its client does, because it stands in a line, is not made.
    pub(crate) async fn follow(
        &self,
        cap: Cap,
        line: Option<&Line>,
        trail: Trail,
        serving: BoxFuture<'static, Response<Body>>,
    ) -> Response<Body> {
        if cap.time.is_zero() {
            return serving.await;
        }
        let leaving = || Leaving { all: self.clone(), cap, line: line.cloned() };
        let response = Serving { inner: Some(serving), trail, leaving: leaving() }.await;
        response.map(|body| Box::pin(Going { inner: Some(body), leaving: leaving() }) as Body)
    }

    /// Reads no more on than what is read already, and that no longer than until then.
    pub(crate) async fn end(&self, until: Instant) {
        let Some(mut reading) = self.0.reading.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let _ = timeout_at(until, async { while reading.join_next().await.is_some() {} }).await;
        // What is left is dropped here, and settled as it is dropped.
        reading.shutdown().await;
    }

    /// Waits until none is read on, those included whose clients leave now.
    pub(crate) async fn are_read(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            if !self.are_reading() {
                return;
            }
        }
    }

    fn are_reading(&self) -> bool {
        let mut reading = self.0.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(reading) = &mut *reading else { return false };
        while reading.try_join_next().is_some() {}
        !reading.is_empty()
    }

    /// How many answers were read to their end without their client, and how many were given up.
    pub(crate) fn counted(&self) -> (u64, u64) {
        (self.0.ended.load(Ordering::Relaxed), self.0.given_up.load(Ordering::Relaxed))
    }
}

/// One request's way to be read on.
struct Leaving {
    all: Leavers,
    cap: Cap,
    line: Option<Line>,
}

impl Leaving {
    /// The client is gone: what is left of its answer is read, which `rest` does and says whether it came to its end.
    fn read<F: Future<Output = bool> + Send + 'static>(&mut self, rest: F) {
        let (all, time, line) = (self.all.clone(), self.cap.time, self.line.take());
        if let Some(line) = &line {
            line.is_left();
        }
        // Counted as given up until it is known otherwise: it may be dropped at any point from here on.
        let unknown = GivenUp { all: all.clone(), is_over: false };
        let reading = async move {
            let mut unknown = unknown;
            unknown.is_over = timeout(time, rest).await.unwrap_or(false);
            drop(line);
        };
        let Ok(runtime) = Handle::try_current() else { return };
        let mut all = all.0.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(all) = &mut *all else { return };
        while all.try_join_next().is_some() {}
        if all.len() < MOST {
            all.spawn_on(reading, &runtime);
        }
    }
}

/// Counts how the reading of one ended, whatever ended it.
struct GivenUp {
    all: Leavers,
    is_over: bool,
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        let All { ended, given_up, .. } = &*self.all.0;
        if self.is_over { ended } else { given_up }.fetch_add(1, Ordering::Relaxed);
    }
}

/// Whether a body came to its end within so many bytes.
async fn read_out(mut body: Body, most: usize) -> bool {
    let mut left = most;
    while let Some(Ok(piece)) = body.next().await {
        let Some(less) = left.checked_sub(piece.len()) else { return false };
        left = less;
    }
    true
}

/// An answer that is not there yet.
struct Serving {
    inner: Option<BoxFuture<'static, Response<Body>>>,
    trail: Trail,
    leaving: Leaving,
}

impl Future for Serving {
    type Output = Response<Body>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let inner = self.inner.as_mut().expect("it is not polled again when it was ready");
        let served = inner.as_mut().poll(cx);
        if served.is_ready() {
            self.inner = None;
        }
        served
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Some(serving) = self.inner.take().filter(|_| self.trail.has_left()) {
            let most = self.leaving.cap.bytes;
            self.leaving.read(async move { read_out(serving.await.into_body(), most).await });
        }
    }
}

/// An answer on its way to its client.
struct Going {
    /// `None` when it is over.
    inner: Option<Body>,
    leaving: Leaving,
}

impl Stream for Going {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let next = inner.as_mut().poll_next(cx);
        if !matches!(next, Poll::Pending | Poll::Ready(Some(Ok(_)))) {
            self.inner = None;
        }
        next
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.as_ref().map_or((0, Some(0)), Stream::size_hint)
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if let Some(rest) = self.inner.take() {
            self.leaving.read(read_out(rest, self.leaving.cap.bytes));
        }
    }
}
