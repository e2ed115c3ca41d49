//! A time by which a call is over, whatever is made of it.

use std::sync::Arc;
use std::time::Duration;

use sabir_core::{Call, Clock, Error, ErrorKind, Layer, Reply, Request, Result, Service, Shared, Stage};

use crate::RuntimeClock;
use crate::timeout::bounded;
use crate::timer::{Limits, Passed, Timer};

/// Ends a call that is not over in time, with all of its attempts, on whatever provider, and the waits between them and
/// for limits; a stream to its end included. The error is of kind `Timeout` and carries what had arrived.
///
/// It belongs above what tries again. [`Timeout`](crate::Timeout) bounds each attempt, below it.
///
/// ```
/// use std::time::Duration;
/// use sabir_layers::{Deadline, Stack};
///
/// let stack = Stack::standard().deadline(Deadline::after(Duration::from_secs(90))); // client.stack(stack)
/// # drop(stack);
/// ```
#[derive(Clone, Debug)]
pub struct Deadline {
    limit: Duration,
    clock: Arc<dyn Clock>,
}

impl Deadline {
    /// So long after the call; `Duration::MAX` is no limit.
    pub fn after(limit: Duration) -> Self {
        Self { limit, clock: Arc::new(RuntimeClock::default()) }
    }

    /// Sets the clock; the runtime's otherwise.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }
}

impl Layer for Deadline {
    fn apply(&self, inner: Shared) -> Shared {
        Shared::new(Bounded { deadline: self.clone(), inner })
    }
}

#[derive(Debug)]
struct Bounded {
    deadline: Deadline,
    inner: Shared,
}

impl Service for Bounded {
    async fn call<'a>(&'a self, call: &'a Call, request: &'a Request) -> Result<Reply> {
        let none = Duration::MAX;
        let limits = Limits { streams: true, first: none, idle: none, total: self.deadline.limit };
        let timer = Timer::new(self.deadline.clock.clone(), limits);
        bounded(timer, missed, self.inner.call(call, request), call, request).await
    }
}

fn missed(passed: Passed, provider: &str, stage: Stage) -> Error {
    let limit = passed.limit();
    let message = format!(
        "the call of {provider} was not over {limit:?} after it was made, with all of its attempts and waits; set a \
         later deadline (`Deadline`), or fewer attempts"
    );
    Error::new(ErrorKind::Timeout, message).with_stage(stage)
}

#[cfg(test)]
mod tests {
    use sabir_core::chat::{ChatRequest, ChatResponse, Event};
    use sabir_testkit::{ManualClock, Outcome, Scripted, Step, block_on_with, check_layer_on};

    use super::*;
    use crate::{Backoff, Retry};

    const SECOND: Duration = Duration::from_secs(1);

    fn by(clock: &ManualClock, limit: Duration) -> Deadline {
        Deadline::after(limit).clock(clock.clone())
    }

    fn chat(stream: bool) -> Request {
        let mut chat = ChatRequest::new("m").user("salt");
        chat.stream = stream;
        Request::Chat(chat)
    }

    #[test]
    fn one_that_is_far_changes_nothing() {
        let clock = ManualClock::new();
        check_layer_on(&clock, |inner| by(&clock, Duration::MAX).apply(inner)).assert_ok();
        check_layer_on(&clock, |inner| by(&clock, 1_000_000 * SECOND).apply(inner)).assert_ok();
    }

    /// Three attempts of four seconds each and the waits between them are more than ten seconds.
    #[test]
    fn all_attempts_and_their_waits_count() {
        let late = || Outcome::Fail(Error::new(ErrorKind::Overloaded, "not now")).after(4 * SECOND);
        for (limit, calls) in [(10 * SECOND, 3), (3 * SECOND, 1)] {
            let clock = ManualClock::new();
            let answer = Outcome::whole(ChatResponse::default()).after(4 * SECOND);
            let inner = Scripted::new(&clock, [late(), late(), answer]);
            let retry = Retry::default().clock(clock.clone()).backoff(Backoff::new(2 * SECOND, 2 * SECOND));
            let outer = by(&clock, limit).apply(retry.apply(inner.shared()));
            let error = block_on_with(&clock, outer.call(&Call::to("there"), &chat(false))).expect_err("too late");
            assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::MaybeSent));
            assert!(error.message().contains(&format!("not over {limit:?} after")), "{error}");
            assert_eq!((inner.calls() <= calls, clock.now()), (true, limit), "{} calls", inner.calls());
        }
    }

    #[test]
    fn a_stream_ends_with_what_had_arrived() {
        let clock = ManualClock::new();
        let word = || [Step::Wait(2 * SECOND), Step::Item(Ok(Event::Text("salt ".into())))];
        let inner = Scripted::new(&clock, [Outcome::Stream((0..9).flat_map(|_| word()).collect())]);
        let outer = by(&clock, 7 * SECOND).apply(inner.shared());
        let reply = block_on_with(&clock, outer.call(&Call::to("there"), &chat(true))).expect("a stream");
        let mut events = reply.stream().expect("a stream");
        let error = loop {
            let next = std::future::poll_fn(|cx| events.as_mut().poll_next(cx));
            if let Err(error) = block_on_with(&clock, next).expect("a terminal item") {
                break error;
            }
        };
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Timeout, Stage::Answered));
        let arrived = error.partial().expect("what had arrived").text();
        assert_eq!(arrived, "salt salt salt ");
        assert_eq!((inner.dropped(), clock.now()), (1, 7 * SECOND));
    }
}
