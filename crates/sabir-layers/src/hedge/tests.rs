use std::sync::atomic::{AtomicUsize, Ordering};

use sabir_core::chat::{ChatRequest, ChatResponse, Event, Part};
use sabir_core::{Error, ErrorKind, Key, Stage};
use sabir_testkit::{
    ManualClock, Outcome, Scripted, Step, Task, block_on_with, check_events, check_layer_on, collect, events_of,
};

use super::*;

const MS: Duration = Duration::from_millis(1);

fn request(stream: bool) -> Request {
    let mut request = ChatRequest::new("m").user("Hi");
    request.stream = stream;
    Request::Chat(request)
}

fn answer(text: &str) -> ChatResponse {
    let mut answer = ChatResponse::default();
    answer.parts = vec![Part::text(text)];
    answer
}

fn whole(text: &str, after: u32) -> Outcome {
    Outcome::whole(answer(text)).after(after * MS)
}

fn fails(kind: ErrorKind, after: u32) -> Outcome {
    Outcome::Fail(Error::new(kind, "no")).after(after * MS)
}

/// A hedge after 100 ms over calls that go as these outcomes say.
fn ask(outcomes: impl IntoIterator<Item = Outcome>) -> (Result<ChatResponse>, Scripted, ManualClock) {
    let clock = ManualClock::new();
    let inner = Scripted::new(&clock, outcomes);
    let outer = Hedge::default().after(100 * MS).share(1.0).clock(clock.clone()).apply(inner.shared());
    let (call, asked) = (Call::to("p"), request(false));
    let reply = block_on_with(&clock, outer.call(&call, &asked)).and_then(Reply::whole);
    (reply, inner, clock)
}

#[test]
fn it_keeps_the_contract() {
    let clock = ManualClock::new();
    check_layer_on(&clock, |inner| Hedge::default().clock(clock.clone()).apply(inner)).assert_ok();
    let eager = || Hedge::default().after(MS).share(1.0).clock(clock.clone());
    check_layer_on(&clock, |inner| eager().apply(inner)).assert_ok();
}

#[test]
fn a_fast_call_is_alone() {
    let (reply, inner, _) = ask([whole("one", 99)]);
    assert_eq!((reply.expect("an answer").attempts.len(), inner.calls()), (0, 1));
    let (reply, inner, clock) = ask([fails(ErrorKind::Provider, 50)]);
    assert_eq!((reply.expect_err("it fails").attempts().len(), inner.calls(), clock.sleepers()), (0, 1, 0));
}

#[test]
fn the_first_to_answer_counts_and_the_other_is_cancelled_and_told() {
    for (first, second, text, ended) in [(300, 150, "two", 250), (180, 150, "one", 180)] {
        let (reply, inner, clock) = ask([whole("one", first), whole("two", second)]);
        let answer = reply.expect("an answer");
        assert_eq!((answer.text().as_str(), clock.now()), (text, ended * MS));
        let lost = &answer.attempts[0];
        assert_eq!((answer.attempts.len(), lost.kind, lost.stage), (1, ErrorKind::Cancelled, Stage::MaybeSent));
        assert!(lost.usage.is_unknown());
        assert_eq!((inner.dropped(), inner.in_flight(), clock.sleepers()), (1, 0, 0));
        assert_eq!(inner.seen().iter().map(|seen| seen.call.hedged).collect::<Vec<_>>(), [false, true]);
    }
}

#[test]
fn an_error_is_no_answer_while_the_other_call_is_under_way() {
    let (reply, inner, _) = ask([fails(ErrorKind::Network, 120), whole("two", 100)]);
    let answer = reply.expect("the second answers");
    assert_eq!((answer.text().as_str(), answer.attempts[0].kind), ("two", ErrorKind::Network));
    assert_eq!((inner.dropped(), inner.in_flight()), (0, 0));
    let (reply, ..) = ask([whole("one", 400), fails(ErrorKind::Overloaded, 10)]);
    assert_eq!(reply.expect("the first answers").attempts[0].kind, ErrorKind::Overloaded);
    let (reply, ..) = ask([fails(ErrorKind::Network, 150), fails(ErrorKind::Overloaded, 10)]);
    let error = reply.expect_err("both fail");
    assert_eq!(
        (error.kind(), error.attempts()[0].kind, error.attempts().len()),
        (ErrorKind::Network, ErrorKind::Overloaded, 1)
    );
}

