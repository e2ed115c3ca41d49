use sabir_core::ErrorKind;
use sabir_core::chat::ChatResponse;
use sabir_core::embed::EmbedRequest;
use sabir_testkit::{
    ManualClock, Outcome, Scripted, Step, Task, block_on_with, check_events, check_layer_on, collect, events_of,
};

use super::*;
use crate::trial::{SECOND, answer, ask, text};

/// How a call with these time limits of its own ends, and when.
fn run(layer: &Timeout, asked: Timeouts, outcome: Outcome, stream: bool) -> (Result<ChatResponse, Error>, u64) {
    let clock = ManualClock::new();
    // Not at the clock's start, so that times since then do not pass for times since the call.
    clock.advance(1_000 * SECOND);
    let inner = Scripted::new(&clock, [outcome]);
    let outer = layer.clone().clock(clock.clone()).apply(inner.shared());
    let mut call = Call::to("p");
    call.timeouts = asked;
    let result = block_on_with(&clock, async {
        match outer.call(&call, &ask(stream)).await? {
            Reply::Stream(stream) => {
                let items = collect(stream).await;
                check_events(&items).expect("the contract");
                match items.into_iter().last().expect("a terminal item")? {
                    Event::Done(response) => Ok(*response),
                    other => panic!("{other:?}"),
                }
            }
            reply => reply.whole(),
        }
    });
    assert_eq!((inner.in_flight(), clock.sleepers(), inner.calls()), (0, 0, 1));
    (result, clock.now().as_secs() - 1_000)
}

fn late(run: (Result<ChatResponse, Error>, u64)) -> (Error, u64) {
    let error = run.0.expect_err("too late");
    assert_eq!((error.kind(), error.provider(), error.model()), (ErrorKind::Timeout, Some("p"), Some("m")));
    (error, run.1)
}

#[test]
fn it_is_a_layer() {
    let clock = ManualClock::new();
    check_layer_on(&clock, |inner| Timeout::default().clock(clock.clone()).apply(inner)).assert_ok();
}

#[test]
fn a_whole_answer_has_its_minute() {
    let (layer, none) = (Timeout::default(), Timeouts::default());
    let slow = |seconds| Outcome::whole(answer()).after(SECOND * seconds);
    let (error, at) = late(run(&layer, none, slow(61), false));
    assert_eq!((at, error.stage()), (60, Stage::MaybeSent));
    assert!(error.message().contains("60s") && error.message().contains("Timeout::whole"), "{error}");
    assert_eq!(run(&layer, none, slow(59), false).1, 59);
    // The call's own limit wins, both ways.
    for (total, seconds, expected) in [(5, 9, 5), (300, 299, 299)] {
        let asked = Timeouts { total: Some(SECOND * total), ..none };
        let (result, at) = run(&layer, asked, slow(seconds), false);
        assert_eq!((result.is_ok(), at), (seconds < total, expected));
    }
    let asked = Timeouts { total: Some(Duration::MAX), ..none };
    assert_eq!(run(&layer, asked, slow(1_000_000), false).1, 1_000_000);
}

#[test]
fn a_stream_must_begin_and_go_on() {
    let (layer, none) = (Timeout::default(), Timeouts::default());
    // No head, and a head with nothing after it: the time counts from the call.
    for outcome in [Outcome::Forever, Outcome::Stream(vec![Step::Forever]).after(20 * SECOND)] {
        let (error, at) = late(run(&layer, none, outcome, true));
        assert_eq!((at, error.stage(), error.partial()), (60, Stage::MaybeSent, None));
        assert!(error.message().contains("60s") && error.message().contains("first_event"), "{error}");
    }
    let steps = vec![Step::Wait(59 * SECOND), text("Hel"), Step::Wait(119 * SECOND), text("lo"), Step::Forever];
    let (error, at) = late(run(&layer, none, Outcome::Stream(steps), true));
    assert_eq!((at, error.stage()), (59 + 119 + 120, Stage::Answered));
    let partial = error.partial().expect("what had arrived");
    assert_eq!((partial.text().as_str(), partial.provider.as_str()), ("Hello", "p"));
    assert!(error.message().contains("120s") && error.message().contains("idle"), "{error}");
    // A short limit after a long one: the alarm for the long one is too late.
    let asked = Timeouts { first_byte: Some(600 * SECOND), idle: Some(5 * SECOND), ..none };
    let steps = vec![Step::Wait(SECOND), text("a"), Step::Wait(4 * SECOND), text("b"), Step::Forever];
    assert_eq!(late(run(&layer, asked, Outcome::Stream(steps), true)).1, 1 + 4 + 5);
}

