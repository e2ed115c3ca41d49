use std::time::Duration;

use sabir_core::chat::{ChatRequest, ChatResponse, Event};
use sabir_core::{Call, Clock as _, Error, ErrorKind, Reply, Request, Service as _};
use sabir_testkit::{ManualClock, Outcome, Scripted, Step, Task, block_on_with, collect};

const SECOND: Duration = Duration::from_secs(1);

fn request() -> Request {
    Request::Chat(ChatRequest::new("m").user("Hi"))
}

#[test]
fn outcomes_come_in_order_and_calls_are_remembered() {
    let clock = ManualClock::new();
    let failure = Error::new(ErrorKind::RateLimit, "slow down");
    let inner =
        Scripted::new(&clock, [Outcome::Fail(failure.clone()), Outcome::whole(ChatResponse::default()).after(SECOND)]);
    let ask = || block_on_with(&clock, inner.shared().call(&Call::to("p"), &request())).and_then(Reply::whole);
    assert_eq!(ask(), Err(failure));
    assert_eq!((ask(), clock.now()), (Ok(ChatResponse::default()), SECOND));
    assert_eq!(ask().expect_err("the script is at its end").kind(), ErrorKind::Configuration);
    inner.push(Outcome::whole(ChatResponse::default()));
    assert!(ask().is_ok());
    let seen = inner.seen();
    assert_eq!((seen.len(), seen[0].call.provider.as_str(), &seen[1].request), (4, "p", &request()));
    assert_eq!((seen[1].at, seen[2].at), (Duration::ZERO, SECOND));
    assert_eq!((inner.in_flight(), inner.dropped()), (0, 0));
}

#[test]
fn streams_take_their_time_and_are_counted() {
    let clock = ManualClock::new();
    let done = Event::Done(Box::default());
    let steps =
        vec![Step::Wait(SECOND), Step::Item(Ok(Event::Text("a".into()))), Step::Wait(SECOND), Step::Item(Ok(done))];
    let inner = Scripted::answering(&clock, move |_, _| Outcome::Stream(steps.clone()));
    let ask =
        || block_on_with(&clock, inner.call(&Call::default(), &request())).and_then(Reply::stream).expect("a stream");
    assert_eq!(block_on_with(&clock, collect(ask())).len(), 2);
    assert_eq!((clock.now(), inner.in_flight(), inner.dropped()), (2 * SECOND, 0, 0));
    let stream = ask();
    assert_eq!(inner.in_flight(), 1);
    drop(stream);
    assert_eq!((inner.in_flight(), inner.dropped()), (0, 1));
}

#[test]
fn a_call_that_waits_for_ever_can_be_left() {
    let clock = ManualClock::new();
    let inner = Scripted::answering(&clock, |_, _| Outcome::Forever);
    let (call, request) = (Call::default(), request());
    let mut waiting = Task::new(inner.call(&call, &request));
    assert!(waiting.until_idle().is_pending());
    assert_eq!((inner.in_flight(), inner.dropped()), (1, 0));
    drop(waiting);
    assert_eq!((inner.in_flight(), inner.dropped()), (0, 1));
}