#[test]
fn of_streams_the_first_event_counts() {
    let slow = |text: &str, first: u32, next: u32| {
        let mut steps = vec![Step::Wait(first * MS)];
        steps.extend(
            events_of(&answer(text)).into_iter().flat_map(|event| [Step::Item(Ok(event)), Step::Wait(next * MS)]),
        );
        Outcome::Stream(steps)
    };
    let clock = ManualClock::new();
    let inner = Scripted::new(&clock, [slow("one", 500, 1), slow("two", 100, 1000)]);
    let outer = Hedge::default().after(100 * MS).share(1.0).clock(clock.clone()).apply(inner.shared());
    let (call, asked) = (Call::to("p"), request(true));
    let stream = block_on_with(&clock, outer.call(&call, &asked)).and_then(Reply::stream).expect("a stream");
    assert_eq!((clock.now(), inner.in_flight(), inner.dropped()), (200 * MS, 1, 1));
    let items = block_on_with(&clock, collect(stream));
    assert_eq!(check_events(&items), Ok(()));
    let Some(Ok(Event::Done(done))) = items.last() else { panic!("it ends well") };
    assert_eq!((done.text().as_str(), done.attempts[0].kind), ("two", ErrorKind::Cancelled));
    assert_eq!(inner.in_flight(), 0);
}

#[test]
fn it_waits_for_the_95th_percentile_of_its_place() {
    let clock = ManualClock::new();
    let asked = AtomicUsize::new(0);
    let inner = Scripted::answering(&clock, move |call, _| {
        let n = asked.fetch_add(1, Ordering::Relaxed);
        match (call.provider.as_str(), call.hedged) {
            ("p", false) if n >= 100 => Outcome::Forever,
            (_, true) => whole("two", 20),
            // 1 to 100 ms, in no order.
            _ => whole("one", u32::try_from(n * 37 % 100).unwrap() + 1),
        }
    });
    let outer = Hedge::default().share(0.5).clock(clock.clone()).apply(inner.shared());
    let send = |to: &str| {
        let (call, asked, begun) = (Call::to(to), request(false), clock.now());
        let answer = block_on_with(&clock, outer.call(&call, &asked)).and_then(Reply::whole).expect("an answer");
        (answer.text(), clock.now().saturating_sub(begun))
    };
    (0..19).for_each(|_| assert_eq!(send("p").0, "one"));
    assert_eq!(inner.calls(), 19, "too little is known before");
    while inner.calls() < 100 {
        send("p");
    }
    let (text, took) = send("p");
    assert_eq!(text, "two");
    assert!((100 * MS..=125 * MS).contains(&took), "{took:?}: 95 ms or a little more, and 20");
    let before = inner.calls();
    (0..5).for_each(|_| drop(send("q")));
    assert_eq!(inner.calls(), before + 5, "of another place nothing is known");
}

#[test]
fn bounds_and_shares_are_kept() {
    for (share, most) in [(0.05, 50), (0.1, 100), (0.0, 0), (1.0, 1000)] {
        let clock = ManualClock::new();
        let inner = Scripted::answering(&clock, |call, _| whole("", if call.hedged { 10 } else { 300 }));
        let outer = Hedge::default().after(100 * MS).share(share).clock(clock.clone()).apply(inner.shared());
        let (call, asked) = (Call::to("p"), request(false));
        for calls in 1..=1000 {
            block_on_with(&clock, outer.call(&call, &asked)).expect("an answer");
            let second = inner.calls() - calls;
            assert!(second * 1000 <= calls * most, "{second} of {calls} at {share}");
        }
        assert_eq!(inner.calls(), 1000 + most, "all slow, so that all that may are doubled");
    }
    let hedge = Hedge::default().bounds(10 * MS, 40 * MS);
    let latencies = Latencies::default();
    for (took, want) in [(1, 10), (20, 20), (4000, 40)] {
        (0..128).for_each(|_| latencies.add(took * MS));
        assert_eq!(hedge.delay(&latencies), Some(want * MS));
    }
}

