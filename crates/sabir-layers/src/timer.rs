//! The one timer that watches the limits of a call.

use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use sabir_core::transport::BoxFuture;
use sabir_core::{Clock, Error, ErrorKind, Stage};

/// How long a call may take. `Duration::MAX` is no limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Whether the answer streams; one that comes whole has only a total.
    pub(crate) streams: bool,
    /// To the first event.
    pub(crate) first: Duration,
    /// Between two events.
    pub(crate) idle: Duration,
    /// To the end.
    pub(crate) total: Duration,
}

/// A limit that has passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passed {
    Whole(Duration),
    First(Duration),
    Idle(Duration),
    Total(Duration),
}

impl Passed {
    /// How long it was.
    pub(crate) fn limit(self) -> Duration {
        let (Self::Whole(limit) | Self::First(limit) | Self::Idle(limit) | Self::Total(limit)) = self;
        limit
    }

    pub(crate) fn error(self, provider: &str, stage: Stage) -> Error {
        let message = match self {
            Self::Whole(limit) => format!(
                "{provider} gave no whole answer within {limit:?}; \
                 raise the limit on whole answers (`Timeout::whole`, or the call's `total`), or stream"
            ),
            Self::First(limit) => format!(
                "{provider} did not begin to answer within {limit:?}; \
                 raise the limit to the first event (`Timeout::first_event`, or the call's `first_byte`)"
            ),
            Self::Idle(limit) => format!(
                "{provider} fell silent in the middle of its answer for {limit:?}; \
                 raise the limit between events (`Timeout::idle`, or the call's `idle`)"
            ),
            Self::Total(limit) => format!(
                "the answer of {provider} did not end within {limit:?}; \
                 raise the limit on streams (`Timeout::total`, or the call's `total`)"
            ),
        };
        Error::new(ErrorKind::Timeout, message).with_stage(stage)
    }
}

/// Watches the limits of one call. Setting an alarm costs more than looking at a clock, and both more than an event: so
/// the clock is looked at when something is first waited for, and the alarm is moved when it rings too early.
pub(crate) struct Timer {
    clock: Arc<dyn Clock>,
    limits: Limits,
    started: Duration,
    /// Since when the next event is waited for: the call for the first one; `None` where nobody waits.
    waiting: Option<Duration>,
    begun: bool,
    alarm: Option<(Duration, BoxFuture<'static, ()>)>,
}

impl Timer {
    pub(crate) fn new(clock: Arc<dyn Clock>, limits: Limits) -> Self {
        let started = clock.now();
        Self { clock, limits, started, waiting: Some(started), begun: false, alarm: None }
    }

    /// Ready when a limit passed while something was waited for.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Passed> {
        let since = *self.waiting.get_or_insert_with(|| self.clock.now());
        let Some((deadline, passed)) = self.deadline(since) else {
            return Poll::Pending;
        };
        loop {
            match &mut self.alarm {
                // One that rings later than it must is of no use.
                Some((at, alarm)) if *at <= deadline => {
                    ready!(alarm.as_mut().poll(cx));
                    self.alarm = None;
                }
                _ => {
                    let now = self.clock.now();
                    if now >= deadline {
                        return Poll::Ready(passed);
                    }
                    self.alarm = Some((deadline, self.clock.sleep(deadline.saturating_sub(now))));
                }
            }
        }
    }

    /// Notes that an event came. `Some` where it came after the limit on the whole.
    pub(crate) fn came(&mut self) -> Option<Passed> {
        self.begun = true;
        self.waiting = None;
        let end = after(self.started, self.limits.total)?;
        (self.clock.now() >= end).then_some(Passed::Total(self.limits.total))
    }

    /// Whether an event came.
    pub(crate) fn has_begun(&self) -> bool {
        self.begun
    }

    fn deadline(&self, since: Duration) -> Option<(Duration, Passed)> {
        let Limits { streams, first, idle, total } = self.limits;
        if !streams {
            return Some((after(self.started, total)?, Passed::Whole(total)));
        }
        let (limit, passed) = if self.begun { (idle, Passed::Idle(idle)) } else { (first, Passed::First(first)) };
        let next = after(since, limit).map(|at| (at, passed));
        let end = after(self.started, total).map(|at| (at, Passed::Total(total)));
        next.into_iter().chain(end).min_by_key(|(at, _)| *at)
    }
}

/// `None` where there is no limit, or one so far away that it is none.
fn after(start: Duration, limit: Duration) -> Option<Duration> {
    if limit == Duration::MAX { None } else { start.checked_add(limit) }
}
