//! Time limits: their defaults, and one timer for a whole exchange.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sabir_core::transport::Timeouts;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::outgoing::Taken;

/// The limits of an [`HttpTransport`](crate::HttpTransport) that was told of no others: 10 s to connect,
/// 60 s to the first byte, 120 s between two pieces, none on the whole.
///
/// A model that thinks before it answers a request that is not streamed can take longer than the 60 s.
pub const DEFAULT_TIMEOUTS: Timeouts = Timeouts {
    connect: Some(Duration::from_secs(10)),
    first_byte: Some(Duration::from_secs(60)),
    idle: Some(Duration::from_secs(120)),
    total: None,
};

/// The limits in `over` where it has them, else those of `base`.
pub(crate) fn merged(base: Timeouts, over: Timeouts) -> Timeouts {
    Timeouts {
        connect: over.connect.or(base.connect),
        first_byte: over.first_byte.or(base.first_byte),
        idle: over.idle.or(base.idle),
        total: over.total.or(base.total),
    }
}

/// Which limit passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limit {
    Connect,
    FirstByte,
    Idle,
    Total,
}

/// The limits of one exchange and the one timer that watches them.
///
/// Setting a timer costs more than looking at a clock, so the timer is made when something is first waited
/// for and is moved only when it fires early, never at each piece.
#[derive(Debug)]
pub(crate) struct Watch {
    timeouts: Timeouts,
    started: Instant,
    /// When the timer last looked whether a connection had taken the request up.
    looked: Instant,
    /// Since when the reader waits for the next piece.
    waiting: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Watch {
    pub(crate) fn new(timeouts: Timeouts) -> Self {
        let started = Instant::now();
        Self { timeouts, started, looked: started, waiting: None, sleep: None }
    }

    pub(crate) fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// Ready when a limit passed before the answer's head came.
    pub(crate) fn poll_head(&mut self, taken: &Taken, cx: &mut Context<'_>) -> Poll<Limit> {
        loop {
            let (own, limit) = match taken.at() {
                None => (after(self.started, self.timeouts.connect), Limit::Connect),
                Some(at) => (after(at, self.timeouts.first_byte), Limit::FirstByte),
            };
            let (deadline, limit) = self.or_total(own, limit);
            // Nobody wakes us when the request is taken up, so look again no later than
            // the first-byte limit could have passed.
            let look = match limit {
                Limit::Connect | Limit::Total if taken.at().is_none() => after(self.looked, self.timeouts.first_byte),
                _ => None,
            };
            match (deadline, look) {
                (deadline, Some(look)) if deadline.is_none_or(|d| look < d) => {
                    ready!(self.poll_sleep(Some(look), cx));
                    self.looked = Instant::now();
                }
                _ => {
                    ready!(self.poll_sleep(deadline, cx));
                    return Poll::Ready(limit);
                }
            }
        }
    }

    /// Ready when a limit passed while the reader waited for the next piece. Time in which nobody reads
    /// does not count as the server's silence.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Limit> {
        let own = match self.timeouts.idle {
            None => None,
            idle => after(*self.waiting.get_or_insert_with(Instant::now), idle),
        };
        let (deadline, limit) = self.or_total(own, Limit::Idle);
        ready!(self.poll_sleep(deadline, cx));
        Poll::Ready(limit)
    }

    /// Notes that a piece came. `Err` when it came after the limit on the whole.
    pub(crate) fn piece_came(&mut self) -> Result<(), Limit> {
        self.waiting = None;
        match after(self.started, self.timeouts.total) {
            Some(end) if Instant::now() >= end => Err(Limit::Total),
            _ => Ok(()),
        }
    }

    fn or_total(&self, own: Option<Instant>, limit: Limit) -> (Option<Instant>, Limit) {
        match (own, after(self.started, self.timeouts.total)) {
            (Some(own), Some(total)) if total < own => (Some(total), Limit::Total),
            (None, Some(total)) => (Some(total), Limit::Total),
            (own, _) => (own, limit),
        }
    }

    fn poll_sleep(&mut self, deadline: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = deadline else { return Poll::Pending };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(deadline);
        }
    }
}

/// `None` when there is no limit, or one so far away that it cannot be told apart from none.
fn after(start: Instant, limit: Option<Duration>) -> Option<Instant> {
    limit.and_then(|limit| start.checked_add(limit))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn the_first_byte_limit_runs_from_when_the_request_was_taken() {
        let mut watch = Watch::new(Timeouts { first_byte: Some(Duration::from_secs(2)), ..DEFAULT_TIMEOUTS });
        let taken = Taken::default();
        // Another task, so that nothing but the timer wakes this one.
        tokio::spawn({
            let taken = taken.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(1500)).await;
                taken.mark();
            }
        });
        assert_eq!(poll_fn(|cx| watch.poll_head(&taken, cx)).await, Limit::FirstByte);
        assert_eq!(watch.started.elapsed().as_millis() / 100, 35);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_never_taken_ends_by_the_connect_limit_or_the_total() {
        for (connect, total, limit, seconds) in
            [(Some(3), None, Limit::Connect, 3), (Some(30), Some(4), Limit::Total, 4), (None, Some(5), Limit::Total, 5)]
        {
            let seconds_of = |s: Option<u64>| s.map(Duration::from_secs);
            let timeouts = Timeouts {
                connect: seconds_of(connect),
                first_byte: seconds_of(Some(2)),
                idle: None,
                total: seconds_of(total),
            };
            let mut watch = Watch::new(timeouts);
            assert_eq!(poll_fn(|cx| watch.poll_head(&Taken::default(), cx)).await, limit);
            assert_eq!(watch.started.elapsed().as_secs(), seconds);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nobody_reads_is_not_the_servers_silence() {
        let mut watch = Watch::new(DEFAULT_TIMEOUTS);
        for _ in 0..3 {
            tokio::time::sleep(HOUR).await;
            assert!(poll_fn(|cx| Poll::Ready(watch.poll_piece(cx))).await.is_pending());
            assert_eq!(watch.piece_came(), Ok(()));
        }
        let waiting = Instant::now();
        assert_eq!(poll_fn(|cx| watch.poll_piece(cx)).await, Limit::Idle);
        assert_eq!(waiting.elapsed().as_secs(), 120);
    }

    #[tokio::test(start_paused = true)]
    async fn pieces_that_never_pause_do_not_pass_the_total() {
        let mut watch = Watch::new(Timeouts { total: Some(HOUR), ..DEFAULT_TIMEOUTS });
        assert_eq!(watch.piece_came(), Ok(()));
        tokio::time::sleep(HOUR).await;
        assert_eq!(watch.piece_came(), Err(Limit::Total));
    }
}