#[test]
fn both_calls_are_measured_as_far_as_they_went() {
    let clock = ManualClock::new();
    let inner = Scripted::answering(&clock, |call, _| whole("", if call.hedged { 10 } else { 300 }));
    let hedge = Hedge::default().after(100 * MS).share(1.0).clock(clock.clone());
    let outer = hedge.apply(inner.shared());
    let (call, asked) = (Call::to("p"), request(false));
    (0..9).for_each(|_| drop(block_on_with(&clock, outer.call(&call, &asked)).expect("an answer")));
    let recent = hedge.recent.get_or(&Place::of(&call, &asked), Recent::default);
    assert_eq!(recent.whole.p95(), None, "18 are too few");
    block_on_with(&clock, outer.call(&call, &asked)).expect("an answer");
    assert_eq!(recent.whole.p95(), Some(110 * MS), "the first ones took at least so long");
}

#[test]
fn no_third_call_is_made() {
    let clock = ManualClock::new();
    let inner = Scripted::answering(&clock, |_, _| Outcome::Forever);
    let hedge = || Hedge::default().after(100 * MS).share(1.0).clock(clock.clone());
    let outer = hedge().apply(inner.shared());
    let mut call = Call::to("p");
    (call.hedged, call.key) = (true, Some(Key { name: "k".into(), secret: "s".into() }));
    let asked = request(false);
    let mut task = Task::new(outer.call(&call, &asked));
    for _ in 0..10 {
        assert!(task.until_idle().is_pending());
        clock.advance(1000 * MS);
    }
    assert_eq!(inner.calls(), 1);
}

#[test]
fn both_calls_end_when_the_caller_leaves_at_any_time() {
    for stream in [false, true] {
        for polls in 0..8 {
            let clock = ManualClock::new();
            let inner = Scripted::answering(&clock, move |_, _| {
                let streamed = || Outcome::events(events_of(&answer("one")).into_iter().map(Ok));
                if stream { streamed().after(500 * MS) } else { whole("one", 500) }
            });
            let outer = Hedge::default().after(100 * MS).share(1.0).clock(clock.clone()).apply(inner.shared());
            let (call, asked) = (Call::to("p"), request(stream));
            let mut task = Task::new(outer.call(&call, &asked));
            for _ in 0..polls {
                if task.poll_once().is_ready() {
                    break;
                }
                clock.advance_to_next();
            }
            drop(task);
            assert_eq!((inner.in_flight(), clock.sleepers()), (0, 0), "left after {polls} polls");
        }
    }
}

#[test]
fn one_that_goes_by_another_knows_what_that_has_seen_and_earned() {
    let clock = ManualClock::new();
    let usual = Hedge::default().share(0.5).clock(clock.clone());
    let own = || Hedge::default().share(0.0).clock(clock.clone());
    let times = |hedge: &Hedge, took: u32, times: usize| {
        let inner = Scripted::answering(&clock, move |_, _| whole("one", took));
        let outer = hedge.apply(inner.shared());
        let (call, asked) = (Call::to("p"), request(false));
        (0..times).for_each(|_| drop(block_on_with(&clock, outer.call(&call, &asked)).expect("an answer")));
        inner.calls()
    };
    assert_eq!(times(&usual, 10, 20), 20);
    assert_eq!(times(&own(), 400, 1), 1, "it knows nothing");
    assert_eq!(times(&own().knowing(&usual), 400, 1), 2);
}
