//! Whoever leaves a call, at any stage of it, leaves nothing behind: no call below, no alarm, no probe.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use sabir::chat::Event;
use sabir::{Call, ChatRequest, Error, ErrorKind, Layer, Request, Result, Service};
use sabir_layers::breaker::State;
use sabir_layers::{Breaker, Retry, Timeout};
use sabir_testkit::{ManualClock, Outcome, Scripted, Step, Task};

const SECOND: Duration = Duration::from_secs(1);

fn busy() -> Outcome {
    Outcome::Fail(Error::new(ErrorKind::Overloaded, "too busy").with_retry_after(10 * SECOND))
}

fn slow() -> Outcome {
    let text = |words: &str| Step::Item(Ok(Event::Text(words.into())));
    Outcome::Stream(vec![Step::Wait(SECOND), text("a"), Step::Wait(SECOND), text("b"), Step::Forever]).after(SECOND)
}

/// What is under way so many seconds after the call: how many calls below, how many alarms, how many of the calls were
/// made so far.
const STAGES: &[(&str, u64, (usize, usize, usize))] = &[
    ("in the backoff", 0, (0, 1, 1)),
    ("at the end of the backoff", 9, (0, 1, 1)),
    ("before the second try's head", 10, (1, 2, 2)),
    ("before its first event", 11, (1, 2, 2)),
    ("between its events", 12, (1, 2, 2)),
    ("after its last event", 13, (1, 1, 2)),
];

#[test]
fn nothing_is_left_of_a_call_that_is_dropped_at_any_stage() {
    for (stage, seconds, under_way) in STAGES {
        let clock = ManualClock::new();
        let inner = Scripted::new(&clock, [busy(), slow()]);
        let breaker = Breaker::default().clock(clock.clone()).opens_at(1, 2.0, SECOND);
        let timed = Timeout::default().clock(clock.clone()).apply(inner.shared());
        let outer = Retry::default().clock(clock.clone()).apply(breaker.apply(timed));
        let mut chat = ChatRequest::new("m").user("x");
        chat.stream = true;
        let (call, request) = (Call::to("p"), Request::Chat(chat));
        let mut task = Task::new(async {
            let mut events = outer.call(&call, &request).await?.stream()?;
            loop {
                poll_fn(|cx| events.as_mut().poll_next(cx)).await.expect("a terminal item")?;
            }
        });
        let mut poll = || -> Poll<Result<()>> { task.until_idle() };
        assert!(poll().is_pending());
        for _ in 0..*seconds {
            clock.advance(SECOND);
            assert!(poll().is_pending(), "{stage}");
        }
        assert_eq!((inner.in_flight(), clock.sleepers(), inner.calls()), *under_way, "{stage}");
        drop(task);
        assert_eq!((inner.in_flight(), clock.sleepers()), (0, 0), "{stage}");
        assert_eq!(inner.dropped(), under_way.0, "{stage}");
        assert_eq!(breaker.states()[0].1, State::Closed, "{stage}");
    }
}

#[test]
fn together_they_are_a_layer_too() {
    let clock = ManualClock::new();
    sabir_testkit::check_layer_on(&clock, |inner| {
        let timed = Timeout::default().clock(clock.clone()).apply(inner);
        Retry::default().clock(clock.clone()).apply(Breaker::default().clock(clock.clone()).apply(timed))
    })
    .assert_ok();
}