#[test]
fn a_total_holds_for_a_stream_that_never_pauses_too() {
    let layer = Timeout::default().total(10 * SECOND);
    let steps = vec![text("a"), Step::Wait(9 * SECOND), text("b"), Step::Wait(9 * SECOND), text("c")];
    let (error, at) = late(run(&layer, Timeouts::default(), Outcome::Stream(steps), true));
    assert_eq!((at, error.partial().expect("a part").text().as_str()), (10, "ab"));
    assert!(error.message().contains("Timeout::total"), "{error}");

    let clock = ManualClock::new();
    let inner = Scripted::answering(&clock, |_, _| Outcome::Stream((0..99).map(|_| text("x")).collect()));
    let outer = layer.clock(clock.clone()).apply(inner.shared());
    let mut stream = block_on_with(&clock, outer.call(&Call::to("p"), &ask(true))).expect("a reply").stream().unwrap();
    let mut events = 0;
    loop {
        clock.advance(SECOND);
        // Never once is anything waited for.
        match Task::new(poll_fn(|cx| stream.as_mut().poll_next(cx))).until_idle() {
            Poll::Ready(Some(Ok(_))) => events += 1,
            Poll::Ready(Some(Err(error))) => break assert_eq!(error.kind(), ErrorKind::Timeout),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((events, inner.in_flight()), (9, 0));
}

#[test]
fn time_in_which_nobody_reads_is_no_silence() {
    let clock = ManualClock::new();
    let steps = vec![text("a"), Step::Wait(SECOND), text("b"), Step::Forever];
    let inner = Scripted::new(&clock, [Outcome::Stream(steps)]);
    let outer = Timeout::default().clock(clock.clone()).apply(inner.shared());
    let mut stream = block_on_with(&clock, outer.call(&Call::to("p"), &ask(true))).expect("a reply").stream().unwrap();
    let mut next = || block_on_with(&clock, poll_fn(|cx| stream.as_mut().poll_next(cx))).expect("an item");
    for _ in 0..2 {
        next().expect("an event");
        clock.advance(3_600 * SECOND);
    }
    let before = clock.now();
    next().expect_err("silence");
    assert_eq!(clock.now(), before + 120 * SECOND);
}

#[test]
fn what_is_below_gets_only_the_limits_that_do_not_hold_here() {
    let asked = Timeouts { first_byte: Some(7 * SECOND), idle: Some(8 * SECOND), ..Timeouts::default() };
    let max = Some(Duration::MAX);
    for (asked, request, first_byte, idle) in [
        (Timeouts::default(), ask(false), max, max),
        (asked, ask(false), asked.first_byte, asked.idle),
        (asked, ask(true), max, max),
        (Timeouts::default(), Request::Embed(EmbedRequest::default()), max, max),
    ] {
        let clock = ManualClock::new();
        let inner = Scripted::answering(&clock, |_, _| Outcome::whole(answer()));
        let mut call = Call::to("p");
        call.timeouts = asked;
        let outer = Timeout::default().clock(clock.clone()).apply(inner.shared());
        block_on_with(&clock, outer.call(&call, &request)).expect("a reply");
        let below = inner.seen()[0].call.timeouts;
        assert_eq!(below, Timeouts { connect: Some(10 * SECOND), first_byte, idle, total: max });
    }
}

#[test]
fn events_that_are_there_cost_no_look_at_the_clock() {
    let clock = CountedClock::default();
    let manual = ManualClock::new();
    let inner = Scripted::answering(&manual, |_, _| Outcome::events(events_of(&answer()).into_iter().map(Ok)));
    let outer = Timeout::default().clock(clock.clone()).apply(inner.shared());
    let items = block_on_with(&manual, async {
        collect(outer.call(&Call::to("p"), &ask(true)).await.expect("a reply").stream().expect("a stream")).await
    });
    assert!(items.len() > 3);
    assert_eq!(clock.0.load(std::sync::atomic::Ordering::SeqCst), 1);
}

/// A clock that counts how often it is looked at, and on which nobody should sleep.
#[derive(Clone, Debug, Default)]
struct CountedClock(Arc<std::sync::atomic::AtomicUsize>);

impl Clock for CountedClock {
    fn now(&self) -> Duration {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Duration::ZERO
    }

    fn sleep(&self, _: Duration) -> sabir_core::transport::BoxFuture<'static, ()> {
        panic!("nothing is waited for")
    }
}

#[test]
fn whoever_leaves_leaves_nothing() {
    let steps = vec![text("a"), Step::Wait(SECOND), text("b")];
    for (outcome, read) in
        [(Outcome::Forever, 0), (Outcome::Stream(vec![Step::Forever]), 0), (Outcome::Stream(steps), 1)]
    {
        let clock = ManualClock::new();
        let inner = Scripted::new(&clock, [outcome]);
        let outer = Timeout::default().clock(clock.clone()).apply(inner.shared());
        let mut task = Task::new(async {
            let mut stream = outer.call(&Call::to("p"), &ask(true)).await.expect("a reply").stream().expect("a stream");
            loop {
                poll_fn(|cx| stream.as_mut().poll_next(cx)).await.expect("an item").expect("an event");
            }
        });
        let _: Poll<()> = task.until_idle();
        assert_eq!((inner.in_flight(), clock.sleepers()), (1, 1 + read));
        drop(task);
        assert_eq!((inner.in_flight(), inner.dropped(), clock.sleepers()), (0, 1, 0));
    }
}
